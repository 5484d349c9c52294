"""Present flow of a pulse sensor, from the times of its pulses; it falls when the pulses stop."""

from .readings import PulseCount
from .sensors import Medium

# Whole units per (thousandth of a Wh or L) / microsecond: W from mWh, L/day from mL.
_SCALE = {Medium.ELECTRICITY: 3_600_000, Medium.GAS: 86_400_000, Medium.WATER: 86_400_000}


def flow(medium: Medium, *, milli: int, over_us: int) -> int:
    """W or L/day of ``milli`` thousandths (Wh or L) in ``over_us``, a half rounded up."""
    return (2 * milli * _SCALE[medium] + over_us) // (2 * over_us)


def flow_at_most(medium: Medium, *, milli: int, silent_us: int) -> int:
    """The most W or L/day at which a pulse of ``milli`` can stay out for ``silent_us``, rounded down: 0 when below one."""
    return milli * _SCALE[medium] // silent_us


class PulseGauge:
    """Remembers the last pulse and answers the value to publish, if there is a new one."""

    def __init__(self, *, medium: Medium, constant_milli: int) -> None:
        self.value: int | None = None  # W or L/day; None: not known yet
        self._medium = medium
        self._constant_milli = constant_milli
        self._count = 0
        self._edge_us = 0

    def begin_boot(self) -> None:
        """The board has started anew: its count and its clock begin at zero."""
        self._count, self._edge_us = 0, 0

    def state(self) -> list[int | None]:
        """What it has to know after a restart of the bridge, for JSON."""
        return [self.value, self._count, self._edge_us]

    def restore(self, state: list[int | None]) -> None:
        """Go on where state() was."""
        value, count, edge_us = state
        self.value, self._count, self._edge_us = value, count or 0, edge_us or 0

    def take(self, pulses: PulseCount) -> int | None:
        """The flow to publish now, None when there is nothing new.

        A value repeats when pulses came, not when they only stayed out.
        """
        if pulses.count < self._count:
            return None
        before = self.value
        measured = self._measure(pulses)
        came = pulses.count > self._count
        self._count, self._edge_us = pulses.count, pulses.edge_us
        value = before if measured is None else measured
        if value is None:
            return None
        self.value = min(value, self._ceiling(pulses))
        return self.value if self.value != before or (came and measured is not None) else None

    def _measure(self, pulses: PulseCount) -> int | None:
        # Pulses since the last record over the time between the last pulses of both;
        # the board's own interval when that is not known.
        new = pulses.count - self._count
        if new and self._edge_us and pulses.edge_us > self._edge_us:
            milli, over_us = new * self._constant_milli, pulses.edge_us - self._edge_us
        elif new and pulses.interval_us:
            milli, over_us = self._constant_milli, pulses.interval_us
        else:
            return None
        return flow(self._medium, milli=milli, over_us=over_us)

    def _ceiling(self, pulses: PulseCount) -> int:
        # Before the first pulse of a boot the silence began at that boot (edge_us is 0).
        silent_us = max(1, pulses.t_us - pulses.edge_us)
        return flow_at_most(self._medium, milli=self._constant_milli, silent_us=silent_us)
