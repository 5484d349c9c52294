"""The health of the whole Fluksometer: every sensor, the link, the board, the sinks. Values in, one message and log lines out."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Final

from .board_clock import CLOCK_SET_S
from .board_health import BoardHealth
from .fault_register import Condition, Fault, Faults, News
from .keeping_health import ClockState, KeepingHealth, LedgerState, SinkState
from .link_events import Event, PulsesCounted, WindowClosed
from .sensor_health import PortSensors, Quality, SensorHealth
from .sensors import Sensor
from .told import ToldSensor
from .told_health import ToldHealth
from .topics import Message

EVERY_S: Final = 60.0
MOST_BYTES: Final = 4096
_FAULT_BYTES: Final = 1800  # of them
_MOST_SAYS: Final = 200
_MOST_NAME: Final = 64
_ORDER: Final = list(Quality)


class HealthWatch:
    """Is told what happens, and answers once a second whether there is something to tell."""

    def __init__(
        self,
        device_id: str,
        sensors: Iterable[Sensor],
        told: Mapping[str, ToldSensor],
        *,
        apart: frozenset[str] = frozenset(),
    ) -> None:
        """``told``: by id, as it changes. ``apart``: classes of them that do not come through the board."""
        self._device_id = device_id
        self._board = BoardHealth()
        self._ports = PortSensors(sensors)
        self._told = ToldHealth(told, apart=apart)
        self._keeping = KeepingHealth()
        self._faults = Faults()
        self._counts: dict[str, int] = {}
        self._shown: object = None  # what the last message said, without what changes all the time
        self._shown_s = 0.0

    def take(self, event: Event, now_s: float) -> None:
        """The session told of it at ``now_s`` (monotonic, as every ``now_s`` here)."""
        self._board.take(event, now_s)
        match event:
            case WindowClosed(window=window):
                self._ports.take_window(window, now_s)
            case PulsesCounted(hello=hello, pulses=pulses):
                self._ports.take_pulses(hello.boot_id, pulses, now_s)

    def link(self, reason: str) -> None:
        """The port was opened (an empty reason), or is closed: why, and what helps."""
        self._board.link(reason)

    def link_counts(self, counts: Mapping[str, int], now_s: float) -> None:
        """Totals of the session, by name."""
        self._counts = dict(counts)
        self._board.take_counts(counts, now_s)

    def sensor_told(self, sensor_id: str, time_s: float | None, now_s: float) -> None:
        """A sensor of the ToldBook was told a value, measured at ``time_s`` (UTC; None: unknown)."""
        self._told.heard(sensor_id, time_s, now_s)

    def sink(self, name: str, state: SinkState, now_s: float) -> None:
        """How a sink fares."""
        self._keeping.take_sink(name, state, now_s)

    def ledger(self, state: LedgerState, now_s: float) -> None:
        """How the ledger fares."""
        self._keeping.take_ledger(state, now_s)

    def clock(self, state: ClockState, now_s: float) -> None:
        """How the clock fares."""
        self._keeping.take_clock(state, now_s)

    @property
    def summary(self) -> str:
        """State and faults in a few words: ``fault: clamp_open 2, sink_down mqtt``."""
        names = [f"{one.condition.what} {one.condition.subject}".strip() for one in self._faults.active]
        return f"{_state(self._faults.active)}: {', '.join(names)}" if names else "ok"

    def step(self, now_s: float, wall_s: float) -> tuple[Message | None, list[News]]:
        """Call it once a second. A message when something changed and each minute; lines for the log."""
        absent = self._board.absent
        self._ports.board_there(not absent, now_s)
        self._told.step(now_s)
        news = self._faults.step(self._conditions(now_s, absent), now_s)
        sensors = [*self._ports.sensors(now_s, absent), *self._told.sensors(now_s, absent)]
        active = self._faults.active
        said = (
            [one.condition.identity for one in active],
            [(one.sensor_id, one.quality) for one in sensors],
            (self._board.link_up, self._board.boots),
            [(name, sink.up) for name, sink in self._keeping.sinks.items()],
        )
        if said == self._shown and now_s - self._shown_s < EVERY_S:
            return None, news
        self._shown, self._shown_s = said, now_s
        return Message(f"/device/{self._device_id}/health", self._payload(active, sensors, now_s, wall_s)), news

    def _conditions(self, now_s: float, absent: str) -> list[Condition]:
        found = [*self._board.conditions(now_s), *self._keeping.conditions(now_s)]
        missing = any(one.what == "windows_missing" for one in found)  # explains the silence of each clamp
        found += [one for one in self._ports.conditions(now_s) if not (missing and one.what == "port_silent")]
        return found + list(self._told.conditions(now_s, absent))

    def _payload(self, active: list[Fault], sensors: list[SensorHealth], now_s: float, wall_s: float) -> str:
        known = wall_s >= CLOCK_SET_S
        worst = sorted(active, key=lambda one: not one.condition.grave)
        body: dict[str, object] = {
            "time": int(wall_s) if known else None,
            "state": _state(active),
            "qualities": Counter(one.quality.value for one in sensors),
            "sensors": {},
            "link": {"up": bool(self._board.link_up)} | self._counts,
            "board": self._board.section(),
            **self._keeping.sections(),
            "faults": [],
        }
        body["faults"], untold = _fitting(
            [_fault(one, now_s, wall_s if known else None) for one in worst], _FAULT_BYTES
        )
        if untold:
            body["faults_left_out"] = untold
        room = MOST_BYTES - len(_dumps(body)) - len(',"sensors_left_out":9999')
        fitting, left_out = _fitting(
            list(map(_sensor, sorted(sensors, key=lambda one: -_ORDER.index(one.quality)))), room
        )
        body["sensors"] = {key: entry for one in fitting for key, entry in one.items()}
        if left_out:
            body["sensors_left_out"] = left_out
        return _dumps(body)


def _fitting(entries: list[dict[str, object]], room: int) -> tuple[list[dict[str, object]], int]:
    # The first ones that fit into so many bytes, and how many do not.
    for count, entry in enumerate(entries):
        room -= len(_dumps(entry))
        if room < 0:
            return entries[:count], len(entries) - count
    return entries, 0


def _sensor(one: SensorHealth) -> dict[str, object]:
    age_s = None if one.age_s is None else round(one.age_s, 1)
    entry = {"function": one.function[:_MOST_NAME], "age_s": age_s, "quality": one.quality, "reason": one.reason}
    return {one.sensor_id: entry}


def _fault(fault: Fault, now_s: float, wall_s: float | None) -> dict[str, object]:
    since = None if wall_s is None else int(wall_s - (now_s - fault.since_s))
    condition = fault.condition
    return {"what": condition.what, **condition.whose, "since": since, "says": condition.says[:_MOST_SAYS]}


def _state(active: list[Fault]) -> str:
    if not active:
        return "ok"
    return "fault" if any(one.condition.grave for one in active) else "degraded"


def _dumps(value: object) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=True)
