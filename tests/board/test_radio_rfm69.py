# What the emulated chip does not do: an interrupt line that is not the radio's, a FIFO that nobody fetched in time, a chip that
# was reset.
from fakes import Ticks

from meter.radio_frames import AirTime, Inbox
from meter.radio_rfm69 import Rfm69
from shared.rf12 import frame, on_air
from shared.rf_chips import FLUKSO

_MODE, _IRQ_2, _GROUP = 0x01, 0x28, 0x30


class _Pins:
    """Registers that keep what is written; the FIFO gives ``fifo``. handlers: what irq() was given."""

    def __init__(self):
        self.registers = bytearray(128)
        self.registers[0x10] = 0x24
        self.fifo = bytearray()
        self.written = bytearray()
        self.level = 0
        self.handlers = []

    def exchange(self, out, into):
        address = out[0] & 0x7F
        for at in range(1, len(out)):
            if out[0] & 0x80 and address:
                self.registers[address] = out[at]
            elif out[0] & 0x80:
                self.written.append(out[at])
            elif address:
                into[at] = self.registers[address]
            else:
                into[at] = self.fifo[0]
                self.fifo = self.fifo[1:]
                self.calls()

    def calls(self):
        self.level = int(len(self.fifo) > 3)
        self.registers[_IRQ_2] = 0x20 * self.level

    def comes(self, data):
        self.fifo += data
        self.calls()

    def select(self, _level):
        pass

    def irq_level(self):
        return self.level

    def irq(self, handler, _rising):
        self.handlers.append(handler)


def _chip():
    pins, ticks, woken = _Pins(), Ticks(), []
    inbox = Inbox()
    chip = Rfm69(pins, inbox, AirTime(), ticks.ticks, ticks.diff, lambda: woken.append(1))
    assert chip.set_up(FLUKSO, 93)
    return chip, pins, ticks, woken, inbox


def test_a_frame_comes_in_fours_with_noise_behind_it_and_an_empty_one_at_once():
    chip, pins, ticks, _, inbox = _chip()
    for payload in (b"", b"1", b"12", b"123", b"1234", bytes(66)):
        framed = frame(93, 5, payload)[1:]
        ticks.now += 4 * 417
        pins.comes(framed[:4])
        chip.on_irq(None)
        began = ticks.now - 4 * 417
        assert chip.open == (len(payload) > 0)
        ticks.now += len(payload) * 417
        pins.comes(framed[4:] + b"\x55" * (-len(framed) % 4))
        if payload:
            chip.on_irq(None)
        packet = inbox.take()
        assert packet[1:3] == (93, 5) and packet[5] == payload and packet[0] == began + len(framed) * 417
        assert not chip.open and pins.registers[_MODE] == 0x10
        pins.fifo = bytearray()
        pins.calls()


def test_a_fifo_that_ran_over_is_counted_and_the_receiver_restarted_at_once():
    chip, pins, _, _, inbox = _chip()
    framed = frame(93, 5, b"1234567890")[1:]
    pins.comes(framed[:4])
    chip.on_irq(None)
    assert chip.open
    pins.registers[_IRQ_2], pins.registers[_MODE], pins.fifo = 0x30, 0, bytearray()
    chip.on_irq(None)
    assert not chip.open and not chip.lost and inbox.lost == 1 and pins.registers[_MODE] == 0x10
    pins.comes(framed + b"\x55" * 2)
    chip.on_irq(None)
    assert inbox.take()[5] == b"1234567890"


def test_a_packet_longer_than_the_fifo_is_brought_in_two_pieces():
    chip, pins, _, woken, _ = _chip()
    framed = frame(80, 0x1E, bytes(range(66)))
    pins.written = bytearray()
    pins.level = 1
    assert chip.transmit(on_air(framed)) and chip.sending and not chip.transmit(on_air(framed))
    assert pins.registers[_MODE] == 0x0C and pins.registers[_GROUP] == 80 and len(pins.written) <= 66
    pins.level = pins.registers[_IRQ_2] = 0
    chip.on_irq(None)
    assert chip.sending and bytes(pins.written) == framed[1:] + b"\xaa" * 5
    chip.on_irq(None)
    assert not chip.sending and not chip.lost and woken
    assert pins.registers[_MODE] == 0x10 and pins.registers[_GROUP] == 93


def test_a_packet_whose_rest_came_too_late_is_told_as_cut():
    chip, pins, _, _, _ = _chip()
    pins.level = 1
    chip.transmit(on_air(frame(93, 0x1E, bytes(66))))
    pins.level, pins.registers[_IRQ_2] = 0, 0x08
    chip.on_irq(None)
    assert chip.lost and not chip.sending


def test_edges_with_nothing_behind_them_end_the_interrupt():
    chip, pins, ticks, woken, _ = _chip()
    calls = 0
    while not chip.storm:
        ticks.now += 1000
        chip.on_irq(None)
        calls += 1
        assert calls < 100
    assert pins.handlers[-1] is None and woken


def test_a_line_that_moves_faster_than_any_radio_ends_the_interrupt():
    chip, pins, ticks, woken, _ = _chip()
    for _ in range(64):
        ticks.now += 50
        pins.comes(b"\x05\xff\x00\x00")  # a length that can't be
        chip.on_irq(None)
    assert chip.storm and pins.handlers[-1] is None and woken


def test_a_chip_that_was_reset_is_noticed_by_a_look_and_before_it_sends():
    chip, pins, _, _, _ = _chip()
    pins.registers[0x24] = 0xFF  # quiet
    assert chip.look() and not chip.busy() and not chip.lost
    pins.registers[_MODE] = 0x04
    assert chip.busy() and chip.lost
    assert chip.set_up(FLUKSO, 93) and not chip.lost
    pins.registers[_GROUP] = 0
    assert chip.look() and chip.lost
    pins.registers[0x10] = 0
    assert not chip.look()
