"""Flow from the times of pulses, and its fall when they stop."""

import pytest
from host.making import make_pulses
from hypothesis import given
from hypothesis import strategies as st

from fluksometer.domain.gauge import PulseGauge, flow
from fluksometer.domain.sensors import Medium


@pytest.mark.parametrize(
    ("medium", "milli", "over_ms", "value"),
    [
        (Medium.ELECTRICITY, 1000, 1500, 2400),
        (Medium.ELECTRICITY, 500, 750, 2400),
        (Medium.GAS, 10_000, 30_000, 28_800),
        (Medium.WATER, 10_000, 30_000, 28_800),
        (Medium.ELECTRICITY, 1, 7200, 1),  # half a watt is rounded up
        (Medium.ELECTRICITY, 1, 7201, 0),
    ],
)
def test_golden_flows(medium, milli, over_ms, value):
    assert flow(medium, milli=milli, over_us=over_ms * 1000) == value


def make_gauge(constant_milli=1000):
    return PulseGauge(medium=Medium.ELECTRICITY, constant_milli=constant_milli)


def test_pulses_between_two_records_are_averaged_over_their_own_times():
    gauge = make_gauge()
    assert gauge.take(make_pulses(count=1, edge_us=1_000_000)) is None  # one pulse tells no flow
    assert gauge.take(make_pulses(count=2, edge_us=2_500_000, interval_us=1_500_000)) == 2400
    assert gauge.take(make_pulses(count=5, edge_us=7_000_000, interval_us=1_000_000)) == 2400  # 3 in 4.5 s


def test_the_first_record_uses_the_boards_own_interval():
    assert make_gauge().take(make_pulses(count=90, edge_us=9_000_000, interval_us=1_500_000)) == 2400


def test_a_bridge_that_starts_late_does_not_tell_an_old_flow():
    pulses = make_pulses(count=90, edge_us=1_000_000, interval_us=1_500_000, t_us=3_601_000_000)
    assert make_gauge().take(pulses) == 1


def test_the_flow_falls_to_zero_when_pulses_stop():
    gauge = make_gauge()
    gauge.take(make_pulses(count=2, edge_us=1_000_000, interval_us=1_500_000))
    published = []
    for second in range(1, 8000):
        value = gauge.take(
            make_pulses(count=2, edge_us=1_000_000, interval_us=1_500_000, t_us=1_000_000 * (second + 1))
        )
        if value is not None:
            assert value <= 3600 / second
            published.append(value)
    assert published[0] == 1800  # after two seconds
    assert published[-2:] == [1, 0]
    assert published == sorted(set(published), reverse=True)  # each value once, and nothing after 0


def test_the_flow_comes_back_after_silence():
    gauge = make_gauge()
    gauge.take(make_pulses(count=2, edge_us=1_000_000, interval_us=1_000_000))
    assert gauge.take(make_pulses(count=2, edge_us=1_000_000, t_us=4000_000_000)) == 0
    assert gauge.take(make_pulses(count=3, edge_us=4000_000_000)) == 1
    assert gauge.take(make_pulses(count=4, edge_us=4001_000_000)) == 3600


def test_after_a_boot_the_old_times_are_forgotten():
    gauge = make_gauge()
    gauge.take(make_pulses(count=5, edge_us=9_000_000, interval_us=1_500_000))
    gauge.begin_boot()
    assert gauge.take(make_pulses(count=0, t_us=2_000_000)) == 1800  # silent for the two seconds since it booted
    assert gauge.take(make_pulses(count=1, edge_us=2_500_000)) is None
    assert gauge.take(make_pulses(count=2, edge_us=3_500_000)) == 3600


def test_a_count_that_goes_back_is_left_alone():
    gauge = make_gauge()
    gauge.take(make_pulses(count=5, edge_us=9_000_000, interval_us=1_500_000))
    assert gauge.take(make_pulses(count=4, edge_us=8_000_000, interval_us=1_500_000)) is None
    assert gauge.value == 2400


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(1, 10**9), st.integers(0, 10**9)), max_size=50))
def test_never_negative_and_never_more_than_silence_allows(steps):
    gauge, count, edge_us = make_gauge(), 0, 0
    for new, gap_us, wait_us in steps:
        count, edge_us = count + new, edge_us + gap_us if new else edge_us
        gauge.take(make_pulses(count=count, edge_us=edge_us, t_us=edge_us + wait_us))
        assert gauge.value is None or 0 <= gauge.value <= 3_600_000_000 // max(1, wait_us)
