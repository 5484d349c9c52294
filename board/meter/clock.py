# Microseconds since the board started, wide enough to never wrap, from a counter that wraps after 18 minutes.
class BoardClock:
    """now_us() never wraps as long as tick() is called at least every eight minutes."""

    def __init__(self, ticks_us, ticks_diff):
        self._ticks_us = ticks_us
        self._ticks_diff = ticks_diff
        # One tuple, replaced whole: a timer callback may call tick() between any two steps of a reader.
        self._anchor = (ticks_us(), 0)

    def tick(self):
        """Moves the anchor forward; only one caller (the sampling timer) may do so."""
        ticks, total_us = self._anchor
        now = self._ticks_us()
        self._anchor = (now, total_us + self._ticks_diff(now, ticks))

    def now_us(self):
        """Microseconds since the clock was made."""
        ticks, total_us = self._anchor
        return total_us + self._ticks_diff(self._ticks_us(), ticks)

    def at_us(self, ticks):
        """The same clock for a tick count taken in the last eight minutes."""
        anchor, total_us = self._anchor
        return total_us + self._ticks_diff(ticks, anchor)
