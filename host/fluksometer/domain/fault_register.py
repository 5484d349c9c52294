"""Which faults there are now: each begins once, is told once, and ends once. Pure; times come in as arguments."""

from collections.abc import Iterable
from dataclasses import dataclass

CALM_S = 10.0
"""A fault is over when nothing has been seen of it for so long ..."""
LEAST_S = 30.0
"""... and this long after it began, so that none is told more often."""
MOST_FAULTS = 64

Level = str
"""``info``, ``warning`` or ``error``, as the log calls them."""

News = tuple[Level, str, dict[str, object]]
"""A line for the log: level, event, fields."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """Something that is wrong at this moment. What and whose together are its identity; what it says may change."""

    what: str  # "clamp_open"
    says: str  # a sentence for a person, with what helps
    of: str = ""  # what the subject is: "port", "sink", "meter"; empty: there is one only
    subject: int | str = ""
    grave: bool = False  # readings are missing or wrong; else they are less good than they could be
    logged: bool = False  # whoever noticed it has written its own line already: only its end is news

    @property
    def identity(self) -> tuple[str, int | str]:
        """Whether it is the same fault as another."""
        return self.what, self.subject

    @property
    def whose(self) -> dict[str, object]:
        """The subject as a field; empty where there is one only."""
        return {self.of: self.subject} if self.of else {}


@dataclass(slots=True)
class Fault:
    """A condition that has begun and is not over."""

    condition: Condition
    since_s: float  # monotonic
    seen_s: float


class Faults:
    """The register. ``step`` compares it with what is wrong now; ``active`` are those that are not over, oldest first."""

    def __init__(self) -> None:
        self._faults: dict[tuple[str, int | str], Fault] = {}

    @property
    def active(self) -> list[Fault]:
        """Faults that are not over, oldest first."""
        return list(self._faults.values())

    def step(self, present: Iterable[Condition], now_s: float) -> list[News]:
        """What has begun and what is over, for the log. ``now_s``: monotonic; call it about once a second."""
        news: list[News] = []
        for condition in present:
            fault = self._faults.get(condition.identity)
            if fault:
                fault.condition, fault.seen_s = condition, now_s
            elif len(self._faults) < MOST_FAULTS:
                self._faults[condition.identity] = Fault(condition, now_s, now_s)
                if not condition.logged:
                    level = "error" if condition.grave else "warning"
                    news.append((level, condition.what, condition.whose | {"reason": condition.says}))
        for identity, fault in list(self._faults.items()):
            if now_s - fault.seen_s >= CALM_S and now_s - fault.since_s >= LEAST_S:
                del self._faults[identity]
                lasted_s = round(fault.seen_s - fault.since_s)
                fields: dict[str, object] = {"note": "is over", "lasted_s": lasted_s}
                news.append(("info", f"{fault.condition.what}_over", fault.condition.whose | fields))
        return news


class Minute:
    """How often something happened within the last minute, second by second."""

    def __init__(self) -> None:
        self._counts: dict[int, int] = {}

    def add(self, count: int, now_s: float) -> None:
        """It happened so often now."""
        self._counts[int(now_s)] = self._counts.get(int(now_s), 0) + count
        if len(self._counts) > 2 * 60:
            self._forget(now_s)

    def total(self, now_s: float) -> int:
        """In the last 60 s."""
        self._forget(now_s)
        return sum(self._counts.values())

    def _forget(self, now_s: float) -> None:
        self._counts = {second: count for second, count in self._counts.items() if second > now_s - 60}
