# One pulse input, as the tasks see it. Edges are noted and judged by the native module (native/pulses), from the pin's
# interrupt and from the timer that polls; here its 32-bit counts become those of the record.
from array import array

import pulses
from shared._compat import const
from shared.records import PULSE

_U32 = const(0xFFFFFFFF)
_TICKS = const(0x3FFFFFFF)  # time.ticks_us is the module's counter without the two highest bits


class PulseInput:
    """index: what pulses.add() answered for this port's pin."""

    def __init__(self, port, index):
        self.port = port
        self._index = index
        self._told = array("I", (0, 0, 0, 0, 0))  # count, began_us, interval_us, rejected, storms
        self._seen = 0
        self.count = 0
        self.edge_us = 0
        self.interval_us = 0

    def apply(self, width_us, gap_us):
        """How long a level must hold, and how long after the beginning of a pulse none can begin."""
        pulses.limits(self._index, width_us, gap_us)

    def poll(self, clock):
        """Bring the wide counters up to date; call at least once a second."""
        told = self._told
        pulses.take(self._index, told)
        grown = (told[0] - self._seen) & _U32
        if not grown:
            return
        self._seen = told[0]
        edge_us = clock.at_us(told[1] & _TICKS)
        # The module's own interval is right for pulses close together; after a long pause only the wide clock is.
        if grown > 1:
            self.interval_us = told[2]
        elif self.count:
            self.interval_us = max(edge_us - self.edge_us, 0)
        self.edge_us = edge_us
        self.count += grown

    @property
    def totals(self):
        """Count, rejected and storms since boot."""
        return self.count, self._told[3], self._told[4]

    def payload(self, t_us):
        """This input's record."""
        count, rejected, storms = self.totals
        return PULSE.pack(self.port, t_us, count, self.edge_us, self.interval_us, rejected, storms)
