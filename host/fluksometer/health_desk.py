"""Gathers how everything fares once a second, publishes it and writes what changed into the log."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field

from structlog.typing import FilteringBoundLogger

from fluksometer.domain.board_clock import HostTime
from fluksometer.domain.desk import Ask, Desk
from fluksometer.domain.health import HealthWatch
from fluksometer.domain.keeping_health import ClockState, LedgerState, SinkState
from fluksometer.domain.link_events import Event, LinkCounts
from fluksometer.domain.readings import Hello
from fluksometer.domain.sensors import Sensor
from fluksometer.domain.told import ToldBook
from fluksometer.domain.topics import Message

STEP_S = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What is looked at once a second."""

    counts: LinkCounts
    sinks: Mapping[str, SinkState] = field(default_factory=dict)
    ledger: LedgerState = field(default_factory=LedgerState)
    clock: ClockState = field(default_factory=ClockState)


class HealthDesk(Desk):
    """Serves no terminal: it watches them all. ``see`` and ``link`` are told what happens, ``look`` is asked once a second."""

    def __init__(
        self,
        device_id: str,
        sensors: Sequence[Sensor],
        told: ToldBook,
        *,
        look: Callable[[], Surroundings],
        clock: Callable[[], HostTime],
        log: FilteringBoundLogger,
        apart: frozenset[str] = frozenset(),
    ) -> None:
        """``apart``: classes of told sensors that do not come through the board, as HealthWatch."""
        self._watch = HealthWatch(device_id, sensors, told.sensors, apart=apart)
        self._told, self._look, self._clock, self._log = told, look, clock, log
        self._next_s = 0.0

    def link(self, reason: str) -> None:
        """The port was opened (an empty reason), or is closed: why, and what helps."""
        self._watch.link(reason)

    def see(self, event: Event) -> None:
        """An event of the session."""
        self._watch.take(event, self._clock().mono_s)

    def next_deadline_s(self) -> float | None:
        """As Desk."""
        return self._next_s

    def step(self, hello: Hello | None, now_s: float) -> tuple[list[Message], list[Ask]]:
        """As Desk: once a second, whatever wakes the bridge."""
        for sensor_id, time_s in self._told.heard.items():
            self._watch.sensor_told(sensor_id, time_s, now_s)
        self._told.heard.clear()
        if now_s < self._next_s:
            return [], []
        self._next_s = now_s + STEP_S
        around, watch = self._look(), self._watch
        watch.link_counts(asdict(around.counts), now_s)
        watch.ledger(around.ledger, now_s)
        watch.clock(around.clock, now_s)
        for name, state in around.sinks.items():
            watch.sink(name, state, now_s)
        message, news = watch.step(now_s, self._clock().wall_s)
        for level, event, fields in news:
            getattr(self._log, level)(event, **fields)
        return [message] if message else [], []

    def summary(self) -> dict[str, object]:
        """As Desk."""
        return {"health": self._watch.summary}
