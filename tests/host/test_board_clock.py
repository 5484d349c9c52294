"""The board's microseconds as UTC."""

from fluksometer.domain.board_clock import BoardClock, HostTime, SecondStamp

WALL_S = 1_700_000_000.0


def at(mono_s, wall_offset_s=WALL_S):
    return HostTime(mono_s=mono_s, wall_s=mono_s + wall_offset_s)


def test_the_quickest_record_sets_the_offset():
    clock = BoardClock()
    for t_s, latency_s in [(1, 0.5), (2, 0.002), (3, 0.9), (4, 0.3)]:
        clock.observe(t_s * 1_000_000, at(50 + t_s + latency_s))
    assert abs(clock.utc_s(3_000_000) - (WALL_S + 53.002)) < 1e-6


def test_an_old_minimum_leaves_the_window_so_that_drift_is_followed():
    clock = BoardClock(window_s=10)
    for second in range(100):  # the board's clock is 1 % slow
        clock.observe(int(second * 990_000), at(50 + second))
    assert abs(clock.utc_s(99 * 990_000) - (WALL_S + 149)) <= 0.1 + 1e-6


def test_a_new_boot_starts_anew():
    clock = BoardClock()
    clock.observe(9_000_000_000, at(10))
    clock.begin_boot()
    assert clock.utc_s(0) is None
    clock.observe(0, at(20))
    assert clock.utc_s(1_000_000) == WALL_S + 21


def test_a_step_of_the_wall_clock_is_followed_and_told():
    clock = BoardClock()
    assert clock.observe(1_000_000, at(51)) == 0
    assert clock.observe(2_000_000, at(52)) == 0
    assert clock.observe(3_000_000, at(53, WALL_S + 3600)) == 3600
    assert clock.utc_s(3_000_000) == WALL_S + 3600 + 53
    assert clock.observe(4_000_000, at(54, WALL_S)) == -3600
    assert clock.observe(5_000_000, at(55, WALL_S + 0.4)) == 0  # a slew, followed in silence
    assert abs(clock.utc_s(5_000_000) - (WALL_S + 55.4)) < 1e-6


def test_no_time_before_a_record_and_while_the_host_clock_is_not_set():
    clock = BoardClock()
    assert clock.utc_s(0) is None
    clock.observe(0, HostTime(mono_s=5, wall_s=1_234_567_889))
    assert clock.utc_s(0) is None
    clock.observe(1_000_000, HostTime(mono_s=6, wall_s=1_234_567_890))
    assert clock.utc_s(1_000_000) == 1_234_567_890


def test_seconds_rise_and_never_repeat():
    stamp = SecondStamp()
    assert [stamp.take(s) for s in (10.2, 10.9, 11.0, 10.5, 13.999)] == [10, None, 11, None, 13]


def test_jitter_around_the_full_second_costs_no_reading():
    stamp = SecondStamp(early_s=0.25)
    seconds = [stamp.take(s) for s in (10.01, 10.99, 12.01, 12.98, 13.99, 15.01)]
    assert seconds == [10, 11, 12, 13, 14, 15]
    assert stamp.take(15.5) is None


def test_reset_lets_earlier_seconds_through():
    stamp = SecondStamp()
    stamp.take(100.0)
    stamp.reset()
    assert stamp.take(50.0) == 50
