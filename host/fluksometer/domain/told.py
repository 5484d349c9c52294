"""Sensors whose values somebody else measures and tells: the smart meter, a radio node, a Modbus meter. They are found when
they are first heard of; nothing has to be configured for them."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .board_clock import SecondStamp
from .points import Point

ANEW_AFTER = 60
"""Totals in a row that lie below the last one believed: an hour of a meter that is polled each minute."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ToldSensor:
    """One quantity that is told. ``counts``: a total, published as counter; else a present value, published as gauge."""

    sensor_id: str  # 32 lower-case hex digits
    sensor_class: str  # "cosem", "kube" or "uart", as a Fluksometer calls them
    kind: str  # what it is of: "electricity", "gas", "temperature"
    function: str  # its name for people
    unit: str
    counts: bool
    falls: bool = False  # a total that may fall: import less export, as the original counted
    steady: bool = False  # a present value that is told over and over again: published when it changes
    replaceable: bool = False  # another device may come to stand in its place, under the same id
    retain: bool = True  # False: an event, which a client that comes late must not take for a new one
    more: tuple[tuple[str, object], ...] = ()  # further keys of its section in the published configuration

    def section(self, series: int = 0) -> dict[str, object]:
        """How the published configuration describes it."""
        section: dict[str, object] = {
            "id": self.sensor_id,
            "enable": 1,
            "class": self.sensor_class,
            "type": self.kind,
            "function": self.function,
            "data_type": "counter" if self.counts else "gauge",
            "unit": self.unit,
            "rid": series,
        }
        return section | dict(self.more)


class ToldBook:
    """All sensors that were told of, and what is published of them."""

    def __init__(self) -> None:
        self.sensors: dict[str, ToldSensor] = {}  # by id, in the order in which they were found
        self.changed = False  # there are others, or they are called otherwise, since somebody set this to False
        self.refused: Counter[str] = Counter()  # by id: totals that fell
        self.heard: dict[
            str, float | None
        ] = {}  # by id: time of values that came since somebody emptied it, published or not
        self._stamps: dict[str, SecondStamp] = {}
        self._totals: dict[str, int] = {}
        self._names: dict[str, dict[str, str]] = {}  # function and unit of each total, for who looks into the ledger
        self._published: dict[str, int] = {}
        self._series: dict[str, int] = {}
        self._fallen: dict[str, tuple[int, int]] = {}  # totals refused one behind the other: how many, and the last

    def know(self, sensor: ToldSensor) -> None:
        """This sensor is there, whether or not it has told a value yet."""
        if self.sensors.get(sensor.sensor_id) != sensor:
            self.sensors[sensor.sensor_id] = sensor
            self.changed = True

    def forget(self, sensor_id: str) -> None:
        """This sensor is there no more."""
        if self.sensors.pop(sensor_id, None):
            self.changed = True

    def take(self, sensor: ToldSensor, milli: int, time_s: float | None) -> list[Point]:
        """A value in thousandths of the sensor's unit, true at ``time_s`` (UTC; None: unknown, then nothing is published).

        A total that falls is refused and counted; one that did not change is published once only. Where a sensor is replaceable
        and ANEW_AFTER totals in a row stay below, yet never fall among themselves, it was replaced: a new series begins.
        """
        self.know(sensor)
        one = sensor.sensor_id
        if sensor.counts:
            if milli < self._totals.get(one, milli) and not sensor.falls and not self._replaced(sensor, milli):
                self.refused[one] += 1
                return []
            self._fallen.pop(one, None)
            self._totals[one] = milli
            self._names[one] = {"function": sensor.function, "unit": sensor.unit}
        self.heard[one] = time_s
        if (sensor.counts or sensor.steady) and self._published.get(one) == milli:
            return []
        if time_s is None:
            return []
        second = self._stamps.setdefault(one, SecondStamp()).take(time_s)
        if second is None:
            return []
        self._published[one] = milli
        series = self._series.get(one, 0)
        return [Point(one, series, "counter" if sensor.counts else "gauge", second, milli, sensor.unit, sensor.retain)]

    def take_flow(self, sensor: ToldSensor, milli: int, unit: str, time_s: float | None) -> list[Point]:
        """The present flow beside a total, under the same id: thousandths of ``unit``."""
        self.know(sensor)
        stamp = self._stamps.setdefault(f"{sensor.sensor_id} flow", SecondStamp())
        second = None if time_s is None else stamp.take(time_s)
        if second is None:
            return []
        series = self._series.get(sensor.sensor_id, 0)
        return [Point(sensor.sensor_id, series, "gauge", second, milli, unit, sensor.retain)]

    def clock_set_back(self) -> None:
        """The host's clock was stepped back: seconds already used no longer count."""
        for stamp in self._stamps.values():
            stamp.reset()

    def sections(self) -> list[dict[str, object]]:
        """How the published configuration describes all of them."""
        return [sensor.section(self._series.get(sensor.sensor_id, 0)) for sensor in self.sensors.values()]

    def state(self) -> dict[str, Any]:
        """By name, what has to be known after a restart of the bridge, for JSON."""
        states: dict[str, Any] = {}
        for name, stamp in self._stamps.items():
            states[f"told {name}"] = {"second": stamp.state()}
        for one, total in self._totals.items():
            more = {"total_milli": total, "series": self._series.get(one, 0)} | self._names.get(one, {})
            states[f"told {one}"] = states.get(f"told {one}", {"second": None}) | more
        return states

    def restore(self, states: Mapping[str, Any]) -> None:
        """Go on where state() was. A sensor shows up again when it is heard of."""
        for name, state in states.items():
            kind, _, one = name.partition(" ")
            if kind != "told":
                continue
            stamp = self._stamps.setdefault(one, SecondStamp())
            stamp.restore(state["second"])
            if "total_milli" in state:
                self._totals[one], self._series[one] = state["total_milli"], state["series"]
                self._names[one] = {key: state[key] for key in ("function", "unit") if key in state}

    def begin_series(self, sensor_id: str) -> bool:
        """A deliberate new series of this sensor's total. False when there is no such sensor."""
        if sensor_id not in self._totals:
            return False
        self._series[sensor_id] = self._series.get(sensor_id, 0) + 1
        self._totals.pop(sensor_id)
        self._published.pop(sensor_id, None)
        self.changed = True
        return True

    def _replaced(self, sensor: ToldSensor, milli: int) -> bool:
        one = sensor.sensor_id
        times, last = self._fallen.get(one, (0, 0))
        times = times + 1 if milli >= last else 1
        self._fallen[one] = times, milli
        return sensor.replaceable and times >= ANEW_AFTER and self.begin_series(one)
