"""What readings are handed on to: each sink reads the outbox at its own cursor, so the outage of one delays no other."""

import random
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from fluksometer.errors import StateFault
from fluksometer.outbox import Numbered, Outbox

RETRY_LEAST_S: Final = 1.0
_RETRY_MOST_S: Final = 300.0
_TICK_S: Final = 1.0  # how often the outbox is looked at, at least


class Sink(Protocol):
    """Hands on every reading, in order. ``start``, ``wake`` and ``stop`` are for the loop's thread; ``stop`` may block for a few
    seconds."""

    name: str  # in the ledger, the health and the log
    cursor: int  # id of the last point up to which everything is delivered for good
    published: int  # since the start, for the summary
    down: str | None  # why nothing can be delivered now

    def start(self) -> None: ...

    def wake(self) -> None: ...

    def stop(self) -> None: ...


@dataclass(frozen=True, slots=True)
class SinkChanged:
    """A sink can't deliver any more, for this reason; an empty reason: it can again. Told once for each new reason."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class Seat:
    """What the bridge gives a sink. ``tell`` may be called in any thread."""

    outbox: Outbox
    cursor: int
    tell: Callable[[SinkChanged], None]


class Undelivered(Exception):
    """The whole batch has to be delivered again; the text says why. ``after_s``: not before, where the other end said so."""

    def __init__(self, reason: str, after_s: float = 0.0) -> None:
        super().__init__(reason)
        self.after_s = after_s


class BatchSink:
    """A sink that delivers points in batches, in a thread of its own; tries again for ever, ever later, with jitter."""

    def __init__(
        self,
        name: str,
        deliver: Callable[[Sequence[Numbered]], None],
        seat: Seat,
        *,
        most: int = 5000,
        every_s: float = 0.0,
        retry_most_s: float = _RETRY_MOST_S,
        settle_s: float = 0.0,
    ) -> None:
        """``deliver`` returns when the other end has all of its points, or raises Undelivered. ``most`` points at once;
        ``every_s`` seconds at least between two that do not follow an outage. ``settle_s``: for so long the other end may still
        lose what it has taken, so that it is delivered again behind an outage."""
        self.name, self.cursor = name, min(seat.cursor, seat.outbox.last_id)
        self.published = 0
        self.down: str | None = None
        self._deliver, self._outbox, self._tell = deliver, seat.outbox, seat.tell
        self._most, self._every_s, self._retry_most_s = most, every_s, retry_most_s
        self._retry_s = RETRY_LEAST_S
        self._sent_id, self._settle_s = self.cursor, settle_s
        self._settling: deque[tuple[float, int]] = deque()  # when it was taken, and up to which point
        self._woken, self._stopping = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"{name}-sink", daemon=True)

    def start(self) -> None:
        """Deliver, until stopped."""
        self._thread.start()

    def wake(self) -> None:
        """There are new points in the outbox."""
        self._woken.set()

    def stop(self) -> None:
        """Deliver what is there, if that goes at once; end the thread."""
        self._stopping.set()
        self._woken.set()
        if self._thread.is_alive():
            self._thread.join()

    # --- in the sink's thread ---

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._woken.wait(_TICK_S)
            self._woken.clear()
            began_s = time.monotonic()
            wait_s = self._drain()
            rest_s = wait_s or self._every_s - (time.monotonic() - began_s)
            self._stopping.wait(max(0.0, rest_s))
        if self.down is None:
            self._drain()

    def _drain(self) -> float:
        """Deliver until nothing is left; seconds to wait after a fault, else 0."""
        while True:
            try:
                self._settle()
                points = self._outbox.read(self._sent_id, self._most)
                if not points:
                    return 0.0
                self._deliver(points)
            except (StateFault, Undelivered) as fault:
                return self._failed(fault)
            self._sent_id = points[-1][0]
            self._settling.append((time.monotonic(), self._sent_id))
            self._settle()
            self.published += len(points)
            self._retry_s = RETRY_LEAST_S
            self._say(None)
            if self._stopping.is_set():
                return 0.0

    def _settle(self) -> None:
        settled_s = time.monotonic() - self._settle_s
        while self._settling and self._settling[0][0] <= settled_s:
            self.cursor = self._settling.popleft()[1]

    def _failed(self, fault: Exception) -> float:
        self._sent_id = self.cursor
        self._settling.clear()
        self._say(str(fault))
        wait_s = max(self._retry_s, getattr(fault, "after_s", 0.0)) * random.uniform(1.0, 1.3)
        self._retry_s = min(2 * self._retry_s, self._retry_most_s)
        return wait_s

    def _say(self, reason: str | None) -> None:
        if reason != self.down:
            self.down = reason
            self._tell(SinkChanged(self.name, reason or ""))
