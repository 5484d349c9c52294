"""What figures of accuracy stand on: waves of known size, the measured converters that read them, their tables, a figure."""

from dataclasses import dataclass
from functools import cache
from math import erf, sqrt

import numpy as np
import numpy.typing as npt

from fluksometer.domain.arrays import Codes, Values
from fluksometer.domain.linearity import CODES, Linearity, lookup
from fluksometer.domain.linearity_fit import Fit, fit
from fluksometer.domain.units import CHARGE_PER_LSB_S, STEP2_Q20_PER_LSB2, STEPS
from fluksometer.metering import Closed, Core, Steps
from house.converter import convert, lower_edges

RP2040 = ("rp2040-a", "rp2040-b", "rp2040-c")
RP2350 = ("rp2350-a", "rp2350-b", "rp2350-c")
CURVES = RP2040 + RP2350
RATE_HZ = 20_000
RANGE_LSB = 4096 / 3.3 * np.sqrt(2)
"""Peak of a clamp's rated current: 1 V rms."""
A_PER_LSB = 50 * 3.3 / 4096
"""Of a 50 A clamp."""
DATE = "2025-01-31T12:00:00Z"
MIDDLE_LSB = 2048.0
BIASES_LSB = (-7.0, -3.0, 0.0, 3.0, 7.0)
"""Bias of the pin beside the middle: two resistors of 1 % are within 20 LSB, two of 0.3 % within 7."""

Shape = dict[int, tuple[float, float]]
"""Order to (part of the fundamental, its angle where the fundamental crosses zero rising)."""
SINE: Shape = {1: (1.0, 0.0)}
SQUARE: Shape = {order: (1 / order, 0.0) for order in range(1, 16, 2)}


def shape_of(cycle: Values) -> Shape:
    """The odd orders 1 to 39 of one cycle that begins at 0."""
    orders = np.fft.rfft(cycle)
    angles = np.angle(1j * orders)
    return {
        order: (float(abs(orders[order] / orders[1])), float(angles[order] - order * angles[1]))
        for order in range(1, 40, 2)
    }


_ANGLE = np.arange(4096) / 4096 * 2 * np.pi
RECTIFIER = shape_of(np.sign(np.sin(_ANGLE)) * np.maximum(0, np.abs(np.sin(_ANGLE)) - 0.946))
"""A capacitor charged near the crests: crest factor 3."""
DIMMER = shape_of(np.sin(_ANGLE) * (_ANGLE % np.pi > np.pi / 2))
"""Half of each half cycle: it rests at zero up to the crest."""


def rms_of(shape: Shape) -> float:
    """Rms of a shape whose fundamental has a peak of 1."""
    return sqrt(sum(part**2 for part, _ in shape.values()) / 2)


def wave(
    shape: Shape, peak_lsb: float, t_s: npt.ArrayLike, frequency_hz: float = 50.0, start_rad: float = 0.3
) -> Values:
    """A shape whose fundamental has this peak, at any moments."""
    angle = 2 * np.pi * frequency_hz * np.asarray(t_s) + start_rad
    orders = [part * np.sin(order * angle + ahead) for order, (part, ahead) in shape.items()]
    values: Values = peak_lsb * np.sum(orders, axis=0)
    return values


def times(seconds: float, rate_hz: int = RATE_HZ) -> Values:
    """Moments of samples."""
    return np.arange(round(seconds * rate_hz)) / rate_hz


def read(curve: str, lsb: Values, noise_lsb: float, seed: int, bias_lsb: float = 0.0) -> Codes:
    """Codes of a converter whose pin stands at the middle, ``bias_lsb`` off, with this wave upon it."""
    noise = np.random.default_rng(seed).standard_normal(lsb.shape) * noise_lsb
    return convert(lower_edges_of(curve), MIDDLE_LSB + bias_lsb + lsb + noise)


