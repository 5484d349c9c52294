"""One cycle of the mains from each input, cut so that all begin at the same moment: a picture for people, over MQTT or the web."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import floor, isfinite, log10
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt

from .arrays import Values
from .mains_wave import UnfitCapture, Wave, check, check_stands_out, step_of, whole_cycles

_ORDERS: Final = 15
_STEPS_PER_LSB: Final = 10
"""Values are rounded to decimals at least so fine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Input:
    """What a column holds: the port it came from, "A" or "V", and how many of these one LSB is (units.py)."""

    port: int
    unit: Literal["A", "V"]
    per_lsb: float


def waveform(
    values_lsb: Values, rate_hz: float, inputs: Sequence[Input], frequency_hz: float | None = None
) -> dict[str, Any]:
    """One cycle of each input as a JSON object. ``values_lsb``: consecutive rows, a column for each of ``inputs``.

    The converter takes inputs in turn: column k of K is sampled k / (K rate) after the first. The reference is a voltage if there
    is one, else the largest wave in LSB (its angle is known best); silent ones are passed over. The cycle begins at the rising
    zero crossing of the reference's fundamental, not of its samples: those of a dimmer rest at zero, and noise crosses often.

    {"frequency_hz": 49.987,                 the one given, or found in the reference
     "reference": 1,                         port; null when all inputs are silent: then the cycle begins anywhere
     "step_s": 0.00005,                      between values
     "inputs": [{"port": 1, "unit": "A",
                 "first_s": 0.000012,        the first value's time after the crossing: half a step at most, either way
                 "values": [0.031, ...]}]}   a cycle, rounded to whole values; without dc; finer than 1/10 LSB

    Needs one cycle if ``frequency_hz`` is given, else two. Where the capture ends before the cycle does, the rest is
    taken from a cycle earlier. Raises UnfitCapture when it is shorter, and without ``frequency_hz`` when all is silent.
    """
    _check_shape(values_lsb, inputs)
    for column in values_lsb.T:
        check(column, rate_hz, frequency_hz)
    reference, step_rad, start_rad = _reference(values_lsb, rate_hz, inputs, frequency_hz)
    period = 2 * np.pi / step_rad
    count = round(period)
    if len(values_lsb) < count:
        raise UnfitCapture(f"{len(values_lsb)} samples are less than a cycle of {count}")
    skews = np.arange(len(inputs)) / len(inputs)
    crossing = skews[reference or 0] - start_rad / step_rad
    cut = [
        _cut(column, step_rad, crossing - skew, one)
        for column, skew, one in zip(values_lsb.T, skews.tolist(), inputs, strict=True)
    ]
    return {
        "frequency_hz": round(step_rad * rate_hz / (2 * np.pi), 4),
        "reference": None if reference is None else inputs[reference].port,
        "step_s": 1 / rate_hz,
        "inputs": [
            {"port": one.port, "unit": one.unit, "first_s": round(first / rate_hz, 9), "values": values}
            for one, (first, values) in zip(inputs, cut, strict=True)
        ],
    }


def _check_shape(values_lsb: Values, inputs: Sequence[Input]) -> None:
    if values_lsb.ndim != 2 or not inputs or values_lsb.shape[1] != len(inputs):
        raise UnfitCapture(f"want rows of {len(inputs)} inputs, not {values_lsb.shape}")
    for one in inputs:
        if not isfinite(one.per_lsb) or one.per_lsb == 0:
            raise ValueError(f"port {one.port}: an LSB can't be {one.per_lsb:g} {one.unit}")


def _reference(
    values_lsb: Values, rate_hz: float, inputs: Sequence[Input], frequency_hz: float | None
) -> tuple[int | None, float, float]:
    """Column of the reference, angle per sample, angle of its fundamental at its first sample."""
    sizes = values_lsb.std(axis=0)
    why = UnfitCapture("no input")
    for column in sorted(range(len(inputs)), key=lambda column: (inputs[column].unit != "V", -sizes[column])):
        try:
            wave = _wave(values_lsb[:, column], rate_hz, frequency_hz)
        except UnfitCapture as error:
            why = error
            continue
        return column, wave.step_rad, wave.start_rad
    if frequency_hz is None:
        raise why
    return None, 2 * np.pi * frequency_hz / rate_hz, 0.0


def _wave(values_lsb: Values, rate_hz: float, frequency_hz: float | None) -> Wave:
    step_rad = step_of(values_lsb, rate_hz, None) if frequency_hz is None else 2 * np.pi * frequency_hz / rate_hz
    values = whole_cycles(values_lsb, step_rad)
    wave = Wave.fit(values, step_rad, _ORDERS)
    check_stands_out(wave, float(values.std()))
    return wave


def _cut(column: Values, step_rad: float, crossing: float, one: Input) -> tuple[float, list[float]]:
    """Time of the first value after the crossing, in samples, and a cycle of values; ``crossing`` in samples of this column."""
    period = 2 * np.pi / step_rad
    count = round(period)
    crossing = (crossing + 0.5) % period - 0.5  # the first that a sample stands next to
    begin = round(crossing)
    at: npt.NDArray[np.intp] = begin + np.arange(count)
    at[at >= len(column)] -= count
    scaled = (column[at] - whole_cycles(column, step_rad).mean()) * one.per_lsb
    decimals = floor(-log10(abs(one.per_lsb) / _STEPS_PER_LSB)) + 1
    return float(begin - crossing), [round(value, decimals) for value in scaled.tolist()]
