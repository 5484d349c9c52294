"""Pulse inputs: times, chatter, and what a pin of the chip sees."""

from itertools import islice, pairwise

import pytest
from rp2040py.rp2040 import RP2040

from house.pulses import PulseLine, pulse_edges, pulse_times, true_pulse_count
from house.rawrepl import execute

COUNTER = """
from machine import Pin
falls = 0
def on_fall(pin):
    global falls
    falls += 1
pin = Pin(4, Pin.IN, Pin.PULL_UP)
pin.irq(on_fall, Pin.IRQ_FALLING)
print(pin.value())
"""


def pulse_from(house_from, text: str):
    return house_from("[[pulse]]\nport = 4\n" + text).pulse[0]


def test_pulses_come_at_the_rate(house_from):
    pulse = pulse_from(house_from, "rate_hz = 0.3")
    assert list(islice(pulse_times(pulse), 3)) == [3_333_333_333, 6_666_666_667, 10_000_000_000]


def test_steps_carry_the_begun_pulse_over(house_from):
    # 1 Hz for 2.5 s leaves half a pulse; at 2 Hz the third comes a quarter of a second later; none in the pause.
    pulse = pulse_from(house_from, "rate_hz = [[0, 1], [2.5, 2], [3.5, 0], [10, 1]]")
    times_s = [at / 1e9 for at in islice(pulse_times(pulse), 5)]
    assert times_s == pytest.approx([1, 2, 2.75, 3.25, 10.5])


def test_a_count_ends_the_pulses(house_from):
    assert len(list(pulse_times(pulse_from(house_from, "rate_hz = 10\ncount = 7")))) == 7


def test_a_step_to_zero_at_the_end_ends_them_too(house_from):
    assert len(list(pulse_times(pulse_from(house_from, "rate_hz = [[0, 1], [3.5, 0]]")))) == 3


def test_a_clean_contact_closes_for_its_width(house_from):
    edges = list(islice(pulse_edges(pulse_from(house_from, "rate_hz = 1\nwidth_ms = 25")), 4))
    assert edges == [(10**9, True), (1_025_000_000, False), (2 * 10**9, True), (2_025_000_000, False)]


def test_chatter_is_seeded_and_stays_within_its_time(house_from):
    pulse = pulse_from(house_from, "rate_hz = 1\nwidth_ms = 25\nbounce_ms = 5\ncount = 50")
    edges = list(pulse_edges(pulse))
    assert edges == list(pulse_edges(pulse)) and edges == sorted(edges)
    assert all(later[1] != earlier[1] for earlier, later in pairwise(edges))
    assert len(edges) > 4 * 50
    within = [(at_ns % 10**9) / 1e6 for at_ns, _ in edges]
    assert all(0 <= ms < 5 or 25 <= ms < 30 for ms in within)
    assert edges != list(
        pulse_edges(pulse_from(house_from, "rate_hz = 1\nwidth_ms = 25\nbounce_ms = 5\ncount = 50\nseed = 2"))
    )


def test_truth_counts_pulses_that_have_begun(house_from):
    house = house_from("[[pulse]]\nport = 5\nrate_hz = 2\ncount = 30")
    assert [true_pulse_count(house, 5, t_s) for t_s in (0, 0.499, 0.5, 10, 3600)] == [0, 0, 1, 20, 30]
    assert true_pulse_count(house, 4, 10) == 0


def test_a_line_keeps_one_alarm_and_moves_its_pin(house_from):
    mcu = RP2040()
    line = PulseLine(mcu, pulse_from(house_from, "rate_hz = 1\nwidth_ms = 25"))
    pin = mcu.gpio[4]
    pin.pad_value = 0x4A  # input enabled, pulled up
    seen = []
    for _ in range(200):
        mcu.clock.tick(10_000_000)
        seen.append(bool(pin.input_value))
    assert line is not None and seen.count(False) == 4 and seen[98:104] == [True, False, False, False, True, True]


@pytest.mark.emulated
def test_the_firmware_counts_what_the_house_sends(boot):
    board = boot("[[pulse]]\nport = 4\nrate_hz = [[0, 0], [1, 20]]\nwidth_ms = 10\ncount = 40")
    assert execute(board, COUNTER).strip() == "1"
    board.run_for(2)
    seen = int(execute(board, "print(falls)"))
    assert seen == true_pulse_count(board.house, 4, board.nanos / 1e9) > 15
    board.run_for(2)
    assert int(execute(board, "print(falls)")) == 40


def test_a_delay_moves_every_pulse_and_what_is_true(house_from):
    early, late = (pulse_from(house_from, f"rate_hz = 2\ncount = 3\ndelay_ms = {delay}") for delay in (0, 20.5))
    assert [b - a for a, b in zip(pulse_times(early), pulse_times(late), strict=True)] == [20_500_000] * 3
    house = house_from("[[pulse]]\nport = 4\nrate_hz = 1\ndelay_ms = 100")
    assert [true_pulse_count(house, 4, t_s) for t_s in (1.05, 1.1, 2.05)] == [0, 1, 1]
