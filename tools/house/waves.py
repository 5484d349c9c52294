"""What the pins see: voltage at a clamp's pin in LSB at any moment, and the truth about currents. Pure functions of the house.

Times are integer nanoseconds since the power came on. The phase of the mains is computed with integers only, so it is as
exact after a day as in the first period.
"""

from fractions import Fraction
from math import acos, pi, radians, sqrt
from typing import Final

import numpy as np
import numpy.typing as npt

from house.housefile import Clamp, House, Steps

Nanos = npt.NDArray[np.int64]
Lsb = npt.NDArray[np.float64]

MIDDLE_LSB: Final = 2048.0
"""The bias of the front end: half the reference."""

SECOND_NS: Final = 1_000_000_000


def phase(frequency_hz: float, t_ns: Nanos) -> npt.NDArray[np.float64]:
    """Angle of the mains' fundamental in radians, 0 to 2 pi, zero at the start and rising."""
    exact = Fraction(repr(frequency_hz))
    pattern_ns = exact.denominator * SECOND_NS  # after this time whole periods have passed
    within = (t_ns % pattern_ns) * exact.numerator % pattern_ns
    return within.astype(np.float64) * (2 * pi / pattern_ns)


def at_steps(value: Steps, t_ns: Nanos) -> npt.NDArray[np.float64]:
    """Steps at the given times; a step counts from its very moment on."""
    begins = np.array([round(t_s * SECOND_NS) for t_s, _ in value], dtype=np.int64)
    levels = np.array([0.0] + [level for _, level in value])
    return levels[np.searchsorted(begins, t_ns, side="right")]


def current(house: House, clamp: Clamp, t_ns: Nanos, lead_deg: float = 0.0) -> npt.NDArray[np.float64]:
    """The momentary current through a clamp in A, ``lead_deg`` early. Harmonics move with the fundamental: the shape stays."""
    angle = phase(house.mains.frequency_hz, t_ns) - acos(clamp.power_factor) + radians(lead_deg)
    shape = sum((ratio * np.sin(order * angle) for order, ratio in clamp.ratios().items()), np.zeros(t_ns.shape))
    return at_steps(clamp.current_a, t_ns) * shape * (sqrt(2) * clamp.fundamental_share())


def voltage(house: House, t_ns: Nanos) -> npt.NDArray[np.float64]:
    """The momentary mains voltage in V: a pure sine."""
    return sqrt(2) * house.mains.voltage_v * np.sin(phase(house.mains.frequency_hz, t_ns))


def pin_lsb(house: House, clamp: Clamp | None, t_ns: Nanos) -> Lsb:
    """What stands at a converter input, in LSB before conversion; an input without clamp sees the bias alone."""
    bias = MIDDLE_LSB + house.converter.offset_lsb
    if clamp is None:
        return np.full(t_ns.shape, bias)
    return bias + clamp.lsb_per_a() * current(house, clamp, t_ns, clamp.lead_deg)


def clamp_on(house: House, port: int) -> Clamp | None:
    """The clamp on a port, or None."""
    return next((clamp for clamp in house.clamp if clamp.port == port), None)


def input_on(house: House, port: int) -> Clamp | None:
    """What a converter input sees: the clamp on a port, or its adapter as a clamp that carries the voltage; else None."""
    for adapter in house.adapter:
        if adapter.port == port:
            volts: Steps = ((0.0, house.mains.voltage_v),)
            return Clamp.model_construct(
                port=port,
                current_a=volts,
                rating_a=adapter.rating_v,
                power_factor=1.0,
                harmonics={},
                lead_deg=adapter.lead_deg,
            )
    return clamp_on(house, port)


def true_rms_a(house: House, port: int, t0_s: float, t1_s: float) -> float:
    """True rms current in A over t0 to t1: the steps' currents weighed by their time (waves taken as whole periods)."""
    clamp = clamp_on(house, port)
    if clamp is None or t1_s <= t0_s:
        return 0.0
    return sqrt(_step_integral(clamp.current_a, t0_s, t1_s, 2) / (t1_s - t0_s))


def true_charge_as(house: House, port: int, t0_s: float, t1_s: float) -> float:
    """Integral of the rms current over time in A s: what the board's ``charge`` counts."""
    clamp = clamp_on(house, port)
    return 0.0 if clamp is None else _step_integral(clamp.current_a, t0_s, t1_s, 1)


def true_power_w(house: House, port: int, t0_s: float, t1_s: float) -> float:
    """True mean real power in W over t0 to t1. The voltage is a sine, so that only the fundamental carries power."""
    clamp = clamp_on(house, port)
    if clamp is None or t1_s <= t0_s:
        return 0.0
    mean_a = _step_integral(clamp.current_a, t0_s, t1_s, 1) / (t1_s - t0_s)
    return house.mains.voltage_v * mean_a * clamp.fundamental_share() * clamp.power_factor


def true_power_factor(house: House, port: int) -> float:
    """Real over apparent power: the fundamental's power factor, lowered by what the harmonics add to the rms."""
    clamp = clamp_on(house, port)
    return 0.0 if clamp is None else clamp.power_factor * clamp.fundamental_share()


def _step_integral(value: Steps, t0_s: float, t1_s: float, power: int) -> float:
    """Integral of value ** power from t0 to t1."""
    ends = [t_s for t_s, _ in value[1:]] + [t1_s]
    spans = ((max(t_s, t0_s), min(end, t1_s), level) for (t_s, level), end in zip(value, ends, strict=True))
    return sum(level**power * max(0.0, end - begin) for begin, end, level in spans)
