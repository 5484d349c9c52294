"""Three phases: the closed form against the sum of the loads themselves, as complex numbers and as sampled waves."""

from math import isnan, radians, sin, sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fluksometer.domain import phases, power

PAIRS = np.exp(2j * np.pi * np.arange(3) / 3)  # directions of three resistive loads' currents
A_PER_LSB = 0.0403  # 50 A clamp
load_a = st.floats(0, 1e3).map(lambda load: 0.0 if load < 1e-3 else load)
squares = st.floats(-1e4, 1e6).map(lambda square: 0.0 if abs(square) < 1e-12 else square)


def line_currents(pair_currents):
    """Each line's current is the difference of two loads'."""
    return np.stack([pair_currents[..., k] - pair_currents[..., k - 1] for k in range(3)], axis=-1)


def random_mixes(rng, count):
    """Loads of 0..3 kW between each pair of lines, each on half of the time, 1 kW at least in all; in A."""
    loads = rng.random((2 * count, 3)) * 3000 * (rng.random((2 * count, 3)) < 0.5)
    return loads[loads.sum(axis=1) >= 1000][:count] / 230


def relative(got, loads):
    return np.array(got) / (230 * loads.sum(axis=1)) - 1


def from_two(first, second):
    """Total watts from complex currents in two lines."""
    x, y, p = np.abs(first) ** 2, np.abs(second) ** 2, (first * np.conj(second)).real
    return [
        phases.without_neutral_w([a, b, phases.third_mean_square(a, b, c)], 230)
        for a, b, c in zip(x.tolist(), y.tolist(), p.tolist(), strict=True)
    ]


# The closed form


@given(load_a, load_a, load_a)
def test_resistive_loads_add_up_whatever_their_mix(one, two, three):
    lines = np.abs(line_currents(np.array([one, two, three]) * PAIRS)) ** 2
    # Heron in Kahan's order is good to some roundings of the sides; where the triangle is flat, sides that are off by
    # 2^-53 make an area of 2^-26.5 of their square: 2e-8.
    assert phases.without_neutral_w(lines.tolist(), 230) == pytest.approx(230 * (one + two + three), rel=4e-8)


def test_two_clamps_on_a_hundred_thousand_mixes():
    """With 1.2 LSB of noise in windows of 20000 samples, floors subtracted; without noise it is exact."""
    rng = np.random.default_rng(1)
    loads = random_mixes(rng, 100_000)
    lines = line_currents(loads * PAIRS)
    assert np.abs(relative(from_two(lines[:20_000, 0], lines[:20_000, 1]), loads[:20_000])).max() < 4e-8
    # The noise of a window: what of it looks like the fundamental (2 of N dimensions), and the rest.
    noise_a, samples = 1.2 * A_PER_LSB, 20_000
    seen = lines[:, :2] + noise_a / sqrt(samples) * (
        rng.standard_normal((100_000, 4)) @ np.kron(np.eye(2), [[1], [1j]])
    )
    rest = noise_a**2 * (rng.chisquare(samples - 2, (100_000, 2)) / samples - 1)
    x, y = (np.abs(seen) ** 2 + rest).T
    p = (seen[:, 0] * np.conj(seen[:, 1])).real + noise_a**2 / sqrt(samples) * rng.standard_normal(100_000)
    got = [
        phases.without_neutral_w([a, b, phases.third_mean_square(a, b, c)], 230)
        for a, b, c in zip(x.tolist(), y.tolist(), p.tolist(), strict=True)
    ]
    # Worst is a single load between the clamped lines: the third current's square is noise, sqrt(4) x 1.44 x sqrt(2 /
    # N) at one sigma, and the power off by sqrt(3) / 2 x its root / current: 0.35 % for 4 sigmas at 1 kW (4.3 A).
    assert np.abs(relative(got, loads)).max() < 0.004  # asked for: 0.01; it is 0.0025


@pytest.mark.parametrize(("clamps", "rms", "most"), [(2, 0.0083, 0.045), (3, 0.0075, 0.065)])
def test_one_percent_of_random_clamp_error(clamps, rms, most):
    rng = np.random.default_rng(2)
    loads = random_mixes(rng, 50_000)
    lines = line_currents(loads * PAIRS) * (1 + 0.01 * rng.standard_normal(loads.shape))
    if clamps == 2:
        got = from_two(lines[:, 0], lines[:, 1])
    else:
        got = [phases.without_neutral_w(one, 230) for one in (np.abs(lines) ** 2).tolist()]
    error = relative(got, loads)
    assert np.sqrt(np.mean(error**2)) == pytest.approx(rms, rel=0.05)
    assert np.abs(error).max() < most


@pytest.mark.parametrize(
    ("lowest", "mean", "most"), [(0.98, 0.0098, 0.0205), (0.95, 0.0251, 0.0527), (0.9, 0.0521, 0.1112)]
)
def test_lower_power_factors_read_high(lowest, mean, most):
    """Each load's own, from ``lowest`` to 1, all late; the most is 1 / lowest - 1."""
    rng = np.random.default_rng(3)
    loads = random_mixes(rng, 50_000)
    factors = rng.uniform(lowest, 1, loads.shape)
    lines = line_currents(loads / factors * np.exp(-1j * np.arccos(factors)) * PAIRS)
    error = relative(from_two(lines[:, 0], lines[:, 1]), loads)
    assert error.mean() == pytest.approx(mean, rel=0.05)
    assert error.min() > -1e-6
    assert error.max() < most


