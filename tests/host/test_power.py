"""Power, noise and energy against slow, obvious references: waves sampled one by one, and exact fractions."""

from fractions import Fraction
from math import atan, cos, degrees, hypot, isclose, pi, radians, sin, sqrt, tan

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fluksometer.domain import power
from fluksometer.domain.power import EnergyTotal, PairMoments, PairScale

RATES_HZ = [4_000, 20_000]
TOGETHER = {"channel_a": 0, "channel_b": 0, "channels": 1}  # no skew
frequencies = st.floats(45, 65)
rates = st.sampled_from([1_000, 4_000, 20_000, 100_000])
angles = st.floats(-180, 180)


def wave(parts, t_s, frequency_hz):
    """Of ``parts``: order -> complex rms."""
    return sum(
        sqrt(2) * abs(part) * np.cos(2 * pi * order * frequency_hz * t_s + np.angle(part))
        for order, part in parts.items()
    )


def moments(a, b, *, frequency_hz, rate_hz, at=(0, 1), channels=2, noise=0.0, coded=False, seed=0):
    """What the metering core would tell of two waves: 50 cycles in whole samples, channels converted in turn."""
    count = round(50 * rate_hz / frequency_hz)
    rng = np.random.default_rng(seed)
    n = np.arange(-1, count)
    waves = [
        wave(parts, (n + k / channels) / rate_hz, frequency_hz) + noise * rng.standard_normal(count + 1)
        for parts, k in ((a, at[0]), (b, at[1]))
    ]
    if coded:
        waves = [np.clip(np.rint(one), -2048, 2047) for one in waves]
    before, now = waves[0][:-1] - waves[0][1:].mean(), waves[0][1:] - waves[0][1:].mean()
    other = waves[1][1:] - waves[1][1:].mean()
    return PairMoments(
        variance_a=float(np.mean(now**2)),
        variance_b=float(np.mean(other**2)),
        product=float(np.mean(now * other)),
        lagged=float(np.mean(before * other)),
        frequency_hz=frequency_hz,
        rate_hz=rate_hz,
    )


def turned(size, angle_deg):
    """A complex rms."""
    return size * np.exp(1j * radians(angle_deg))


# Angles


@given(angles, angles, frequencies, rates)
def test_the_two_products_tell_the_product_at_any_delay(x_deg, phase_deg, frequency_hz, rate_hz):
    theta = 2 * pi * frequency_hz / rate_hz
    c0, c1 = power.compensation(phase_deg, frequency_hz, rate_hz)
    made = c0 * cos(radians(x_deg)) + c1 * cos(radians(x_deg) - theta)
    # The coefficients are at most 1 / sin(theta) = 353 (45 Hz, 100 kS/s), some roundings of 1.1e-16 each, say ten.
    assert abs(made - cos(radians(x_deg - phase_deg))) < 4e-13


def test_no_delay_is_the_product_and_one_sample_the_lagged_one():
    assert power.compensation(0, 50, 4000) == (1.0, 0.0)
    assert power.compensation(4.5, 50, 4000) == pytest.approx((0.0, 1.0), abs=1e-15)


@given(angles, angles, frequencies, rates)
def test_integer_coefficients_cost_at_most_2_to_minus_14_of_apparent_power(x_deg, phase_deg, frequency_hz, rate_hz):
    theta = 2 * pi * frequency_hz / rate_hz
    c0, c1 = power.compensation_q14(phase_deg, frequency_hz, rate_hz)
    made = (c0 * cos(radians(x_deg)) + c1 * cos(radians(x_deg) - theta)) / 2**14
    assert abs(made - cos(radians(x_deg - phase_deg))) <= 2**-14 + 1e-12  # two halves of 2^-14; rounding of floats
    assert max(abs(c0), abs(c1)) < 1 << 31
    assert power.compensation_q14(-phase_deg, frequency_hz, rate_hz)[1] == -c1


