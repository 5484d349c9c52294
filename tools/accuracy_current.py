"""Current, noise without a load, and frequency, as windows of the metering core tell them."""

from collections.abc import Iterator, Sequence

import numpy as np

from accuracy_waves import (
    A_PER_LSB,
    BIASES_LSB,
    RANGE_LSB,
    RATE_HZ,
    RP2040,
    SINE,
    Figure,
    floor_lsb2,
    own_steps,
    read,
    rms_lsb,
    run,
    tables,
    times,
    wave,
)
from fluksometer.domain.arrays import Values
from fluksometer.domain.power import FloorLearner, shown_rms
from fluksometer.domain.units import mean_square_lsb2
from fluksometer.metering import Steps, Window

NOISE_LSB = 0.8
LOUD_LSB = 1.2
"""Noise of the busiest board: 0.97 to 1.36 LSB were measured, quantization included."""

# Current

PERCENTS = (
    1,
    5,
    *range(10, 28, 2),
    28,
    28.5,
    29,
    29.5,
    30,
    *range(32, 50, 3),
    50,
    *range(53, 86, 3),
    86,
    87,
    88,
    91,
    95,
)
"""Of the range; dense where the crest of the wave meets a wide code of an RP2040 (29 and 88 %)."""
FREQUENCY_HZ = 49.97
"""Not in step with the sampling: real mains never is for long, and a wave in step meets few codes."""


def windows_at(percent: float) -> int:
    """Seconds that are averaged, so that luck is small beside the limits.

    White noise of s = 0.85 LSB (with the steps of codes) in N samples moves the rms R of a wave by s / sqrt(N): at 1 % of
    range (R = 12.4 LSB) 0.048 % a window, 0.017 % of 8; at 5 % 0.007 % of 2; from 10 % on 0.005 % and less.
    """
    return 8 if percent <= 1 else 2 if percent <= 5 else 1


def current_errors(curve: str, biases_lsb: Sequence[float], seed: int = 1) -> dict[str, dict[float, float]]:
    """Table to percent of range to the worst error in %, relative to the same board's gain at 50 % of range."""
    known = tables(curve)
    worst: dict[str, dict[float, float]] = {name: dict.fromkeys(PERCENTS, 0.0) for name in known}
    for bias_lsb in biases_lsb:
        gains = _gains(curve, known, bias_lsb, seed)
        for name, gain in gains.items():
            for percent in PERCENTS:
                error = abs(gain[percent] / gain[50] - 1) * 100
                worst[name][percent] = max(worst[name][percent], error)
    return worst


def _gains(curve: str, known: dict[str, Steps | None], bias_lsb: float, seed: int) -> dict[str, dict[float, float]]:
    floors = {name: floor_lsb2(curve, table, NOISE_LSB, bias_lsb) for name, table in known.items()}
    gains: dict[str, dict[float, float]] = {name: {} for name in known}
    for number, percent in enumerate(PERCENTS):
        pin = wave(SINE, percent / 100 * RANGE_LSB, times(windows_at(percent) + 0.1), FREQUENCY_HZ)
        codes = read(curve, pin, NOISE_LSB, 1000 * seed + number, bias_lsb)
        for name, table in known.items():
            told = rms_lsb(run(codes, table, floors[name]))
            gains[name][percent] = told / (percent / 100 * RANGE_LSB / np.sqrt(2))
    return gains


OWN_LIMITS = {"1": 0.3, "5": 0.1, "10_to_95": 0.05}
"""With an own table, in %. At 1 %: what its entries are known to (0.1 LSB rms of 350 readings each) on the 35 codes that the
wave visits, 0.15 %, and luck of 3 sigma. At 5 % the same over 176 codes. From 10 % on: where the crest stops within a code
that is 10 LSB wide, nobody can tell where: 0.03 %."""


def current_figures(curves: Sequence[str], biases_lsb: Sequence[float] = BIASES_LSB, seed: int = 1) -> Iterator[Figure]:
    """The limits are those of the RP2040; the RP2350 is published."""
    for curve in curves:
        for table, errors in current_errors(curve, biases_lsb, seed).items():
            parts = {
                "1": errors[1],
                "5": errors[5],
                "10_to_95": max(error for percent, error in errors.items() if percent >= 10),
            }
            for part, worst in parts.items():
                limit = OWN_LIMITS[part] if table == "own" and curve in RP2040 else None
                yield Figure(metric=f"current_{curve}_{table}_{part}", value=worst, unit="%", limit=limit)


# No load

WATTS_PER_LSB = A_PER_LSB * 230
LEARNING = 600
"""Windows of which FloorLearner makes its first floor: ten blocks of a minute."""


