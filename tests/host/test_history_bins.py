"""From totals and present values to one value for each stretch of time."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fluksometer.domain.history_bins import growths, means, rates


def bins(first_s, last_s, step_s):
    return [(begin, begin + step_s) for begin in range(first_s, last_s, step_s)]


def series(*values, rid=0):
    times, milli = zip(*values, strict=True)
    return rid, np.array(times), np.array(milli)


def found(values):
    return [None if np.isnan(value) else round(float(value), 6) for value in values]


def test_a_total_grows_evenly_between_two_readings():
    one = series((50, 0), (150, 100_000), (350, 500_000))
    assert found(rates([one], bins(0, 400, 100), 0)) == [1000.0, 1500.0, 2000.0, None]
    assert found(rates([series((60, 0), (150, 90))], bins(0, 200, 100), 0)) == [None, None]  # less than half is known


def test_a_total_that_stands_still_is_known_as_long_as_its_sensor_speaks():
    one = series((0, 0), (100, 100_000))
    assert found(rates([one], bins(0, 400, 100), 350)) == [1000.0, 0.0, 0.0, None]
    assert found(rates([one], bins(0, 400, 100), 350, whole=False)) == [1000.0, 0.0, 0.0, 0.0]
    assert found(growths([one], bins(0, 400, 100), 350)) == [100_000.0, 0.0, 0.0, 0.0]


def test_a_series_begun_anew_is_no_fall():
    old, new = series((0, 5_000_000), (100, 5_100_000)), series((100, 0), (200, 200_000), rid=1)
    assert found(rates([old, new], bins(0, 200, 100), 0)) == [1000.0, 2000.0]
    assert found(rates([old, new], [(0, 200)], 0)) == [1500.0]


def test_a_present_value_holds_until_the_next_one_but_not_for_ever():
    one = series((0, 10_000), (50, 30_000), (1000, 70_000))
    assert found(means([one], bins(0, 200, 100), 0, 500)) == [20_000.0, 30_000.0]
    assert found(means([one], [(600, 700), (900, 1000)], 0, 500)) == [None, None]


@given(
    st.lists(st.tuples(st.integers(1, 1000), st.integers(0, 10**6)), min_size=2, max_size=60),
    st.integers(1, 500),
)
def test_nothing_is_lost_between_bins(steps, step_s):
    times = np.cumsum([step for step, _ in steps])
    milli = np.cumsum([grown for _, grown in steps])
    edges = bins(int(times[0]), int(times[-1]), step_s)
    grown = growths([(0, times, milli)], edges, 0)
    covered = np.interp([edges[0][0], edges[-1][1]], times, milli)
    known = [value for value in grown if not np.isnan(value)]
    if len(known) == len(edges):
        assert sum(known) == pytest.approx(covered[1] - covered[0], rel=1e-9, abs=1e-3)
    assert all(value >= -1e-6 for value in known)
