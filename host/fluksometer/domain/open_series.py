"""Values of the history that are in no file yet: what is logged of which sensor, in which order, and what is written when."""

from array import array
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from .points import Kind, Point
from .tmpo import CLOCK_LEAST_S

Values = tuple["array[int]", "array[int]"]
"""Seconds (UTC), strictly ascending, and thousandths of the unit."""
Sections = Mapping[str, Mapping[str, object]]
"""The sensor configuration as published, by sensor id."""

_NOT_IN_BLOCKS = ("enable", "counter", "tmpo")


class Channel(NamedTuple):
    """One kind of value of one series."""

    sensor_id: str
    rid: int
    kind: Kind


def _numbers() -> "array[int]":
    return array("q")


@dataclass(slots=True)
class _Open:
    unit: str
    times: "array[int]" = field(default_factory=_numbers)
    milli: "array[int]" = field(default_factory=_numbers)
    numbers: "array[int]" = field(default_factory=_numbers)  # in the outbox

    def drop(self, count: int) -> None:
        del self.times[:count], self.milli[:count], self.numbers[:count]


class OpenSeries:
    """Takes points in the order of the outbox. ``stored_s``: the newest second of a sensor and rid that is in a file, or None."""

    def __init__(self, stored_s: Callable[[str, int], int | None]) -> None:
        self._stored_s = stored_s
        self._open: dict[Channel, _Open] = {}
        self._newest: dict[Channel, int] = {}  # of those that came since the start
        self.sections: Sections = {}
        self.counts: Counter[str] = Counter()
        self.newest_s = 0  # of all that came since the start

    def __len__(self) -> int:
        return sum(len(one.times) for one in self._open.values())

    def push(self, number: int, point: Point) -> None:
        """One more point; left out when its sensor is not logged, or its second is not later than what is there."""
        channel = Channel(point.sensor_id, point.series, point.kind)
        section = self.sections.get(point.sensor_id)
        if point.time_s < CLOCK_LEAST_S or (section is not None and not is_logged(section, point.kind)):
            return
        newest = self._newest.get(channel)
        if newest is None:
            stored_s = self._stored_s(point.sensor_id, point.series)
            if stored_s is not None and point.time_s <= stored_s:
                return  # an earlier run has written it, and was ended before the ledger knew
        elif point.time_s <= newest:
            self.counts["history_late"] += 1
            return
        self._newest[channel] = point.time_s
        self.newest_s = max(self.newest_s, point.time_s)
        one = self._open.setdefault(channel, _Open(point.unit))
        one.times.append(point.time_s)
        one.milli.append(point.milli)
        one.numbers.append(number)
        one.unit = point.unit

    def before(self, end_s: int) -> dict[Channel, Values]:
        """What there is before this second; at least one value each."""
        found = {channel: bisect_left(one.times, end_s) for channel, one in self._open.items()}
        return {channel: self._samples(channel, count) for channel, count in found.items() if count}

    def sensor(self, sensor_id: str) -> dict[Channel, Values]:
        """All there is of a sensor."""
        mine = [channel for channel in self._open if channel.sensor_id == sensor_id]
        return {channel: self._samples(channel, len(self._open[channel].times)) for channel in mine}

    def sensors(self) -> list[str]:
        """Those of which there is something."""
        return list(dict.fromkeys(channel.sensor_id for channel in self._open))

    def drop_before(self, end_s: int) -> None:
        """What is before this second is written."""
        for channel in list(self._open):
            one = self._open[channel]
            one.drop(bisect_left(one.times, end_s))
            if not one.times:
                del self._open[channel]

    def first_number(self) -> int | None:
        """Of the earliest point in the outbox that is in no file yet."""
        return min((one.numbers[0] for one in self._open.values()), default=None)

    def cfg(self, channel: Channel) -> dict[str, object]:
        """What a block says of its sensor."""
        section = self.sections.get(channel.sensor_id, {"id": channel.sensor_id, "data_type": channel.kind})
        kept = {key: value for key, value in section.items() if key not in _NOT_IN_BLOCKS}
        return kept | {"rid": channel.rid, "unit": self._open[channel].unit}

    def _samples(self, channel: Channel, count: int) -> Values:
        one = self._open[channel]
        return one.times[:count], one.milli[:count]


def is_logged(section: Mapping[str, object], kind: Kind) -> bool:
    """Whether values of this kind go into the history: those that a sensor is about, unless it is told to keep none."""
    wanted = section.get("enable") != 0 and section.get("tmpo") != 0
    return wanted and section.get("data_type", "counter") == kind
