"""The board's microseconds as UTC: the cases of tests/vectors/time.json, and what holds in all of them."""

import json

import pytest
from host.time_world import World
from hypothesis import given, settings
from hypothesis import strategies as st
from places import ROOT

from fluksometer.domain.board_clock import BoardClock, HostTime, SecondStamp

CASES = json.loads((ROOT / "tests/vectors/time.json").read_text())
WALL_S = 1_800_000_000.0


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_case(case):
    world = World(case)
    for number, (what, *arguments) in enumerate(case["events"]):
        try:
            getattr(world, what)(*arguments)
        except AssertionError as error:
            raise AssertionError(f"event {number}, {what} {arguments}: {error}") from error


def at(mono_s, wall_offset_s=WALL_S):
    return HostTime(mono_s=mono_s, wall_s=mono_s + wall_offset_s)


def clock_of(boot_id=1, board=5):
    clock = BoardClock()
    clock.begin_boot(boot_id, board)
    return clock


def heard(clock, seconds, ppm=0.0):
    for second in range(seconds):
        clock.observe(round(second * (1e6 + ppm)), at(50 + second))
    return clock


@settings(max_examples=50, deadline=None)
@given(
    ppm=st.floats(-100, 100),
    host_ppm=st.floats(-100, 100),
    start_us=st.integers(0, 2**63 - 10**10),
    delays_s=st.lists(st.floats(0.001, 0.5), min_size=40, max_size=200),
    gaps_s=st.lists(st.sampled_from([0.1, 1.0, 1.0, 1.0, 10.0, 600.0]), min_size=1, max_size=20),
    quick=st.integers(2, 10),
)
def test_whatever_the_delays_time_rises_and_stays_within_the_bound_it_tells(
    ppm, host_ppm, start_us, delays_s, gaps_s, quick
):
    # Each ``quick``th record is quick, as the bound presumes of a settled clock.
    clock, now_s, asked = clock_of(), 0.0, []
    for number, delay_s in enumerate(delays_s):
        now_s += gaps_s[number % len(gaps_s)]
        t_us = start_us + round(now_s * (1e6 + ppm))
        delay_s = 0.001 if number % quick == 0 else delay_s
        assert clock.observe(t_us, at((now_s + delay_s) * (1 + host_ppm / 1e6), WALL_S - now_s * host_ppm / 1e6)) == 0
        asked.append((t_us, now_s))
    found = [clock.utc_s(t_us) for t_us, _ in asked]
    assert found == sorted(found) and len(set(found)) == len(found)
    for (_t_us, true_s), utc_s in zip(asked, found, strict=True):
        assert true_s < now_s - 7200 or -0.02 <= utc_s - WALL_S - true_s <= 0.5 + 0.02
    t_us, true_s = asked[-1]
    assert abs(clock.utc_s(t_us) - WALL_S - true_s) <= clock.error_s(t_us) + 0.01


def test_what_is_laid_is_never_moved():
    clock, told = clock_of(), {}
    for second in range(3000):
        clock.observe(second * 1_000_030, at(50 + second + (0.001 if second % 9 == 0 else 0.3)))
        told[second] = clock.utc_s(second * 1_000_030)
    assert all(clock.utc_s(second * 1_000_030) == told[second] for second in range(2950, 3000))
    assert all(abs(clock.utc_s(second * 1_000_030) - told[second]) < 0.003 for second in range(3000))


def test_a_restart_changes_no_microsecond():
    clock = heard(clock_of(), 900, ppm=40)
    other = BoardClock()
    other.restore(json.loads(json.dumps(clock.state())))
    assert other.utc_s(1) is None, "nobody knows yet what the host's clock shows now"
    other.begin_boot(1, 5)
    other.observe(902_000_000, at(952.3))
    for second in range(0, 905, 5):
        assert other.utc_s(second * 1_000_000) == clock.utc_s(second * 1_000_000)


def test_the_state_stays_small():
    clock = BoardClock()
    for boot in range(1, 9):
        clock.begin_boot(boot, 5)
        for second in range(8000):
            clock.observe(second * 1_000_000 + 40 * boot, at(boot * 10_000 + second))
    assert len(json.dumps(clock.state())) < 6000
    assert clock.earlier_utc_s(1, 0) is None, "the oldest is forgotten"
    assert abs(clock.earlier_utc_s(5, 7_000_000_000) - WALL_S - 57_000) < 0.01