def test_coefficients_made_for_another_frequency_delay_by_its_share():
    c0, c1 = power.compensation_q14(5, 50, 20_000)
    x = radians(60)  # power factor 0.5
    made = (c0 * cos(x + radians(5)) + c1 * cos(x + radians(5) - 2 * pi * 50.5 / 20_000)) / 2**14
    assert made / cos(x - radians(0.05)) == pytest.approx(1, abs=3e-4)  # 2^-14 / 0.5, twice for second order


@pytest.mark.parametrize(
    ("frequency_hz", "rate_hz"), [(0, 4000), (-50, 4000), (50, 100), (50, 0), (float("nan"), 4000)]
)
def test_angles_that_no_two_samples_tell_are_refused(frequency_hz, rate_hz):
    with pytest.raises(ValueError, match="half of the rate"):
        power.compensation(1, frequency_hz, rate_hz)
    with pytest.raises(ValueError, match="half of the rate"):
        power.quadrature(1, 1, frequency_hz=frequency_hz, rate_hz=rate_hz)


def test_an_endless_rate_is_refused():
    with pytest.raises(ValueError, match="half of the rate"):
        power.compensation(1, 50, float("inf"))


def test_rounding_is_symmetric():
    assert [power.rounded(x) for x in (0.5, -0.5, 1.5, -1.5, 0.49999999999999994, 2.4)] == [1, -1, 2, -2, 0, 2]
    assert power.rounded(Fraction(-7, 2)) == -4


@given(st.floats(-1e9, 1e9))
def test_rounding_is_to_the_nearest(x):
    assert abs(Fraction(x) - power.rounded(x)) <= Fraction(1, 2)
    assert power.rounded(-x) == -power.rounded(x)


def test_skew_is_the_time_between_conversions():
    assert power.skew_deg(0, 1, channels=3, frequency_hz=50, rate_hz=20_000) == pytest.approx(0.3)
    assert power.skew_deg(2, 0, channels=3, frequency_hz=50, rate_hz=20_000) == pytest.approx(-0.6)


# One window


@pytest.mark.parametrize("rate_hz", RATES_HZ)
@pytest.mark.parametrize("voltage_is_a", [True, False])
@pytest.mark.parametrize("frequency_hz", [49.5, 50.0, 50.5])
@pytest.mark.parametrize("lead_deg", [0.5, 2.0, 5.0])
def test_power_at_half_power_factor_after_compensation(rate_hz, voltage_is_a, frequency_hz, lead_deg):
    """12-bit codes with 1.2 LSB of noise, three channels in turn; current late and early, towards the load and back."""
    for angle_deg in (60, -60, 120, -120):
        volts, amps = turned(500, 20), turned(350, 20 - angle_deg + lead_deg)
        first, second = (volts, amps) if voltage_is_a else (amps, volts)
        window = moments(
            {1: first},
            {1: second},
            frequency_hz=frequency_hz,
            rate_hz=rate_hz,
            at=(0, 2),
            channels=3,
            noise=1.2,
            coded=True,
        )
        scale = PairScale(
            voltage_is_a=voltage_is_a,
            a_per_lsb=0.5 if voltage_is_a else 0.04,
            b_per_lsb=0.04 if voltage_is_a else 0.5,
            lead_a_deg=0 if voltage_is_a else lead_deg,
            lead_b_deg=lead_deg if voltage_is_a else 0,
            channel_a=0,
            channel_b=2,
            channels=3,
            floor_a=1.2**2 + 1 / 12,
            floor_b=1.2**2 + 1 / 12,
        )
        got = power.electrical(window, scale)
        apparent = 500 * 0.5 * 350 * 0.04
        # At 4 kS/s, of the apparent power: the window misses whole cycles by up to half a sample, 0.5 / 4000 = 1.3e-4;
        # noise of 1.24 LSB on 350 and on 500 over 4000 samples is 6.8e-5 at one sigma (delaying doesn't raise it: the
        # other wave that it is multiplied with is smooth). With three sigmas 3.3e-4; of half the apparent power 6.6e-4.
        # Asked for: 3e-3.
        assert got.active_w == pytest.approx(apparent * cos(radians(angle_deg)), rel=1e-3)
        assert got.reactive_var == pytest.approx(apparent * sin(radians(angle_deg)), rel=1e-3)
        assert got.apparent_va == pytest.approx(apparent, rel=3e-4)
        assert got.power_factor == pytest.approx(cos(radians(angle_deg)), abs=8e-4)
        assert (got.voltage_v, got.current_a) == pytest.approx((250, 14), rel=2e-4)


