"""The judge of the reliability campaign finds what is lost, doubled or made up."""

from dataclasses import replace

import pytest

from board_world import CHARGE_PER_STEP, CLAMP_PORTS, PULSES_PER_KS, pulses_until, steps_rms
from reliability_broker import Heard
from reliability_latency import latencies_ms
from reliability_truth import CONSTANT_MILLI, UWH_PER_CHARGE, W_PER_STEP, judge, read_truth, sensor_id

START_S = 1_800_000_000
WINDOWS, QUIET_US = 20, 20_500_000


def book(boot=1, start_s=START_S, windows=WINDOWS, end="quiet 1 20500000"):
    """The truth of a board that works for so many seconds."""
    lines = [f"boot {boot} {start_s}500000000"]
    for number in range(1, windows + 1):
        steps = " ".join(str(steps_rms(port, number, boot)) for port in CLAMP_PORTS)
        lines.append(f"window {boot} {number} {number}000000 {steps}")
    return "\n".join([*lines, end, ""])


def charge_of(port, until, boot=1):
    return sum(steps_rms(port, number, boot) * CHARGE_PER_STEP for number in range(1, until + 1))


def readings(windows=WINDOWS, boot=1, start_s=START_S, before_charge=None, before_pulses=None, end_us=QUIET_US):
    """What a subscriber hears of it when nothing is lost."""
    heard = []
    for number in range(1, windows + 1):
        second = start_s + number
        for port in CLAMP_PORTS:
            charge = (before_charge or {}).get(port, 0) + charge_of(port, number, boot)
            watt = round(steps_rms(port, number, boot) * W_PER_STEP)
            wh = int(charge * UWH_PER_CHARGE / 1_000_000)
            heard.append(Heard(0.0, sensor_id(port), "gauge", second, watt))
            heard.append(Heard(0.0, sensor_id(port), "counter", second, wh))
        for port in PULSES_PER_KS:
            t_us = end_us if number == windows else number * 1_000_000
            count = (before_pulses or {}).get(port, 0) + pulses_until(port, t_us)
            heard.append(Heard(0.0, sensor_id(port), "counter", second, count * CONSTANT_MILLI[port] / 1000))
    return heard


def faults(heard, text=None):
    verdict = judge(read_truth(book() if text is None else text), heard)
    return {name: count for name, count in verdict.counts.items() if count}


def test_nothing_lost_is_nothing_found():
    heard = readings()
    assert (
        faults(heard) == {} and faults([*heard, *heard[-30:]]) == {}
    )  # what comes twice and says the same is no fault


def test_a_window_that_did_not_come_is_found():
    lost = [one for one in readings() if not (one.kind == "gauge" and one.second == START_S + 7)]
    assert faults(lost) == {"windows_lost": 3}


def test_a_total_that_is_short_is_found():
    short = [one for one in readings() if not (one.kind == "counter" and one.second >= START_S + WINDOWS)]
    assert set(faults(short)) == {"wh_wrong", "pulses_wrong"}


def test_a_total_that_has_too_much_is_found():
    heard = readings()
    more = [replace(one, value=one.value + 100 * (one.kind == "counter")) for one in heard[-9:]]
    assert set(faults(heard[:-9] + more)) == {"wh_wrong", "pulses_wrong"}


def test_a_total_that_falls_is_found():
    heard = readings()
    at = next(at for at, one in enumerate(heard) if one.kind == "counter" and one.second == START_S + 9)
    heard[at] = replace(heard[at], value=0)
    assert faults(heard) == {"falls": 1}


def test_a_second_with_two_values_is_found():
    heard = readings()
    assert faults([*heard, replace(heard[-2], value=heard[-2].value - 1)]) == {"contradictions": 1}


def test_a_window_under_two_seconds_or_a_wrong_one_is_found():
    heard = readings()
    last = [one for one in heard if one.kind == "gauge"][-1]
    assert faults([*heard, replace(last, second=last.second + 1)]) == {"windows_doubled": 1}
    late = [replace(one, second=one.second + 3) if one == last else one for one in heard]
    assert faults(late) == {"windows_misplaced": 1}


def test_a_reading_that_was_never_measured_is_found():
    assert faults([*readings(), Heard(0.0, sensor_id(2), "gauge", START_S + 30, 5.0)]) == {"windows_made_up": 1}


def test_an_order_that_is_turned_is_found():
    heard = readings()
    heard[10], heard[-9] = heard[-9], heard[10]
    assert faults(heard).keys() == {"out_of_order"}


@pytest.mark.parametrize(("known", "lost_s"), [(20, 0.9), (18, 2.9)])
def test_after_a_power_cut_what_was_not_heard_is_measured(known, lost_s):
    text = book(end=f"cut 1 {START_S + 21}400000000") + book(2, START_S + 30).replace("quiet 1", "quiet 2")
    end_us = known * 1_000_000
    charge = {port: charge_of(port, known) for port in CLAMP_PORTS}
    pulses = {port: pulses_until(port, end_us) for port in PULSES_PER_KS}
    heard = readings(known, end_us=end_us) + readings(
        boot=2, start_s=START_S + 30, before_charge=charge, before_pulses=pulses
    )
    verdict = judge(read_truth(text), heard)
    assert not any(verdict.counts.values()), verdict
    assert verdict.lost_s == [pytest.approx(lost_s)]
    assert faults(readings(known, end_us=end_us) + readings(boot=2, start_s=START_S + 30), text).keys() >= {
        "wh_wrong",
        "falls",
    }


def test_the_book_itself_must_be_right():
    with pytest.raises(AssertionError):
        read_truth(book().replace("window 1 5 5000000 902", "window 1 5 5000000 903"))
    assert len(read_truth(book() + "window 1 21 2100")[0].windows) == WINDOWS  # a line cut by a power cut


def test_latency_is_from_the_windows_end_to_the_callback():
    (boot,) = read_truth(book())
    heard = [replace(one, at_s=float(one.second - START_S) + 0.53) for one in readings()]
    took_ms = latencies_ms(boot, heard, START_S)
    assert len(took_ms) == 3 * WINDOWS and took_ms == [pytest.approx(30, abs=0.01)] * 60
