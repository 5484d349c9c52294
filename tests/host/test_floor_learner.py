"""The noise floor learned from days of windows: noise as the chi-square distribution has it, loads on top."""

from math import exp, pi, sqrt
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fluksometer.domain.power import BLOCK_WINDOWS, DAY_S, HIGHEST_FLOOR_LSB2, WEEKLY_FACTOR, FloorLearner, quiet_level

NORMAL = NormalDist()
SAMPLES = 20_000
DAY = int(DAY_S)


def noise(rng, floor, windows, samples=SAMPLES):
    """Mean squares of windows of white noise: floor x chi-square / samples."""
    return floor * rng.chisquare(samples, windows) / samples


def live(learner, squares, *, begin_s=0.0, samples=SAMPLES, flagged=False):
    """One window a second; how often the floor changed."""
    return sum(
        learner.add(square, samples, at_s=begin_s + second, flagged=flagged)
        for second, square in enumerate(squares.tolist())
    )


def blocks_of(rng, floor, count, samples=SAMPLES):
    """Means of 60 windows of noise, with the scatter of noise."""
    return [(mean, 1.0) for mean in noise(rng, floor, count, samples * BLOCK_WINDOWS).tolist()]


@pytest.mark.parametrize("samples", [4_000, 20_000])
def test_the_lowest_percent_itself_would_be_biased(samples):
    """Why quiet_level doesn't take the quantile as it is."""
    rng = np.random.default_rng(1)
    windows = noise(rng, 1.0, 86_400, samples)
    naive = np.quantile(windows, 0.01) - 1
    expected = NORMAL.inv_cdf(0.01) * sqrt(2 / samples)
    # A quantile's standard error is sqrt(q (1 - q) / n) / density = 0.0127 spreads, 0.5 % of 2.33; the skew of
    # chi-square adds (z^2 - 1) x spread / (3 sqrt(2) / 2) of 2 %: 3 % together.
    assert naive == pytest.approx(expected, rel=0.03)
    assert expected == pytest.approx({4_000: -0.052, 20_000: -0.0233}[samples], rel=0.01)


@pytest.mark.parametrize("samples", [4_000, 20_000])
@pytest.mark.parametrize("quiet_share", [1.0, 0.2, 0.02, 0.0105])
def test_the_level_of_the_quiet_blocks_has_no_bias_however_many_they_are(samples, quiet_share):
    rng = np.random.default_rng(2)
    spread = sqrt(2 / (samples * BLOCK_WINDOWS))
    quiet = round(1440 * quiet_share)
    levels = []
    for _ in range(40):
        loads = [(1.44 + load, 1.0) for load in rng.uniform(0.05, 0.8, 1440 - quiet).tolist()]
        level = quiet_level(blocks_of(rng, 1.44, quiet, samples) + loads, spread)
        assert level is not None
        levels.append(level / 1.44 - 1)
    cut = -exp(-4.5) / sqrt(2 * pi) / NORMAL.cdf(3)  # mean of a normal distribution cut at 3
    assert cut == pytest.approx(-0.0044, abs=1e-4)
    # 40 means of at least 15 blocks: four standard errors.
    assert np.mean(levels) == pytest.approx(cut * spread, abs=4 * spread / sqrt(40 * quiet))
    assert np.abs(levels).max() < 4 * spread / sqrt(quiet) + 0.01 * spread


def test_some_minutes_with_the_clamp_pulled_out_do_not_count():
    rng = np.random.default_rng(3)
    spread = sqrt(2 / (SAMPLES * BLOCK_WINDOWS))
    level = quiet_level(blocks_of(rng, 1.44, 1400) + blocks_of(rng, 0.7, 12), spread)
    assert level == pytest.approx(1.44, rel=4 * spread / sqrt(1400) + 0.01 * spread)


def test_few_blocks_tell_nothing():
    assert quiet_level([], 0.001) is None
    assert quiet_level([(1.44, 1.0)] * 9, 0.001) is None
    assert quiet_level([(1.44, 1.0)] * 10, 0.001) == 1.44
    assert quiet_level([(float(2**n), 1.0) for n in range(50)], 0.001) is None


@pytest.mark.parametrize(("scatter", "level"), [(0.7, None), (1.0, 1.44), (3.9, 1.44), (4.1, None)])
def test_what_scatters_unlike_noise_is_none(scatter, level):
    assert quiet_level([(1.44, scatter)] * 10, 0.001) == level


@given(st.lists(st.floats(1e-6, 1e6), max_size=60), st.floats(1e-5, 0.1))
def test_the_level_is_one_within_the_blocks(means, spread):
    level = quiet_level([(mean, 1.0) for mean in means], spread)
    assert level is None or min(means) * (1 - 1e-15) <= level <= max(means) * (1 + 1e-15)


def test_without_a_value_ten_quiet_minutes_give_the_first():
    rng = np.random.default_rng(4)
    learner = FloorLearner()
    live(learner, 40 + 5 * rng.random(3600))
    live(learner, noise(rng, 1.2, 599), begin_s=3600)
    assert learner.floor is None
    live(learner, noise(rng, 1.2, 1), begin_s=4199)
    # 600 windows of 1 %: four standard errors.
    assert learner.floor == pytest.approx(1.2, rel=4 * 0.01 / sqrt(600))