@pytest.mark.parametrize("voltage_is_a", [True, False])
def test_a_reversed_clamp_has_a_negative_unit(voltage_is_a):
    volts, amps = {1: 500}, {1: turned(350, 180 - 30)}
    first, second = (volts, amps) if voltage_is_a else (amps, volts)
    units = {"a_per_lsb": 0.5, "b_per_lsb": -0.04} if voltage_is_a else {"a_per_lsb": -0.04, "b_per_lsb": 0.5}
    window = moments(first, second, frequency_hz=50, rate_hz=4000, at=(0, 0))
    got = power.electrical(window, PairScale(voltage_is_a=voltage_is_a, **units, **TOGETHER))
    assert got.power_factor == pytest.approx(cos(radians(30)), abs=1e-9)
    assert got.reactive_var == pytest.approx(250 * 14 * 0.5, rel=1e-9)
    assert (got.voltage_v, got.current_a) == pytest.approx((250, 14), rel=1e-9)


@pytest.mark.parametrize("sign", [1, -1])
def test_noise_makes_no_power_factor_above_one(sign):
    seen = {"variance_a": 1e4, "variance_b": 1e4, "product": sign * 1.001e4, "lagged": sign * 1e4}
    scale = PairScale(voltage_is_a=True, a_per_lsb=1, b_per_lsb=1, **TOGETHER)
    assert power.electrical(PairMoments(**seen, frequency_hz=50, rate_hz=4000), scale).power_factor == sign


def rectifier():
    """A current in pulses 5 degrees before the crests, odd orders up to 25, 1 rms."""
    parts = {h: np.exp(-((0.196 * h) ** 2) / 2) * turned(1, 5 * h) for h in range(1, 26, 2)}
    size = sqrt(sum(abs(part) ** 2 for part in parts.values()))
    return {h: part / size for h, part in parts.items()}


def test_the_rectifier_has_a_crest_factor_of_three():
    assert np.abs(wave(rectifier(), np.arange(4000) / 200_000, 50)).max() == pytest.approx(3, abs=0.05)


@pytest.mark.parametrize("rate_hz", RATES_HZ)
@pytest.mark.parametrize("frequency_hz", [49.5, 50.5])
@pytest.mark.parametrize("lead_deg", [0.0, 0.5, 2.0])
def test_power_of_a_rectifier_on_a_distorted_voltage(rate_hz, frequency_hz, lead_deg):
    volts = {1: 1.0, 3: -0.01, 5: 0.025, 7: -0.01}
    amps = rectifier()
    # A clamp leads because its inductance is finite: by atan(R / h w L), less for harmonics.
    leads = {h: degrees(atan(tan(radians(lead_deg)) / h)) for h in amps}
    shown = {h: part * turned(1, leads[h]) for h, part in amps.items()}
    window = moments(volts, shown, frequency_hz=frequency_hz, rate_hz=rate_hz)
    skew = power.skew_deg(0, 1, channels=2, frequency_hz=frequency_hz, rate_hz=rate_hz)
    wiring = {"channel_a": 0, "channel_b": 1, "channels": 2}
    scale = PairScale(voltage_is_a=True, a_per_lsb=1, b_per_lsb=1, lead_b_deg=lead_deg, **wiring)
    got = power.electrical(window, scale)
    true_w = sum((volts[h] * np.conj(amps[h])).real for h in volts)
    # Each harmonic of a is multiplied by c0 + c1 exp(-i h theta) and should be by what its own lead and skew ask for.
    c0, c1 = power.compensation(-lead_deg - skew, frequency_hz, rate_hz)
    theta = 2 * pi * frequency_hz / rate_hz
    off = {h: c0 + c1 * np.exp(-1j * h * theta) - turned(1, leads[h] + h * skew) for h in volts}
    harmonics = sum(abs(volts[h] * amps[h] * off[h]) for h in volts)
    assert harmonics < 0.005  # of 1 VA: what harmonics cost at most, 4 kS/s and 2 degrees
    # And half a sample of whole cycles, times the crest factors of both.
    assert abs(got.active_w - true_w) <= harmonics + 0.5 / 4000 * 3 * sqrt(2)


