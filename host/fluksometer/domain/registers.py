"""Running totals as exact integers.

They follow the board's own counters, so that a lost record costs nothing, and they never fall.
"""

from .readings import PulseCount

Seen = dict[str, int]
"""The board's counters as they were taken last, by name. They run since the board's boot: one that is not in it was at 0."""


def grown(seen: Seen, name: str, value: int) -> int | None:
    """How far a counter that never falls went since it was taken last; it is taken. None when it fell: then it is not."""
    last = seen.get(name, 0)
    if value < last:
        return None
    seen[name] = value
    return value - last


class PulseRegister:
    """Total of one pulse sensor in exact thousandths of its unit (mWh or mL)."""

    def __init__(self, *, constant_milli: int) -> None:
        self.total_milli = 0
        self.refused = 0  # records whose count fell without a new boot
        self.seen: Seen = {}
        self._constant_milli = constant_milli

    def begin_boot(self) -> None:
        """The board's counter begins at zero again; the total goes on."""
        self.seen = {}

    def add(self, pulses: PulseCount) -> bool:
        """Take the pulses since the last record. False when the record is refused."""
        new = grown(self.seen, "count", pulses.count)
        if new is None:
            self.refused += 1
            return False
        self.total_milli += new * self._constant_milli
        return True
