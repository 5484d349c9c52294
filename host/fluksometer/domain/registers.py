"""Running totals as exact integers.

They follow the board's own counters, so that a lost record costs nothing, and they never fall.
"""

from .readings import PulseCount


class Growth:
    """How far a counter of the board that runs since its boot, and never falls, went since it was seen last."""

    def __init__(self) -> None:
        self.refused = 0  # values that fell without a new boot
        self._last = 0

    def begin_boot(self) -> None:
        """The board has started anew, and its counter with it."""
        self._last = 0

    def take(self, value: int) -> int | None:
        """Growth since the last value; since zero after a boot. None when it fell: refused and counted."""
        if value < self._last:
            self.refused += 1
            return None
        grown, self._last = value - self._last, value
        return grown


class PulseRegister:
    """Total of one pulse sensor in exact thousandths of its unit (mWh or mL)."""

    def __init__(self, *, constant_milli: int) -> None:
        self.total_milli = 0
        self._counter = Growth()
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
        grown = self._counter.take(pulses.count)
        if grown is None:
            return False
        self.total_milli += grown * self._constant_milli
        return True
