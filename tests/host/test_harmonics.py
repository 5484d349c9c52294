"""Harmonics of known waves, as they are and through the measured converters."""

from dataclasses import astuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accuracy_waves import (
    DATE,
    DIMMER,
    RANGE_LSB,
    RECTIFIER,
    RP2040,
    RP2350,
    SINE,
    SQUARE,
    default_without,
    ideal_values,
    table_of,
    wave,
)
from fluksometer.domain.harmonics import ORDERS, harmonics
from fluksometer.domain.linearity import CODES, default_table, lsb_of
from fluksometer.domain.linearity_fit import fit
from fluksometer.domain.mains_wave import UnfitCapture
from house.converter import convert, lower_edges

NOISE_LSB = 1.2
STEPS_LSB = 12**-0.5
"""rms of rounding to codes."""
FREQUENCIES_HZ = (49.5, 49.9137, 50.0, 50.0862, 50.5, 60.0)
SHAPES = {"sine": SINE, "square": SQUARE, "rectifier": RECTIFIER, "dimmer": DIMMER}


def capture(
    shape, peak_lsb, *, rate_hz=20_000, seconds=0.2, frequency_hz=50.0, start_rad=0.3, noise_lsb=NOISE_LSB, seed=1
):
    t_s = np.arange(round(seconds * rate_hz)) / rate_hz
    noise = np.random.default_rng(seed).normal(0, noise_lsb, len(t_s)) if noise_lsb else 0.0
    return 2048 + wave(shape, peak_lsb, t_s, frequency_hz, start_rad) + noise


def parts(found):
    """Orders 2 to 15 as parts of the fundamental."""
    return np.array(found.order_rms_lsb[1:], dtype=float) / found.order_rms_lsb[0]


def true_parts(shape):
    return np.array([shape.get(order, (0.0, 0.0))[0] for order in range(2, ORDERS + 1)])


def error_of_part(peak_lsb, found, rate_hz):
    """Standard error: white noise of s in N samples moves sine and cosine of each order by s / sqrt(N) rms."""
    samples = found.cycles * rate_hz / found.frequency_hz
    return np.hypot(NOISE_LSB, STEPS_LSB) / np.sqrt(samples) / (peak_lsb / np.sqrt(2))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("rate_hz", [20_000, 4000])
def test_without_noise_all_is_exact(shape, rate_hz):
    """The shapes hold no order that is not modelled, so only the settling of the frequency remains (1e-9 and better)."""
    shape = SHAPES[shape]
    for frequency_hz in (
        FREQUENCIES_HZ if rate_hz == 20_000 else FREQUENCIES_HZ[:-1]
    ):  # 39 x 60 Hz does not fit in 4 kHz
        for seconds in (0.05, 0.2, 0.25):
            given = capture(shape, 351, rate_hz=rate_hz, seconds=seconds, frequency_hz=frequency_hz, noise_lsb=0)
            found = harmonics(given, rate_hz)
            assert found.frequency_hz == pytest.approx(frequency_hz, abs=1e-6)
            assert found.cycles == int((len(given) + 0.5) * frequency_hz / rate_hz)
            assert found.dc_lsb == pytest.approx(2048, abs=1e-6)
            assert found.noise_lsb < 1e-6
            assert found.order_rms_lsb[0] == pytest.approx(351 / 2**0.5, rel=1e-7)
            assert parts(found) == pytest.approx(true_parts(shape), abs=1e-7)
            assert found.thd == pytest.approx(float(np.linalg.norm(true_parts(shape))), abs=1e-7)
            turns = 2 * np.pi * round((found.start_rad - 0.3) / 2 / np.pi)
            assert found.start_rad - turns == pytest.approx(0.3, abs=1e-6)
            for order, phase in enumerate(found.order_phase_rad, 1):
                if order in shape:
                    assert abs(np.exp(1j * (phase - shape[order][1])) - 1) < 1e-5


@pytest.mark.parametrize("shape", SHAPES)
def test_rms_and_crest(shape):
    """Without noise but not in step with the mains: rms over whole cycles to half a sample of 400 in the worst case (0.12 % of
    power in 10 cycles); the crest lies between samples (an order 39 crest is 8 samples wide) and the mean cycle blunts it."""
    cycle = wave(SHAPES[shape], 351, np.arange(4000) / 4000, 1)
    found = harmonics(capture(SHAPES[shape], 351, frequency_hz=50.0862, noise_lsb=0), 20_000)
    assert found.rms_lsb == pytest.approx(cycle.std(), rel=1e-3)
    assert found.crest_factor == pytest.approx(np.abs(cycle).max() / cycle.std(), rel=0.015)
    noisy = harmonics(capture(SHAPES[shape], 351, frequency_hz=50.0862), 20_000)
    assert noisy.crest_factor == pytest.approx(found.crest_factor, abs=5 * NOISE_LSB / 3 / found.rms_lsb)  # of 9 cycles


