"""Readings as lines of InfluxDB's line protocol (docs.influxdata.com, "Line protocol": measurement, tags, fields, timestamp)."""

import re
from collections.abc import Mapping
from typing import Final

from .points import Point
from .sensor_labels import Label
from .topics import decimal

_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]+")


def _plain(text: str) -> str:
    # No line end may get into a line, and a backslash at the end would take the separator's meaning away.
    return _CONTROL.sub(" ", text).rstrip("\\ ").strip()


def escape_measurement(name: str) -> str:
    """A measurement's name as it stands in a line."""
    return _plain(name).replace(",", r"\,").replace(" ", r"\ ")


def escape_tag(text: str) -> str:
    """A tag's key or value as it stands in a line; empty when nothing of it may stand there, which leaves no tag."""
    return escape_measurement(text).replace("=", r"\=")


class LineWriter:
    """``measurement,sensor=<id>,...,kind=gauge,series=0,unit=W value=2298 1700000000``: times in whole seconds as measured.

    The same reading gives the same line again, which these engines keep once."""

    def __init__(self, measurement: str, tags: Mapping[str, str]) -> None:
        """``tags``: further ones for every line."""
        self._measurement, self._tags = escape_measurement(measurement), dict(tags)
        self._labels: Mapping[str, Label] = {}
        self._heads: dict[tuple[str, int, str, str], str] = {}

    def line(self, point: Point, labels: Mapping[str, Label]) -> str:
        """One point's line, without its end. ``labels``: of the sensors, by id; a sensor without one has no such tags."""
        if labels is not self._labels:
            self._labels = labels
            self._heads.clear()
        key = point.sensor_id, point.series, point.kind, point.unit
        head = self._heads.get(key)
        if head is None:
            head = self._heads[key] = self._head(point)
        return f"{head} value={decimal(point.milli)} {point.time_s}"

    def _head(self, point: Point) -> str:
        label = self._labels.get(point.sensor_id, Label("", ""))
        own = {
            "sensor": point.sensor_id,
            "function": label.function,
            "type": label.kind,
            "kind": point.kind,
            "series": str(point.series),
            "unit": point.unit,
        }
        tags = {escape_tag(key): escape_tag(value) for key, value in (self._tags | own).items()}
        return ",".join([self._measurement, *(f"{key}={tags[key]}" for key in sorted(tags) if tags[key])])