def test_a_first_value_from_a_small_load_is_put_right_within_the_first_day():
    rng = np.random.default_rng(5)
    learner = FloorLearner()
    live(learner, noise(rng, 1.9, 1800))
    assert learner.floor == pytest.approx(1.9, rel=0.01)
    live(learner, noise(rng, 1.2, DAY - 1800), begin_s=1800)
    assert learner.floor == pytest.approx(1.2, rel=0.001)
    live(learner, noise(rng, 0.9, DAY + 60), begin_s=DAY_S)
    assert learner.floor == pytest.approx(1.2 / WEEKLY_FACTOR ** (1 / 7), rel=0.002)  # bound from now on


def test_weeks_without_windows_give_no_longer_step():
    rng = np.random.default_rng(12)
    learner = FloorLearner(1.44)
    live(learner, noise(rng, 0.9, 600))
    live(learner, noise(rng, 0.9, 60), begin_s=30 * DAY_S)
    assert learner.floor == pytest.approx(1.44 / WEEKLY_FACTOR ** (1 / 7), rel=1e-12)


def test_a_house_that_is_quiet_for_an_hour_a_day():
    """The fridge, the standby, the kitchen; at night an hour of nothing."""
    rng = np.random.default_rng(6)
    learner = FloorLearner(1.3)
    for day in range(5):  # 1.3 to 1.2 takes four steps of 2.6 %; the fifth day closes the fourth
        squares = noise(rng, 1.2, DAY) + np.repeat(rng.uniform(0, 3000, DAY // 300), 300) * rng.normal(1, 0.01, DAY)
        squares[:3600] = noise(rng, 1.2, 3600)
        live(learner, squares, begin_s=day * DAY_S)
    assert learner.floor == pytest.approx(1.2, rel=4 * 0.01 / sqrt(3600))


@pytest.mark.parametrize(("begin", "now"), [(0.8, 2.2), (2.2, 0.8)])
def test_a_week_changes_it_by_a_fifth_at_most(begin, now):
    rng = np.random.default_rng(7)
    learner = FloorLearner(begin)
    history = [begin]
    for block in range(9 * 1440):  # days of windows an hour long would do as well: only time and scatter count
        squares = noise(rng, now, BLOCK_WINDOWS)
        for n, square in enumerate(squares.tolist()):
            learner.add(square, SAMPLES, at_s=60.0 * block + n, flagged=False)
        if block % 1440 == 1439:
            history.append(learner.floor)
    steps = [later / earlier for earlier, later in zip(history, history[7:], strict=False)]
    limit = WEEKLY_FACTOR if now > begin else 1 / WEEKLY_FACTOR
    assert steps == pytest.approx([limit] * 3, rel=1e-3)
    assert all(1 / 1.2001 < step < 1.2001 for step in steps)


def test_flagged_windows_and_loads_change_nothing():
    rng = np.random.default_rng(8)
    for squares, flagged in (
        (noise(rng, 0.9, DAY + 120), True),
        (np.full(DAY + 120, 1.0), False),  # steady: 90 mA of a router has hardly any scatter
        (1 + np.abs(rng.normal(0, 0.5, DAY + 120)), False),  # switching all the time
        (noise(rng, HIGHEST_FLOOR_LSB2 * 1.05, DAY + 120), False),
        (np.zeros(DAY + 120), False),
        (np.full(DAY + 120, np.nan), False),
    ):
        learner = FloorLearner(1.44)
        assert live(learner, squares, flagged=flagged) == 0
        assert learner.floor == 1.44


def test_a_steady_load_as_strong_as_the_noise_is_told_from_it():
    """A sine of mean square A in noise of variance s^2: the mean square scatters by 4 A s^2 / N + 2 s^4 / N."""
    rng = np.random.default_rng(9)
    learner = FloorLearner(0.6)
    load = 0.6 + sqrt(4 * 0.6 * 0.6 / SAMPLES) * rng.standard_normal(DAY + 60)
    assert live(learner, noise(rng, 0.6, DAY + 60) + load) == 0


def test_noise_filtered_to_a_third_of_the_band_is_still_learned():
    rng = np.random.default_rng(10)
    learner = FloorLearner()
    live(learner, noise(rng, 1.2, 1800, samples=SAMPLES // 3))
    # It scatters like a third of the samples, 0.22 % a block: four standard errors of 30 blocks.
    assert learner.floor == pytest.approx(1.2, rel=4 * 0.0022 / sqrt(30))


def test_a_clock_that_goes_back_begins_the_day_anew():
    rng = np.random.default_rng(11)
    learner = FloorLearner(1.44)
    live(learner, noise(rng, 1.2, 600), begin_s=DAY_S)
    assert live(learner, noise(rng, 1.2, 1200)) == 0
    assert live(learner, noise(rng, 1.2, 120), begin_s=DAY_S) == 1


@pytest.mark.parametrize(("floor", "highest"), [(0.0, 2.0), (-1.0, 2.0), (float("nan"), 2.0), (1.0, 0.0)])
def test_a_floor_is_above_zero(floor, highest):
    with pytest.raises(ValueError, match="above zero"):
        FloorLearner(floor, highest=highest)