def test_the_crest_factors_of_known_waves():
    """The textbook's: root of 2, 1 (here without orders above 15), 3 by construction; noise adds a little."""
    assert harmonics(capture(SINE, 351), 20_000).crest_factor == pytest.approx(2**0.5, rel=0.01)
    assert harmonics(capture(RECTIFIER, 351), 20_000).crest_factor == pytest.approx(3, rel=0.02)
    assert harmonics(500 * np.sign(capture(SINE, 1, noise_lsb=0) - 2048), 20_000).crest_factor == pytest.approx(
        1, rel=0.01
    )


def test_thd_of_a_square_wave():
    """Endless orders: sqrt(pi^2 / 8 - 1) = 48.3 %; up to 15 it is 45.0 %. Jumps fall on samples: 400 a cycle tell an order to
    (15 / 400)^2 of it."""
    given = 500 * np.sign(np.sin(2 * np.pi * 50 * (np.arange(4000) + 0.5) / 20_000))
    found = harmonics(given, 20_000)
    assert found.thd == pytest.approx(float(np.linalg.norm(true_parts(SQUARE))), rel=2e-3)
    assert parts(found) == pytest.approx(true_parts(SQUARE), abs=1e-3)


def test_noise_scatters_as_it_must():
    """Over 60 captures: the frequency by sqrt(24) s / (A N^1.5) rad per sample (the bound of Cramer and Rao for a sine), known
    to 1 / sqrt(120) = 9 %; an order that is not there has 2 s^2 / N mean square, known to 1 / sqrt(60) = 13 %; 4 sigma."""
    found = [harmonics(capture(SINE, 351, noise_lsb=1.2, seed=seed), 20_000) for seed in range(60)]
    bound_hz = 24**0.5 * NOISE_LSB / (351 * 4000**1.5) * 20_000 / (2 * np.pi)
    assert np.std([one.frequency_hz for one in found]) == pytest.approx(bound_hz, rel=0.37)
    squares = np.mean([one.order_rms_lsb[6] ** 2 for one in found])
    assert squares == pytest.approx(2 * NOISE_LSB**2 / 4000, rel=0.52)
    assert all(one.noise_lsb == pytest.approx(NOISE_LSB, rel=4 / 8000**0.5) for one in found)


# Through the measured converters


def through(curve, values, shape, percent, rate_hz, frequency_hz, seed=1):
    """Harmonics as a board with this curve, read with these values of codes, tells them; the bias stands 7 LSB off."""
    peak_lsb = percent / 100 * RANGE_LSB
    pin = 7 + capture(shape, peak_lsb, rate_hz=rate_hz, frequency_hz=frequency_hz, start_rad=seed, seed=seed)
    return harmonics(values[convert(lower_edges(curve), pin)], rate_hz)


def worst_percent(curve, values, rate_hz, percent=20, shapes=(SINE, SQUARE)):
    """The largest error of orders 2 to 15, in percent of the fundamental, and of THD."""
    errors = [
        (np.abs(parts(found) - true_parts(shape)).max() * 100, abs(found.thd - np.linalg.norm(true_parts(shape))) * 100)
        for shape in shapes
        for seed, frequency_hz in enumerate(FREQUENCIES_HZ)
        for found in [through(curve, values, shape, percent, rate_hz, frequency_hz, seed)]
    ]
    return tuple(float(one) for one in np.max(errors, axis=0))


def own_values(curve):
    """The table that the converter's own edges make, as it stands in a file."""
    return table_of(ideal_values(curve)).corrected()


@pytest.mark.parametrize("rate_hz", [20_000, 4000])
@pytest.mark.parametrize("curve", RP2040 + RP2350)
def test_with_its_own_table_noise_is_all_that_remains(curve, rate_hz):
    """At a fifth of the range. 4.5 standard errors: 1.23 / sqrt(3500) / 248 = 0.0084 % of the fundamental at 20 kS/s, 0.019 % at
    4 kS/s; 0.01 % for what a table of whole codes can't mend. The goal is 1 %."""
    found = through(curve, own_values(curve), SINE, 20, rate_hz, 49.5)
    limit_percent = 4.5 * error_of_part(RANGE_LSB / 5, found, rate_hz) * 100 + 0.01
    assert limit_percent < 0.1
    assert worst_percent(curve, own_values(curve), rate_hz)[0] <= limit_percent


