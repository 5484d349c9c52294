"""What is known of every sensor at this moment: its configuration, its last values, and the last minute of its present value."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from .points import Point

WINDOW_S: Final = 60

Slot = tuple[int, int | None]
"""UTC in seconds, and thousandths of the unit; None: not known."""


@dataclass(slots=True)
class LiveSensor:
    """One sensor. ``section``: as the published configuration describes it."""

    sensor_id: str
    section: Mapping[str, object]
    gauge: Point | None = None
    counter: Point | None = None
    minute: dict[int, int] = field(
        default_factory=dict
    )  # second -> thousandths, ascending, of the last minute that has any
    first_s: int | None = None  # second of the first present value

    @property
    def enabled(self) -> bool:
        """Whether it is measured."""
        return bool(self.section.get("enable"))

    @property
    def last_s(self) -> int | None:
        """When something was measured last."""
        return max((one.time_s for one in (self.gauge, self.counter) if one), default=None)

    def window(self, now_s: int) -> list[Slot]:
        """The last minute, a slot for each second, ascending: a second without a value has that of the next one that has;
        those behind the newest are not known. Empty while nothing was measured. (flukso.md 5.1, "polish".)"""
        if self.first_s is None:
            return []
        slots: list[Slot] = []
        value: int | None = None
        for second in range(now_s, max(now_s - WINDOW_S, self.first_s - 1), -1):
            value = self.minute.get(second, value)
            slots.append((second, value))
        return slots[::-1]

    def take(self, point: Point) -> None:
        """A new value."""
        if point.kind == "counter":
            self.counter = point
            return
        second = point.time_s
        if self.first_s is None or second < self.first_s:
            self.first_s = second
        self.gauge = point
        if self.minute and second <= next(reversed(self.minute)):
            # What lies behind it was stamped before the clock was set back.
            self.minute = {one: milli for one, milli in self.minute.items() if one < second}
        self.minute[second] = point.milli
        while (oldest_s := next(iter(self.minute))) <= second - WINDOW_S:
            del self.minute[oldest_s]


class LiveSensors:
    """All of them, by id, in the order of the configuration."""

    def __init__(self) -> None:
        self._sensors: dict[str, LiveSensor] = {}

    def configured(self, sections: Mapping[str, Mapping[str, object]]) -> None:
        """The sensor configuration, as published; a sensor that is there no more is forgotten."""
        before, self._sensors = self._sensors, {}
        for section in sections.values():
            one = section.get("id")
            if isinstance(one, str):
                known = before.get(one)
                if known:
                    known.section = dict(section)
                self._sensors[one] = known or LiveSensor(one, dict(section))

    def published(self, points: Sequence[Point]) -> None:
        """These readings were handed to the sinks."""
        for point in points:
            # One that is heard of for the first time is described a moment later.
            self._sensors.setdefault(point.sensor_id, LiveSensor(point.sensor_id, {})).take(point)

    def get(self, sensor_id: str) -> LiveSensor | None:
        """The one with that id."""
        sensor = self._sensors.get(sensor_id)
        return sensor if sensor and sensor.section else None

    def all(self) -> list[LiveSensor]:
        """Every one, disabled ones too."""
        return [sensor for sensor in self._sensors.values() if sensor.section]
