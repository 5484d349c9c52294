# What the emulated chip does not do: an interrupt line that is not the radio's, and a chip that is not there.
from fakes import Ticks

from meter.radio_frames import AirTime, Inbox
from meter.radio_rfm12b import Rfm12b
from shared.rf_chips import FLUKSO


class _Pins:
    """A chip that answers every word with one status byte. handlers: what irq() was given."""

    def __init__(self, status):
        self.status = status
        self.level = 1
        self.handlers = []

    def exchange(self, _out, into):
        into[0] = self.status

    def select(self, _level):
        pass

    def irq_level(self):
        return self.level

    def irq(self, handler, _rising):
        self.handlers.append(handler)


def _chip(status):
    pins, ticks, woken = _Pins(status), Ticks(), []
    chip = Rfm12b(pins, Inbox(), AirTime(), ticks.ticks, ticks.diff, lambda: woken.append(1))
    return chip, pins, ticks, woken


def test_only_an_empty_fifo_behind_its_words_is_a_chip():
    for status, there in ((0x02, True), (0x00, False), (0xFF, False), (0x42, False), (0x82, False)):
        chip, pins, _, _ = _chip(status)
        assert chip.set_up(FLUKSO, 93) == there, status
        assert bool(pins.handlers) == there


def test_edges_with_nothing_behind_them_end_the_interrupt():
    chip, pins, ticks, woken = _chip(0x02)
    chip.set_up(FLUKSO, 93)
    calls = 0
    while not chip.storm:
        ticks.now += 1000
        chip.on_irq(None)
        calls += 1
        assert calls < 100
    assert pins.handlers[-1] is None and woken


def test_a_line_that_moves_faster_than_any_radio_ends_the_interrupt():
    chip, pins, ticks, woken = _chip(0x02)
    chip.set_up(FLUKSO, 93)
    pins.level, pins.status = 0, 0x80  # always a byte
    for _ in range(64):
        ticks.now += 50
        chip.on_irq(None)
    assert chip.storm and pins.handlers[-1] is None and woken


def test_a_chip_that_was_reset_is_told_and_not_read_on():
    chip, pins, _, woken = _chip(0x02)
    chip.set_up(FLUKSO, 93)
    pins.level, pins.status = 0, 0xC2
    chip.on_irq(None)
    assert chip.lost and woken and not chip.open
    pins.status = 0x02
    assert chip.set_up(FLUKSO, 93) and not chip.lost


def test_a_chip_that_was_reset_is_not_made_to_send():
    chip, pins, _, _ = _chip(0x02)
    chip.set_up(FLUKSO, 93)
    assert not chip.busy()
    pins.status = 0x42
    assert chip.busy() and chip.lost
    pins.status = 0x02  # reading took it off
    assert chip.busy()