def test_reactive_power_counts_a_harmonic_about_by_its_order():
    volts, amps = {1: 1.0, 5: 0.025}, {1: turned(1, -30), 5: turned(0.6, -90)}
    window = moments(volts, amps, frequency_hz=50, rate_hz=20_000, at=(0, 0))
    got = power.quadrature(window.product, window.lagged, frequency_hz=50, rate_hz=20_000)
    # sin(5 theta) / sin(theta) at theta = 0.9 degrees is 4.995, of 0.025 x 0.6 all reactive.
    assert got == pytest.approx(0.5 + 4.995 * 0.015, abs=1e-4)


@given(st.floats(0, 1e3), st.floats(0, 1e3), angles, frequencies, rates, angles)
def test_active_and_reactive_power_make_the_apparent_power_of_one_wave(a, b, x_deg, frequency_hz, rate_hz, lead_deg):
    theta = 2 * pi * frequency_hz / rate_hz
    x = radians(x_deg)
    window = PairMoments(
        variance_a=a * a,
        variance_b=b * b,
        product=a * b * cos(x),
        lagged=a * b * cos(x - theta),
        frequency_hz=frequency_hz,
        rate_hz=rate_hz,
    )
    got = power.electrical(
        window, PairScale(voltage_is_a=True, a_per_lsb=1, b_per_lsb=1, lead_a_deg=lead_deg, **TOGETHER)
    )
    # As above, 4e-13 for either; squares of tiny numbers may vanish altogether.
    assert isclose(hypot(got.active_w, got.reactive_var), got.apparent_va, rel_tol=1e-11, abs_tol=1e-150)
    assert got.power_factor is None or abs(got.power_factor) <= 1


def test_without_apparent_power_there_is_no_power_factor():
    window = PairMoments(variance_a=1e6, variance_b=1.0, product=3.0, lagged=3.0, frequency_hz=50, rate_hz=4000)
    got = power.electrical(window, PairScale(voltage_is_a=True, a_per_lsb=1, b_per_lsb=1, **TOGETHER, floor_b=1.2))
    assert got.power_factor is None
    assert got.apparent_va == 0
    assert got.current_a == -sqrt(1.2 - 1.0)


def test_opposite_power_has_exactly_the_opposite_error():
    """10^5 random windows. What the board counts is tested with its meters (test_meters.py)."""
    rng = np.random.default_rng(5)
    rows = rng.uniform(-1, 1, (100_000, 2)) * 10 ** rng.uniform(-2, 6, (100_000, 1))
    delay = rng.uniform(-6, 6, 100_000)
    for (product, lagged), lead in zip(rows.tolist(), delay.tolist(), strict=True):
        scale = PairScale(voltage_is_a=True, a_per_lsb=0.19, b_per_lsb=0.0403, lead_a_deg=lead, **TOGETHER)
        window = {"variance_a": 1e6, "variance_b": 1e6, "frequency_hz": 50.02, "rate_hz": 20_000}
        one = power.electrical(PairMoments(product=product, lagged=lagged, **window), scale)
        other = power.electrical(PairMoments(product=-product, lagged=-lagged, **window), scale)
        assert (one.active_w, one.reactive_var, one.power_factor) == (
            -other.active_w,
            -other.reactive_var,
            -other.power_factor,
        )


# Noise