@cache
def lower_edges_of(curve: str) -> Values | None:
    """house.converter.lower_edges, read once."""
    return lower_edges(curve)


# Tables


@cache
def ideal_values(curve: str) -> Values:
    """Middle between each code's edges, without the curve's own gain and offset."""
    edges, codes = lower_edges(curve), np.arange(CODES)
    assert edges is not None
    middles = np.append((edges[:-1] + edges[1:]) / 2, CODES - 0.1)
    inner = slice(128, 3968)
    values: Values = middles - np.polyval(np.polyfit(codes[inner], (middles - codes)[inner], 1), codes)
    return values


def table_of(values: Values, chip: str = "rp2040") -> Linearity:
    """The table of these values of all codes."""
    return Linearity.of(values, chip=chip, date=DATE, residual_lsb=0.0, samples=0, visited=(128, 3967))


def default_without(curve: str) -> Linearity:
    """The default as the other boards of this chip would make it: a board must not be judged by a table made from itself."""
    chip = curve[:6]
    others = [ideal_values(one) for one in (RP2040 if chip == "rp2040" else RP2350) if one != curve]
    return table_of(np.mean(others, axis=0), chip)


@cache
def own_table(curve: str) -> Fit:
    """What a minute of a kettle at 95 % of range tells of a board; the mains wanders by 10 mHz."""
    t_s = times(60)
    phase = 2 * np.pi * 49.97 * t_s + 0.6 * (1 - np.cos(2 * np.pi * t_s / 60))
    return fit(read(curve, 0.95 * RANGE_LSB * np.sin(phase), 0.8, 1), RATE_HZ, default_without(curve), date=DATE)


def tables(curve: str) -> dict[str, Steps | None]:
    """What the core may know of a board: nothing, the others of its chip, itself."""
    return {"none": None, "default": lookup(default_without(curve)), "own": own_steps(curve)}


@cache
def own_steps(curve: str) -> Steps | None:
    """The own table as the core wants it; None for the ideal converter."""
    return None if curve == "ideal" else lookup(own_table(curve).table)


def floor_lsb2(curve: str, table: Steps | None, noise_lsb: float, bias_lsb: float = 0.0) -> float:
    """Variance of what is read off a pin that rests: exact, from how likely noise makes each code."""
    at = int(MIDDLE_LSB + bias_lsb)
    codes = np.arange(at - 60, at + 61)
    edges = lower_edges_of(curve)
    lowers = codes - 0.5 if edges is None else edges[codes]
    below = [(1 + erf((lower - MIDDLE_LSB - bias_lsb) / noise_lsb / sqrt(2))) / 2 for lower in lowers]
    values, chances = (codes if table is None else table[codes] / STEPS)[:-1], np.diff(below)
    return float(chances @ values**2 - (chances @ values) ** 2)


# Through the core


def run(codes: Codes, table: Steps | None, floor: float = 0.0, rate_hz: int = RATE_HZ) -> list[Closed]:
    """Windows of one channel, with this floor (LSB^2) taken off its charge."""
    core = Core(1, rate_hz, table)
    core.subtract_noise(0, round(floor * STEP2_Q20_PER_LSB2))
    return core.fold(codes.reshape(-1, 1))


def rms_lsb(closed: list[Closed], rate_hz: int = RATE_HZ) -> float:
    """Mean signed rms of windows from the first on, as the board's charge counter tells it."""
    samples = sum(one.channels[0].samples for one in closed)
    return closed[-1].channels[0].charge / CHARGE_PER_LSB_S * rate_hz / samples


# Figures


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One figure, and the largest value (``at_least``: the smallest) that it may have; None: it is published only."""

    metric: str
    value: float
    unit: str
    limit: float | None = None
    at_least: bool = False

    @property
    def held(self) -> bool:
        """Is it within its limit?"""
        if self.limit is None:
            return True
        return self.value >= self.limit if self.at_least else self.value <= self.limit
