"""Sensors whose values somebody else measures and tells: the smart meter, a radio node, a Modbus meter. They are found when
they are first heard of; nothing has to be configured for them."""

from collections import Counter
from dataclasses import dataclass

from .board_clock import SecondStamp
from .topics import Message, decimal


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
    retain: bool = True  # False: an event, which a client that comes late must not take for a new one
    more: tuple[tuple[str, object], ...] = ()  # further keys of its section in the published configuration

    def section(self) -> dict[str, object]:
        """How the published configuration describes it."""
        section: dict[str, object] = {
            "id": self.sensor_id,
            "enable": 1,
            "class": self.sensor_class,
            "type": self.kind,
            "function": self.function,
            "data_type": "counter" if self.counts else "gauge",
            "unit": self.unit,
            "rid": 0,
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
        self._published: dict[str, int] = {}

    def know(self, sensor: ToldSensor) -> None:
        """This sensor is there, whether or not it has told a value yet."""
        if self.sensors.get(sensor.sensor_id) != sensor:
            self.sensors[sensor.sensor_id] = sensor
            self.changed = True

    def forget(self, sensor_id: str) -> None:
        """This sensor is there no more."""
        if self.sensors.pop(sensor_id, None):
            self.changed = True

    def take(self, sensor: ToldSensor, milli: int, time_s: float | None) -> list[Message]:
        """A value in thousandths of the sensor's unit, true at ``time_s`` (UTC; None: unknown, then nothing is published).

        A total that falls is refused and counted; one that did not change is published once only.
        """
        self.know(sensor)
        one = sensor.sensor_id
        if sensor.counts:
            if milli < self._totals.get(one, milli) and not sensor.falls:
                self.refused[one] += 1
                return []
            self._totals[one] = milli
        self.heard[one] = time_s
        if (sensor.counts or sensor.steady) and self._published.get(one) == milli:
            return []
        if time_s is None:
            return []
        second = self._stamps.setdefault(one, SecondStamp()).take(time_s)
        if second is None:
            return []
        self._published[one] = milli
        what = "counter" if sensor.counts else "gauge"
        payload = f'[{second},{decimal(milli)},"{sensor.unit}"]'
        return [Message(f"/sensor/{one}/{what}", payload, sensor.retain)]

    def take_flow(self, sensor: ToldSensor, milli: int, unit: str, time_s: float | None) -> list[Message]:
        """The present flow beside a total, under the same id: thousandths of ``unit``."""
        self.know(sensor)
        stamp = self._stamps.setdefault(f"{sensor.sensor_id} flow", SecondStamp())
        second = None if time_s is None else stamp.take(time_s)
        if second is None:
            return []
        return [Message(f"/sensor/{sensor.sensor_id}/gauge", f'[{second},{decimal(milli)},"{unit}"]', sensor.retain)]

    def clock_set_back(self) -> None:
        """The host's clock was stepped back: seconds already used no longer count."""
        for stamp in self._stamps.values():
            stamp.reset()