def test_a_table_derived_from_a_sine_does_as_well():
    """57 readings tell a code to 0.16 LSB; spread over the 700 codes of the wave this is 0.006 LSB of an order. Smooth bends are
    known to 0.05 LSB or so, 0.02 % of 248 LSB; with 4.5 standard errors of noise 0.06 %."""
    curve = "rp2350-c"  # without a table the worst
    t_s = np.arange(15 * 20_000) / 20_000
    pin = 2048 + wave(SINE, 0.95 * RANGE_LSB, t_s, 49.97) + np.random.default_rng(3).normal(0, NOISE_LSB, len(t_s))
    table = fit(convert(lower_edges(curve), pin), 20_000, default_without(curve), date=DATE).table
    assert worst_percent(curve, table.corrected(), 20_000)[0] <= 0.06


@pytest.mark.parametrize("rate_hz", [20_000, 4000])
def test_without_its_own_table_every_order_is_within_one_percent(rate_hz, record_property):
    """The figures of docs/harmonics.md."""
    for curve in RP2040 + RP2350:
        for name, table in (("none", None), ("default", default_without(curve))):
            errors = worst_percent(curve, lsb_of(np.arange(CODES, dtype=np.uint16), table), rate_hz)
            record_property(f"{curve} {name}", errors)
            print(f"{curve}, {rate_hz} Hz, {name} table: order {errors[0]:.3f} %, THD {errors[1]:.3f} %")
            assert max(errors) <= 1


@pytest.mark.parametrize("shape", [RECTIFIER, DIMMER])
def test_loads_through_a_converter(shape):
    """As a sine, with phases: those of an order scatter by its standard error over its size, and by order x the fundamental's."""
    curve, rate_hz, peak_lsb = "rp2040-c", 20_000, RANGE_LSB / 5
    for seed, frequency_hz in enumerate(FREQUENCIES_HZ):
        found = through(curve, own_values(curve), shape, 20, rate_hz, frequency_hz, seed)
        error = error_of_part(peak_lsb, found, rate_hz)
        assert parts(found) == pytest.approx(true_parts(shape), abs=4.5 * error + 1e-4)
        for order, phase in list(enumerate(found.order_phase_rad, 1))[2::2]:
            part, ahead = shape[order]
            if part > 100 * error:
                assert abs(np.exp(1j * (phase - ahead)) - 1) < 4.5 * (error / part + order * error) + 1e-4 / part


# Mixes of orders


@settings(deadline=None, max_examples=60)
@given(
    mix=st.dictionaries(
        st.integers(2, ORDERS), st.tuples(st.floats(0, 0.6), st.floats(-3.1, 3.1)), max_size=ORDERS - 1
    ),
    frequency_hz=st.floats(45.1, 64.9),
    cycles=st.floats(2.5, 12),
    rate_hz=st.sampled_from([2100, 4000, 9600, 20_000]),
    start_rad=st.floats(0, 6.28),
    peak_lsb=st.floats(5, 1500),
)
def test_any_mix_of_orders_is_told(mix, frequency_hz, cycles, rate_hz, start_rad, peak_lsb):
    shape = SINE | mix
    t_s = np.arange(int(cycles * rate_hz / frequency_hz) + 1) / rate_hz
    found = harmonics(wave(shape, peak_lsb, t_s, frequency_hz, start_rad), rate_hz)
    assert found.frequency_hz == pytest.approx(frequency_hz, abs=1e-4)
    assert parts(found) == pytest.approx(true_parts(shape), abs=1e-5)
    for order, (part, ahead) in mix.items():
        if part > 0.01:
            assert abs(np.exp(1j * (found.order_phase_rad[order - 1] - ahead)) - 1) < 1e-2


@settings(deadline=None, max_examples=30)
@given(
    values=st.lists(st.floats(allow_nan=True, width=32), max_size=60), rate_hz=st.sampled_from([-1, 0, 200, 1000, 4000])
)
def test_anything_else_is_refused_or_finite(values, rate_hz):
    try:
        found = harmonics(np.array(values, dtype=float), rate_hz)
    except UnfitCapture as error:
        assert len(str(error)) < 200
    else:
        flat = [one for group in astuple(found) for one in (group if isinstance(group, tuple) else [group])]
        assert np.isfinite([one for one in flat if one is not None]).all()


# What can't be told


def test_orders_above_half_the_rate_are_not_there():
    for rate_hz, told in ((1000, 9), (1400, 13), (1600, 15), (400, 3)):
        found = harmonics(capture(SINE, 351, rate_hz=rate_hz, frequency_hz=49.9), rate_hz)
        assert [rms is not None for rms in found.order_rms_lsb] == [True] * told + [False] * (15 - told)
        assert found.order_phase_rad[told:] == (None,) * (15 - told)
        assert found.thd < 0.01


