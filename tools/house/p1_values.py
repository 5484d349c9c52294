"""What a smart meter in this house has measured at a moment: the truth behind each line of its telegrams.

Loads are those of the clamps: the one on port n is phase n. A counter is the exact integral of its power; it shows no more digits
than it has, and never rounds up.
"""

from datetime import UTC, datetime, timedelta
from fractions import Fraction
from math import acos, hypot, sin
from typing import TYPE_CHECKING, Final

import numpy as np

from house.waves import SECOND_NS, at_steps, clamp_on, true_power_factor

if TYPE_CHECKING:
    from house.housefile import House

_HOUR_S: Final = 3600


class Values:
    """``number(name, t_s)`` is a quantity at a time (s since the power came on), in W, var, VA, Wh, varh, V, A, Hz or 1."""

    def __init__(self, house: "House") -> None:
        assert house.p1 is not None
        self._house, self._p1 = house, house.p1
        moments = {0.0, *(t_s for t_s, _ in house.p1.tariff)}
        self._moments = sorted(moments.union(*({t_s for t_s, _ in clamp.current_a} for clamp in house.clamp)))

    def clock(self, t_s: float) -> datetime:
        """UTC, whole seconds."""
        return (self._p1.clock.astimezone(UTC) + timedelta(seconds=t_s)).replace(microsecond=0)

    def tariff(self, t_s: float) -> int:
        """The active one."""
        return [tariff for begin_s, tariff in self._p1.tariff if begin_s <= t_s][-1:][0]

    def number(self, name: str, t_s: float) -> Fraction:
        """The quantity of this name."""
        if name in ("hz", "pf") or name[:2] == "pf":
            return self._ratio(name, t_s)
        if name[0] in "va" and name[1:].isdigit():
            return self._of_phase(name[0], int(name[1:]), t_s)
        if name[1] == "_" or name[1:2].isdigit():
            return self._power(name, t_s)
        return self._energy(name, t_s)

    def _of_phase(self, kind: str, phase: int, t_s: float) -> Fraction:
        if kind == "v":
            return Fraction(repr(self._house.mains.voltage_v))
        clamp = clamp_on(self._house, phase)
        amps = 0.0 if clamp is None else at_steps(clamp.current_a, np.array([round(t_s * SECOND_NS)]))[0]
        return Fraction(repr(float(amps)))

    def _ratio(self, name: str, t_s: float) -> Fraction:
        if name == "hz":
            return Fraction(repr(self._house.mains.frequency_hz))
        if name != "pf":
            return Fraction(true_power_factor(self._house, int(name[2:])))
        active, reactive = self._both((1, 2, 3), t_s)
        apparent = hypot(active, reactive)
        return Fraction(active) / Fraction(apparent) if apparent else Fraction(0)

    def _both(self, phases: tuple[int, ...], t_s: float) -> tuple[float, float]:
        """Active and reactive power, signed."""
        active = reactive = 0.0
        for phase in phases:
            clamp = clamp_on(self._house, phase)
            if clamp is not None:
                va = self._house.mains.voltage_v * float(self._of_phase("a", phase, t_s)) * clamp.fundamental_share()
                active += va * clamp.power_factor
                reactive += va * sin(acos(clamp.power_factor))
        return active, reactive

    def _power(self, name: str, t_s: float) -> Fraction:
        kind, way = name.split("_")
        active, reactive = self._both((int(kind[1:]),) if kind[1:] else (1, 2, 3), t_s)
        if way[0] == "q":
            quadrant = 1 if active >= 0 and reactive >= 0 else 2 if reactive >= 0 else 3 if active < 0 else 4
            return Fraction(abs(reactive)) if quadrant == int(way[1]) else Fraction(0)
        signed = {"p": active, "q": reactive, "s": hypot(active, reactive) * (1 if active >= 0 else -1)}[kind[0]]
        return Fraction(max(0.0, signed if way == "import" else -signed))

    def _energy(self, name: str, t_s: float) -> Fraction:
        kind, _, which = name.partition("_")
        if kind == "combined":
            return self._energy("import", t_s) + self._energy("export", t_s)
        if kind == "demand":
            quarter_s = self.clock(t_s).timestamp() % 900 or 900
            begin_s = max(0.0, t_s - quarter_s)
            return (self._integral("p_import", 0, begin_s, t_s)) * _HOUR_S / 900
        if kind == "var":
            return self._integral(f"q_{which}", 0, 0.0, t_s)
        starts = self._p1.start_kwh if kind == "import" else self._p1.start_export_kwh
        tariff = int(which or 0)
        begun = [Fraction(repr(kwh)) * 1000 for kwh in starts]
        start = sum(begun, Fraction(0)) if not tariff else begun[tariff - 1] if tariff <= len(begun) else Fraction(0)
        return start + self._integral(f"p_{kind}", tariff, 0.0, t_s)

    def _integral(self, power: str, tariff: int, begin_s: float, end_s: float) -> Fraction:
        """Wh of a power while a tariff (0: any) was active."""
        total = Fraction(0)
        for begin, end in zip(self._moments, [*self._moments[1:], end_s], strict=True):
            begin, end = max(begin, begin_s), min(end, end_s)
            if end > begin and tariff in (0, self.tariff(begin)):
                total += self._power(power, begin) * (Fraction(repr(end)) - Fraction(repr(begin))) / _HOUR_S
        return total