def test_a_state_that_is_none_is_refused_and_changes_nothing():
    clock = heard(clock_of(), 60)
    good = clock.state()
    bad = [
        None,
        3,
        [],
        {},
        {"boot": 1, "boots": []},
        {"boot": 2, "boots": good["boots"]},
        {"boot": 1, "boots": [[1, 5]]},
    ]
    for knots in (
        [[0, "x", 1]],
        [[1, 2.0, 1], [1, 3.0, 1]],
        [[1, 3.0, 1], [2, 2.0, 1]],
        [[1, float("nan"), 0]],
        [[1, float("inf"), 0]],
        [[1, 2.0]],
    ):
        bad.append({"boot": 1, "boots": [[1, 5, None, knots]]})
    for state in bad:
        with pytest.raises(ValueError, match="no state of the board's clock"):
            clock.restore(state)
    assert clock.state() == good


def test_the_error_that_is_told():
    clock = clock_of()
    assert clock.error_s(0) is None
    clock.observe(100_000_000, at(50))
    assert clock.error_s(100_000_000) == 0.5
    assert clock.error_s(0) == 0.5 + 100 * 2e-4
    assert clock.error_s(100_000_000) == pytest.approx(0.5)
    for second in range(101, 150):
        clock.observe(second * 1_000_000, at(second - 50))
    assert clock.error_s(149_000_000) == 0.02


def test_a_board_whose_clock_stood_still_is_believed_after_a_while():
    clock = heard(clock_of(), 100)
    for second in range(100, 130):
        assert clock.observe(second * 1_000_000, at(53 + second)) == 0
    assert abs(clock.utc_s(129_000_000) - WALL_S - 182) < 0.02
    assert abs(clock.utc_s(50_000_000) - WALL_S - 100) < 0.02, "what was before keeps its time"


@pytest.mark.parametrize("percent", [1, 5, 30])
def test_an_emulated_board_that_is_slow_is_followed(percent):
    clock = clock_of()
    for second in range(300):
        t_us = second * (1_000_000 - 10_000 * percent)
        assert clock.observe(t_us, at(50 + second)) == 0
        assert abs(clock.utc_s(t_us) - WALL_S - 50 - second) < 0.75 + 0.27 * percent


def test_a_new_boot_starts_anew_with_the_drift_of_that_board():
    clock = heard(clock_of(), 3000, ppm=90)
    clock.begin_boot(2, 5)
    assert clock.utc_s(0) is None
    clock.observe(7_200_000_000, at(10_000))
    assert abs(clock.utc_s(0) - WALL_S - 10_000 + 7200 * (1 - 90e-6)) < 0.02
    clock.begin_boot(3, 6)
    clock.observe(7_200_000_000, at(20_000))
    assert abs(clock.utc_s(0) - WALL_S - 20_000 + 7200) < 0.02


def test_no_time_before_a_record_and_while_the_host_clock_is_not_set():
    clock = BoardClock()
    assert clock.utc_s(0) is None
    clock.begin_boot(1)
    assert clock.utc_s(0) is None and clock.earlier_utc_s(7, 0) is None
    clock.observe(0, HostTime(mono_s=5, wall_s=1_234_567_889))
    assert clock.utc_s(0) is None
    clock.observe(1_000_000, HostTime(mono_s=6, wall_s=1_234_567_890))
    assert clock.utc_s(1_000_000) == 1_234_567_890


def test_seconds_rise_and_never_repeat():
    stamp = SecondStamp()
    assert [stamp.take(s) for s in (10.2, 10.9, 11.0, 10.5, 13.999)] == [10, None, 11, None, 13]
    assert stamp.left_out == 1


def test_jitter_around_the_full_second_costs_no_reading():
    stamp = SecondStamp(early_s=0.25)
    seconds = [stamp.take(s) for s in (10.01, 10.99, 12.01, 12.98, 13.99, 15.01)]
    assert seconds == [10, 11, 12, 13, 14, 15]
    assert stamp.take(15.5) is None and stamp.left_out == 0


def test_reset_lets_earlier_seconds_through():
    stamp = SecondStamp()
    stamp.take(100.0)
    stamp.reset()
    assert stamp.take(50.0) == 50


def test_the_last_second_survives_a_restart():
    stamp, later = SecondStamp(), SecondStamp()
    stamp.take(100.0)
    later.restore(json.loads(json.dumps(stamp.state())))
    assert (later.take(100.9), later.take(101.0)) == (None, 101)