def test_an_order_lost_in_noise_has_no_phase():
    found = harmonics(capture(SINE | {3: (0.01, 1.0)}, 351), 20_000)
    assert found.order_phase_rad[0] == 0
    assert found.order_phase_rad[2] == pytest.approx(1.0, abs=0.04)  # 0.02 LSB rms beside 2.5
    assert sum(phase is None for phase in found.order_phase_rad) >= 11  # one in ninety is beyond three standard errors


SECOND = np.arange(4000) / 20_000
NOISE = np.random.default_rng(2).normal(0, NOISE_LSB, 4000)
REFUSED = {
    "nothing": (np.zeros(0), "0 samples are less than a cycle"),
    "half a cycle": (capture(SINE, 351)[:200], "less than a cycle"),
    "not two cycles": (capture(SINE, 351)[:799], "less than 2 cycles"),
    "more than a second": (np.tile(capture(SINE, 351), 6), "take a part"),
    "two columns": (capture(SINE, 351).reshape(-1, 2), "finite samples of one input"),
    "not numbers": (np.full(4000, np.nan), "finite samples of one input"),
    "endless": (np.where(NOISE > 3, np.inf, NOISE), "finite samples of one input"),
    "dead": (np.full(4000, 2048.0), "silence"),
    "noise": (2048 + NOISE, "silence"),
    "a current below the limit": (capture(SINE, 2.4), "too small"),
    "much noise": (2048 + 300 * NOISE, "no steady wave"),
    "small beside its noise": (
        capture(SINE, 20, rate_hz=4000, seconds=0.045, noise_lsb=9)[:180],
        "too small|no steady",
    ),
    "a tone": (2048 + 500 * np.sin(2 * np.pi * 400 * SECOND), "no steady wave"),
    "twice the mains": (2048 + 500 * np.sin(2 * np.pi * 100 * SECOND), "no steady wave|too small"),
    "the railway's": (2048 + 500 * np.sin(2 * np.pi * 16.7 * SECOND), "no "),
    "an aeroplane's neighbour": (2048 + 500 * np.sin(2 * np.pi * 44.8 * SECOND), "no wave of 45 to 65 Hz"),
    "switched on": (np.where(SECOND > 0.1, capture(SINE, 351), 2048.0), "no steady wave"),
    "a step": (2048 + 500.0 * (SECOND > 0.1), "no "),
    "a spike": (2048 + 1000.0 * (SECOND == 0.1), "no "),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_can_not_be_told_is_refused(what):
    values, why = REFUSED[what]
    rate_hz = 4000 if len(values) == 180 else 20_000
    with pytest.raises(UnfitCapture, match=why):
        harmonics(values, rate_hz)


def test_a_given_frequency_is_where_it_searches():
    given = capture(SINE, 351, frequency_hz=50.3)
    assert harmonics(given, 20_000, 50.0).frequency_hz == pytest.approx(50.3, abs=2e-3)
    for elsewhere in (60.0, 48.0):
        with pytest.raises(UnfitCapture, match=r"no (steady )?wave"):
            harmonics(given, 20_000, elsewhere)
    for absurd in (0.0, 44.0, 1e9, float("nan"), float("inf")):
        with pytest.raises(UnfitCapture, match="no frequency of the mains"):
            harmonics(given, 20_000, absurd)
    for rate_hz in (0, -5, 150, float("nan"), float("inf")):
        with pytest.raises(UnfitCapture, match="samples a second"):
            harmonics(given, rate_hz)


def test_a_clipped_wave_is_told_as_it_is():
    """A sine cut at 0.72 of its peak: 3rd order by its Fourier integral, theta = asin 0.72."""
    given = np.clip(capture(SINE, 2844, noise_lsb=0), 0, 4095.5)
    cut = 2047.5 / 2844
    theta = np.arcsin(cut)
    first = (2 * theta + 2 * cut * np.cos(theta)) / np.pi
    third = (4 * (np.sin(2 * theta) / 4 - np.sin(4 * theta) / 8) + 4 * cut * np.cos(3 * theta) / 3) / np.pi
    assert harmonics(given, 20_000).order_rms_lsb[2] / harmonics(given, 20_000).order_rms_lsb[0] == pytest.approx(
        abs(third / first), rel=0.01
    )


def test_the_shipped_default_table_serves_its_chip():
    found = through("rp2040-a", default_table("rp2040").corrected(), SQUARE, 20, 20_000, 50.0)
    assert parts(found) == pytest.approx(true_parts(SQUARE), abs=0.01)