def by_rule(rule, lines):
    """Watts that the rule makes of rms line currents: some of them, each times its volts (ApparentMeter does the same)."""
    clamps, voltage_v = phases.MANUAL_RULES[rule]
    return lines[:, :clamps].sum(axis=1) * voltage_v


def test_the_manuals_rules():
    rng = np.random.default_rng(4)
    loads = random_mixes(rng, 50_000)
    lines = np.abs(line_currents(loads * PAIRS))
    two = relative(by_rule("two-clamp", lines), loads)
    three = relative(by_rule("three-clamp", lines), loads)
    assert (two.mean(), two.max()) == pytest.approx((0.276, 1.0), abs=0.005)
    assert (three.mean(), three.max()) == pytest.approx((0.107, 0.1565), abs=0.002)
    even = np.abs(line_currents(np.array([[10, 10, 10]]) * PAIRS))
    # The manual's own figures: 460 W instead of 400 W an ampere, 15 % high; right within its 133 V instead of 230 /
    # sqrt(3).
    assert by_rule("two-clamp", even) == pytest.approx(6900 * 2 / sqrt(3))
    assert by_rule("three-clamp", even) == pytest.approx(6900, rel=0.002)


def test_an_angle_left_between_the_clamps_is_seen_as_current():
    one = np.array([10.0])
    got = from_two(one, -one * np.exp(1j * radians(1)))[0] / 2300 - 1
    assert got == pytest.approx(sqrt(3) / 2 * sin(radians(1)), rel=0.01)
    assert got == pytest.approx(0.015, abs=2e-4)


@given(squares, squares, squares, st.permutations([0, 1, 2]), st.integers(-20, 20))
def test_any_numbers_any_order_any_scale(first, second, third, order, power_of_two):
    given_squares = [first, second, third]
    total = phases.without_neutral_w(given_squares, 230)
    assert not isnan(total)
    assert phases.without_neutral_w([given_squares[k] for k in order], 230) == total
    scaled = [4.0**power_of_two * square for square in given_squares]
    assert phases.without_neutral_w(scaled, 230) == 2.0**power_of_two * total


@given(st.floats(0, 1e4), st.floats(0, 1e4), st.floats(0, 1e4))
def test_sides_of_no_triangle_have_no_area(one, two, beyond):
    sides = np.array([one, two, one + two + beyond])
    total = phases.without_neutral_w((sides**2).tolist(), 1)
    assert total**2 == pytest.approx((sides**2).sum() / 2, rel=1e-7)


def test_no_current_is_no_power_and_noise_has_a_sign():
    assert phases.without_neutral_w([0, 0, 0], 230) == 0
    assert phases.without_neutral_w([-0.02, -0.01, 0.01], 230) == pytest.approx(-23)
    assert phases.third_mean_square(4.0, 4.0, -4.0) == 0


@pytest.mark.parametrize("rate_hz", [4_000, 20_000])
@pytest.mark.parametrize("frequency_hz", [49.5, 50.5])
def test_two_clamps_from_waves_converted_in_turn(rate_hz, frequency_hz):
    """One second of samples with noise; the clamps lead by 2 and by 3.5 degrees, the second is converted later."""
    rng = np.random.default_rng(5)
    count = round(round(frequency_hz) * rate_hz / frequency_hz)
    t_s = np.arange(-1, count) / rate_hz
    for loads in ([8, 0, 0], [0, 8, 0], [0, 0, 8], [5, 5, 5], [10, 2, 0]):
        lines = line_currents(np.array(loads) * PAIRS)
        first, second = (
            sqrt(2) * np.abs(line) * np.cos(2 * np.pi * frequency_hz * (t_s + late) + np.angle(line) + radians(lead))
            + 1.2 * A_PER_LSB * rng.standard_normal(count + 1)
            for line, late, lead in ((lines[0], 0, 2), (lines[1], 0.5 / rate_hz, 3.5))
        )
        skew = power.skew_deg(0, 1, channels=2, frequency_hz=frequency_hz, rate_hz=rate_hz)
        delay = power.delay_deg(lead_a_deg=2, lead_b_deg=3.5, skew_deg=skew)
        c0, c1 = power.compensation(delay, frequency_hz, rate_hz)
        product = c0 * np.mean(first[1:] * second[1:]) + c1 * np.mean(first[:-1] * second[1:])
        floor = (1.2 * A_PER_LSB) ** 2
        x, y = first[1:].var() - floor, second[1:].var() - floor
        got = phases.without_neutral_w([x, y, phases.third_mean_square(x, y, product)], 230)
        # Where the load is between the clamped lines, what is left of the third current's square at 4 kS/s: noise of
        # 0.064 LSB^2 = 1e-4 A^2; sqrt(3) / 2 x 0.01 A / 8 A = 0.11 % at one sigma, four of them. Elsewhere less.
        assert got == pytest.approx(230 * sum(loads), rel=0.0045)


# Modes


@pytest.mark.parametrize("mode", phases.PHASE_MODES)
def test_a_mode_says_how_many_clamps_it_needs(mode):
    fits = [clamps for clamps in range(5) if phases.clamps_fault(mode, clamps) is None]
    assert fits == {"1p": [1, 2, 3], "3p+n": [3], "3p-n": [2, 3]}[mode]


def test_what_is_wrong_with_the_number_of_clamps():
    assert phases.clamps_fault("3p-n", 1) == "3p-n needs 2 or 3 clamps, not 1"
    assert phases.clamps_fault("3p+n", 2) == "3p+n needs 3 clamps, not 2"
