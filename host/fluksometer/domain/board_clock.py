"""Maps the board's monotonic microseconds to UTC, and UTC to the whole seconds that are published. Times come in as arguments."""

from collections import deque
from dataclasses import dataclass
from math import floor

CLOCK_SET_S = 1_234_567_890  # a host clock before this (February 2009) has not been set
STEP_S = 1.0  # a change of wall clock against monotonic clock by more than this is a step


@dataclass(frozen=True, slots=True, kw_only=True)
class HostTime:
    """One moment on both clocks of the host, in seconds."""

    mono_s: float
    wall_s: float


class BoardClock:
    """Latency only ever adds, so the smallest (host time - board time) of late is the best offset."""

    def __init__(self, window_s: float = 10.0) -> None:
        self._window_s = window_s
        # (mono_s, offset_s), offsets rising, so that the first is the least
        self._offsets: deque[tuple[float, float]] = deque()
        self._host: HostTime | None = None

    def begin_boot(self) -> None:
        """The board's clock begins at zero again."""
        self._offsets.clear()

    def observe(self, t_us: int, host: HostTime) -> float:
        """A record stamped ``t_us`` was received at ``host``.

        Answers by how many seconds the host's wall clock was stepped since the record before (0.0: not).
        """
        offset_s = host.mono_s - t_us / 1e6
        while self._offsets and self._offsets[-1][1] >= offset_s:
            self._offsets.pop()
        self._offsets.append((host.mono_s, offset_s))
        while self._offsets[0][0] < host.mono_s - self._window_s:
            self._offsets.popleft()
        before, self._host = self._host, host
        if before is None:
            return 0.0
        step_s = (host.wall_s - host.mono_s) - (before.wall_s - before.mono_s)
        return step_s if abs(step_s) > STEP_S else 0.0

    def utc_s(self, t_us: int) -> float | None:
        """UTC in seconds of a moment of the present boot; None before any record, and while the host's clock is not set."""
        if self._host is None or not self._offsets or self._host.wall_s < CLOCK_SET_S:
            return None
        return t_us / 1e6 + self._offsets[0][1] + (self._host.wall_s - self._host.mono_s)


class SecondStamp:
    """Whole seconds for one topic, each later than the one before.

    Readings come about once a second; so that a little jitter around the full second does not cost one of them, a reading at
    most ``early_s`` before a full second may carry that second when its own is taken.
    """

    def __init__(self, early_s: float = 0.0) -> None:
        self._early_s = early_s
        self._last: int | None = None

    def take(self, utc_s: float) -> int | None:
        """The second to publish under, or None when this topic already had it."""
        second = floor(utc_s)
        if self._last is not None and second <= self._last:
            second = floor(utc_s + self._early_s)
            if second <= self._last:
                return None
        self._last = second
        return second

    def state(self) -> int | None:
        """The last second, for JSON."""
        return self._last

    def restore(self, state: int | None) -> None:
        """Go on where state() was."""
        self._last = state

    def reset(self) -> None:
        """The clock was set back: later seconds were wrong, so they no longer bar the right ones."""
        self._last = None
