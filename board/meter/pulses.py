# One pulse input. An edge interrupt notes time and level; a level counts once it has held for min_width_us, and the
# pulse is dated at its first edge. So bounce never counts twice, and a pulse as short as min_width_us is never lost.
from shared._compat import const
from shared.records import PULSE

_COUNT_TOP = const(0x3FFFFFFF)  # numbers up to here need no memory, which an interrupt could not get
_CHATTER_MAX_US = const(60000000)  # a line that never rests: its first edge is forgotten, long before its ticks wrap


class PulseInput:
    """read_level: 0 while the meter pulls the line down; disable_irq, enable_irq guard what the interrupt touches."""

    def __init__(self, port, read_level, ticks_us, ticks_diff, disable_irq, enable_irq):
        self.port = port
        self.min_width_us = 5000
        self._dead_us = 0
        self._read_level = read_level
        self._ticks_us = ticks_us
        self._ticks_diff = ticks_diff
        self._disable_irq = disable_irq
        self._enable_irq = enable_irq
        level = read_level()
        # Owned by the interrupt; the task below touches them with interrupts off.
        self._level = level  # since the last edge
        self._stable = level  # the last level that held long enough
        self._open = False  # an edge has come and its level has not held long enough yet
        self._edge = 0  # ticks of the last edge
        self._first = 0  # ticks of the first edge since the line was stable
        self._began = 0  # ticks at which the last counted pulse began
        self._gap_us = 0  # between the last two counted pulses
        self._count = 0  # wraps
        self._rejected = 0
        # Owned by the task.
        self._seen = 0
        self.count = 0
        self.edge_us = 0
        self.interval_us = 0
        self.on_edge = self._on_edge  # bound once: binding allocates

    def apply(self, width_us, gap_us):
        """How long a level must hold, and how long after a pulse none can begin."""
        self.min_width_us = width_us
        self._dead_us = gap_us

    def _on_edge(self, _pin):  # hard interrupt: no allocation, no wait
        now = self._ticks_us()
        self._judge(now)
        if self._open:
            self._rejected = self._rejected + 1 if self._rejected < _COUNT_TOP else 0
        else:
            self._first = now
            self._open = True
        self._edge = now
        self._level = self._read_level()

    def _judge(self, now):
        if not self._open or self._ticks_diff(now, self._edge) < self.min_width_us:
            return
        self._open = False
        if self._level == self._stable:
            return
        self._stable = self._level
        if not self._level:
            self._gap_us = self._ticks_diff(self._first, self._began)
            self._began = self._first
            self._count = self._count + 1 if self._count < _COUNT_TOP else 0

    def poll(self, clock):
        """Judge the last edge and bring the wide counters up to date; call at least once a second."""
        irq = self._disable_irq()
        try:
            now = self._ticks_us()
            self._judge(now)
            if not self._open and self._read_level() != self._stable:  # the chip missed an edge: begin one here
                self._first = self._edge = now
                self._level = self._read_level()
                self._open = True
            elif self._open and self._ticks_diff(now, self._first) > _CHATTER_MAX_US:
                self._first = self._edge
            count, began, gap_us = self._count, self._began, self._gap_us
        finally:
            self._enable_irq(irq)
        grown = (count - self._seen) & _COUNT_TOP
        if not grown:
            return
        self._seen = count
        edge_us = clock.at_us(began)
        # The interrupt's own gap is right for pulses close together; after a long pause only the wide clock is.
        if grown > 1:
            self.interval_us = max(gap_us, 0)
        elif self.count:
            self.interval_us = max(edge_us - self.edge_us, 0)
        self.edge_us = edge_us
        self.count += grown

    def payload(self, t_us):
        """This input's record."""
        return PULSE.pack(self.port, t_us, self.count, self.edge_us, self.interval_us, self._rejected, 0)