@given(st.floats(-1e6, 1e6))
def test_signed_rms_keeps_the_sign(difference):
    root = power.signed_rms(difference)
    assert isclose(root * abs(root), difference, rel_tol=1e-15, abs_tol=1e-300)
    assert power.signed_rms(-difference) == -root


def test_standard_error_is_what_noise_does():
    rng = np.random.default_rng(2)
    squares = (1.2 * rng.standard_normal((4000, 1000))).var(axis=1)
    # The standard deviation of 4000 values is known to 1 / sqrt(2 x 4000) = 1.1 %: four of those.
    assert squares.std() == pytest.approx(power.standard_error(1.44, 1000), rel=0.045)
    assert power.floor_subtracted(squares.mean(), 1.44) == pytest.approx(0, abs=4 * 1.44 * sqrt(2 / 1000 / 4000))


def test_signed_roots_average_to_nothing_and_cut_ones_do_not():
    rng = np.random.default_rng(3)
    squares = 1.44 * rng.chisquare(4000, 20_000) / 4000
    roots = [power.signed_rms(power.floor_subtracted(square, 1.44)) for square in squares.tolist()]
    # A root of a 0.032 LSB^2 standard error is about 0.18 LSB; the mean of 20000 is 0.0012 at one sigma.
    assert abs(np.mean(roots)) < 0.005
    assert np.mean(np.maximum(roots, 0)) > 0.06


def test_zero_is_shown_below_three_standard_errors():
    error = power.standard_error(1.44, 4000)
    assert power.shown_rms(2.99 * error, 1.44, 4000) == 0
    assert power.shown_rms(-1.0, 1.44, 4000) == 0
    assert power.shown_rms(3.01 * error, 1.44, 4000) == sqrt(3.01 * error)
    assert power.shown_rms(-1.0, 0.0, 4000) == 0


# Energy


@given(st.lists(st.fractions(-(10**4), 10**4, max_denominator=1000), max_size=50))
def test_a_total_without_direction_pays_its_debt_first(amounts):
    total = EnergyTotal()
    highest = balance = Fraction(0)
    for amount in amounts:
        total.add(amount)
        balance += amount
        highest = max(highest, balance)
        assert total.uwh == highest // 1
        assert total.uwh + total.rest_uwh == balance


def test_a_debt_is_a_watt_hour_at_most():
    total = EnergyTotal(7)
    total.add(Fraction(-5_000_000_000))
    total.add(Fraction(1_000_000))
    assert (total.uwh, total.rest_uwh) == (7, 0)
    total.add(Fraction(5, 2))
    assert (total.uwh, total.rest_uwh) == (9, Fraction(1, 2))


def test_a_year_of_noise_is_a_few_watt_hours():
    """1 W of signed noise each second (280 uWh), in steps of an hour; cut at zero it would be 3.5 kWh."""
    total = EnergyTotal()
    for hour in np.random.default_rng(6).normal(0, 278 * 60, 8766).tolist():
        total.add(Fraction(hour))
    # A sum that is held above -1 Wh rises like the highest point of a random walk: 1.6 Wh x sqrt(2 / pi) and some.
    assert total.uwh < 4 * 1_560_000


def test_the_rest_stays_short():
    """Floats have powers of two below, durations the rate: the exact rest can't grow without end."""
    total = EnergyTotal()
    rng = np.random.default_rng(4)
    for power_w in (rng.standard_normal(5000) * 10.0 ** rng.integers(-12, 6, 5000)).tolist():
        total.add(Fraction(power_w) * Fraction(19_991, 20_000) * Fraction(2500, 9))
    # 1e-12 is 2^-40, with 52 bits below it 2^-92 or so; and 9 x 20000 from the hour and the rate.
    assert total.rest_uwh.denominator < 2**120 * 180_000


def test_a_total_that_would_exceed_64_bits_stays_as_it_was():
    total = EnergyTotal(power.INT64_MAX - 1, Fraction(1, 2))
    with pytest.raises(OverflowError, match="64 bits"):
        total.add(Fraction(2))
    assert (total.uwh, total.rest_uwh) == (power.INT64_MAX - 1, Fraction(1, 2))