def no_load_figures(curves: Sequence[str], windows: int, rate_hz: int = RATE_HZ, seed: int = 1) -> Iterator[Figure]:
    """A clamp around nothing, its floor learned; then so many windows are judged.

    Under 3 W: 0.324 LSB, 0.105 LSB^2 above the floor f = 1.52 LSB^2 (1.2^2 + 1 / 12). Windows scatter by f sqrt(2 / N): at
    20000 samples 0.0152 LSB^2, 6.9 sigma, so that none exceeds it; at 4000 0.034 LSB^2, 3.1 sigma, 0.1 % do.
    Shown as 0: below 3 sigma, 99.87 % of windows. Of 600, 1 % is 6 where 0.8 are expected (chance of more: 1e-5).
    """
    for curve in curves:
        learner = FloorLearner()
        table = own_steps(curve)
        squares = _resting(curve, table, LEARNING + windows, rate_hz, seed)
        for at_s, (square, samples) in enumerate(squares[:LEARNING]):
            learner.add(square, samples, at_s=at_s, flagged=False)
        assert learner.floor is not None
        over = [(square - learner.floor, samples) for square, samples in squares[LEARNING:]]
        watts = np.sqrt(np.maximum(0, [difference for difference, _ in over])) * WATTS_PER_LSB
        zero = [shown_rms(difference, learner.floor, samples) == 0 for difference, samples in over]
        name = f"no_load_{curve}_{rate_hz}"
        yield Figure(metric=f"{name}_raw", value=np.sqrt(squares[-1][0]) * WATTS_PER_LSB, unit="W")
        yield Figure(
            metric=f"{name}_under_3_w", value=100 * float(np.mean(watts < 3)), unit="%", limit=95, at_least=True
        )
        yield Figure(metric=f"{name}_shown_0_w", value=100 * float(np.mean(zero)), unit="%", limit=99, at_least=True)


def _resting(curve: str, table: Steps | None, windows: int, rate_hz: int, seed: int) -> list[tuple[float, int]]:
    found: list[tuple[float, int]] = []
    block = 100
    for number in range(-(-windows // block)):
        codes = read(curve, np.zeros(block * rate_hz), LOUD_LSB, 100_000 * seed + number, bias_lsb=2.3)
        found += [mean_square(one.channels[0]) for one in run(codes, table, rate_hz=rate_hz)]
    return found[:windows]


def mean_square(window: Window) -> tuple[float, int]:
    """Mean square in LSB^2, and of how many samples."""
    square = mean_square_lsb2(samples=window.samples, sum_sq=window.sum_sq, sum_steps=window.sum)
    return float(square), window.samples


# Frequency

STEADY_HZ = (49.5, 49.75, 50.0, 50.25, 50.5, 60.0)


def wandering(t_s: Values) -> Values:
    """Phase of a mains in cycles that wanders by 40 mHz, by at most 14 mHz in a second (grids: 10)."""
    fast, slow = 2 * np.pi / 7, 2 * np.pi / 40
    cycles: Values = 50 * t_s + 0.01 / fast * (1 - np.cos(fast * t_s)) + 0.03 / slow * (1 - np.cos(slow * t_s))
    return cycles


def frequency_errors_mhz(curve: str, table: Steps | None, cycles: Values, seed: int) -> list[float]:
    """Of each window of a wave at 10 % of range, in mHz, beside the true mean frequency of that very window."""
    codes = read(curve, 0.1 * RANGE_LSB * np.sin(2 * np.pi * cycles + seed), LOUD_LSB, seed)
    errors, at = [], 0
    for one in run(codes, table):
        end = at + one.channels[0].samples
        true_mhz = (cycles[end] - cycles[at]) / (end - at) * RATE_HZ * 1000
        errors.append(float(one.channels[0].frequency_mhz - true_mhz))
        at = end
    return errors


def frequency_figures(curves: Sequence[str], seconds: int, seed: int = 1) -> Iterator[Figure]:
    """Limit 5 mHz. A crossing is known to s / (A 2 pi f) = 1.2 / (175 x 314) = 22 us a sample, less by the four samples or
    more that a chunk averages; first and last one over 0.98 s: 1.5 mHz. Wandering: the window has a cycle more than its
    crossings span: 14 mHz / s x 0.02 s = 0.3 mHz. 1 mHz is the counter's step."""
    for curve in curves:
        for name, table in (("none", None), ("own", own_steps(curve))):
            t_s = times(seconds + 0.2)
            moving = [steady_hz * t_s for steady_hz in STEADY_HZ] + [wandering(t_s)]
            errors = [
                abs(error)
                for number, cycles in enumerate(moving)
                for error in frequency_errors_mhz(curve, table, cycles, 100 * seed + number)
            ]
            yield Figure(metric=f"frequency_{curve}_{name}", value=max(errors), unit="mHz", limit=5)
