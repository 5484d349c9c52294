"""What a pulse input says of its wire: edges that were no pulse, and storms."""

from typing import Final

from .readings import PulseCount

BOUNCE_EDGES: Final = 20
"""Edges that a contact may bounce for each pulse, closing and opening. One that bounces longer, or a line that chatters without
a pulse, is worth a word."""


class PulseWatch:
    """Remembers the counts of each port, and answers what a person should know of the last second."""

    def __init__(self) -> None:
        self._boot_id = 0
        self._last: dict[int, PulseCount] = {}

    @property
    def counts(self) -> dict[str, int]:
        """Since the board's boot, of all ports: edges rejected, and times that an input was shut."""
        last = self._last.values()
        return {"edges_rejected": sum(one.rejected for one in last), "pulse_storms": sum(one.storms for one in last)}

    def take(self, boot_id: int, pulses: PulseCount) -> str | None:
        """A sentence about this port, None when there is nothing to say."""
        if boot_id != self._boot_id:
            self._boot_id, self._last = boot_id, {}
        before, self._last[pulses.port] = self._last.get(pulses.port), pulses
        if before is None:  # what was before the bridge started is no news
            return None
        if pulses.storms > before.storms:
            return (
                "it does nothing but chatter and was shut for moments: what came then is not counted; look at its wire"
            )
        rejected = pulses.rejected - before.rejected
        if rejected > BOUNCE_EDGES * (1 + pulses.count - before.count):
            return f"{rejected} edges in a second were no pulse: bounce, noise, or pulses that its preset does not let through"
        return None
