"""Running totals as exact integers.

They follow the board's own counters, so that a lost record costs nothing, and they never fall.
"""

from fractions import Fraction

from .readings import ClampWindow, PulseCount
from .units import uwh_per_charge


class BoardCounter:
    """Growth of a counter that runs since the board's boot."""

    def __init__(self) -> None:
        self.refused = 0  # values that went backwards without a new boot
        self.last = 0

    def begin_boot(self) -> None:
        """The board has started anew, and its counter with it."""
        self.last = 0

    def growth(self, value: int) -> int | None:
        """How far the counter went since the last value; since zero after a boot.

        None when it went backwards: refused and counted.
        """
        if value < self.last:
            self.refused += 1
            return None
        grown, self.last = value - self.last, value
        return grown


class ClampRegister:
    """Energy of one clamp in whole micro-watt-hours, with the exact rest below one carried on."""

    def __init__(self, *, clamp_a: Fraction | int, voltage_v: int) -> None:
        self.total_uwh = 0
        self._rest_uwh = Fraction(0)
        self._counter = BoardCounter()
        self._uwh_per_charge = uwh_per_charge(clamp_a=clamp_a, voltage_v=voltage_v)

    @property
    def refused(self) -> int:
        """Windows refused because the board's counter went backwards."""
        return self._counter.refused

    @property
    def total_wh(self) -> int:
        """Whole watt-hours, rounded down."""
        return self.total_uwh // 1_000_000

    def begin_boot(self) -> None:
        """The board's counter begins at zero again; the total goes on."""
        self._counter.begin_boot()

    def add(self, window: ClampWindow) -> bool:
        """Take the growth up to this window. False when it is refused."""
        grown = self._counter.growth(window.charge)
        if grown is None:
            return False
        whole, self._rest_uwh = divmod(self._rest_uwh + grown * self._uwh_per_charge, 1)
        self.total_uwh += whole
        return True


class PulseRegister:
    """Total of one pulse sensor in exact thousandths of its unit (mWh or mL)."""

    def __init__(self, *, constant_milli: int) -> None:
        self.total_milli = 0
        self._counter = BoardCounter()
        self._constant_milli = constant_milli

    @property
    def refused(self) -> int:
        """Records refused because the board's counter went backwards."""
        return self._counter.refused

    def begin_boot(self) -> None:
        """The board's counter begins at zero again; the total goes on."""
        self._counter.begin_boot()

    def add(self, pulses: PulseCount) -> bool:
        """Take the pulses since the last record. False when the record is refused."""
        grown = self._counter.growth(pulses.count)
        if grown is None:
            return False
        self.total_milli += grown * self._constant_milli
        return True
