"""The queue of readings that every sink reads at its own cursor: its end in memory, what is older in the ledger.

The bridge's loop appends and says what is committed; each sink reads in a thread of its own.
"""

import threading
from collections.abc import Callable, Sequence
from typing import Final

from fluksometer.domain.points import Point

Numbered = tuple[int, Point]  # a point and its id; ids ascend in the order of publication
Read = Callable[[int, int], list[Numbered]]  # (after this id, at most so many) -> in ascending order

KEEP: Final = 10_000  # half an hour of six readings a second; a sink that lags less never asks the disk


class Outbox:
    """Points that are not committed yet, and the newest ``keep`` of those that are."""

    def __init__(self, *, last_id: int = 0, read_ledger: Read = lambda _after_id, _limit: [], keep: int = KEEP) -> None:
        """``last_id``: of the ledger, which holds everything up to it. ``read_ledger`` is called in the sinks' threads."""
        self.last_id = last_id
        self._committed_id = last_id
        self._read_ledger = read_ledger
        self._keep = keep
        self._points: list[Point] = []  # ids last_id - len + 1 to last_id
        self._latest: dict[tuple[str, str], Numbered] = {}  # by topic: sensor and kind
        self._lock = threading.Lock()

    def append(self, points: Sequence[Point]) -> int:
        """Puts them at the end; the last one's id. The ledger gives them the same ids when it commits ``uncommitted``."""
        with self._lock:
            for number, point in enumerate(points, self.last_id + 1):
                self._latest[point.sensor_id, point.kind] = number, point
            self._points += points
            self.last_id += len(points)
            return self.last_id

    def uncommitted(self) -> list[Point]:
        """What the ledger does not have yet, in order."""
        with self._lock:
            return self._points[len(self._points) - (self.last_id - self._committed_id) :]

    @property
    def waiting(self) -> int:
        """How many points the ledger does not have yet."""
        return self.last_id - self._committed_id

    def committed(self, last_id: int) -> None:
        """The ledger has everything up to this id; memory lets go of what is old."""
        with self._lock:
            self._committed_id = last_id
            needless = len(self._points) - max(self._keep, self.last_id - last_id)
            if needless > self._keep // 8:  # in larger steps: each moves all that stays
                del self._points[:needless]

    def read(self, after_id: int, limit: int) -> list[Numbered]:
        """At most ``limit`` points behind ``after_id``, ids ascending; none when there are no later ones.

        Blocks for as long as the ledger takes when memory does not reach back so far. What the ledger has given up is passed over.
        """
        while (found := self._remembered(after_id, limit)) is None:
            first_id = self._first_id  # taken before the ledger is asked: what memory lets go of meanwhile is in there
            if older := self._read_ledger(after_id, limit):
                return older
            after_id = first_id - 1
        return found

    def latest(self) -> list[Numbered]:
        """The last point of each topic since the bridge was started."""
        with self._lock:
            return list(self._latest.values())

    @property
    def _first_id(self) -> int:
        with self._lock:
            return self.last_id - len(self._points) + 1

    def _remembered(self, after_id: int, limit: int) -> list[Numbered] | None:
        # None: memory does not reach back so far.
        with self._lock:
            first_id = self.last_id - len(self._points) + 1
            at = after_id + 1 - first_id
            return list(enumerate(self._points[at : at + limit], after_id + 1)) if at >= 0 else None
