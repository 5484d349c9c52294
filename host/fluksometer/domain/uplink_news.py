"""What the threads of sinks and uplinks have to tell the log."""

from collections import Counter, deque

from .desk import Desk, Fault


class UplinkNews(Desk):
    """A desk for them all: ``warn`` and ``count`` may be called in any thread."""

    def __init__(self) -> None:
        self._faults: deque[Fault] = deque(maxlen=100)
        self._counts: Counter[str] = Counter()

    def warn(self, event: str, reason: str) -> None:
        """A line for the log."""
        self._faults.append((event, {"reason": reason}))

    def count(self, what: str, more: int = 1) -> None:
        """For the summary; each ``what`` is counted by one thread."""
        self._counts[what] += more

    def warnings(self) -> list[Fault]:
        """See Desk."""
        return [self._faults.popleft() for _ in range(len(self._faults))]

    def summary(self) -> dict[str, object]:
        """See Desk."""
        return dict(self._counts)
