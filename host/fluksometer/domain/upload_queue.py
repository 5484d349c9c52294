"""What waits for a Flukso-compatible server: whole totals by sensor, ever fewer the older they are."""

from collections.abc import Collection, Sequence
from typing import Final

from .flukso_call import CLOCK_SET_S, Measurement
from .points import Point

UNITS: Final = ("Wh", "L")
_MINUTE_S, _QUARTER_S, _DAY_S = 60, 900, 86_400
_FINE_S, _MIDDLE_S = 2 * 3600, 2 * _DAY_S
_THIN_FROM: Final = 5000  # measurements of one sensor


def thin(measurements: Sequence[Measurement], now_s: int) -> list[Measurement]:
    """The first and the last of each 60 s; of each 900 s where older than 2 h; of each day where older than 2 days. Spans begin
    at multiples of their length. Seconds must ascend. Thinned again, also later and with more behind, it is what it would be
    had it been thinned once."""
    kept: list[Measurement] = []
    run: tuple[int, int] | None = None
    at_second = False  # the last one kept is the second of its span: a later one takes its place
    for one in measurements:
        span = _span(one[0], now_s)
        if span != run:
            run, at_second = span, False
        elif at_second:
            kept.pop()
        else:
            at_second = True
        kept.append(one)
    return kept


def _span(time_s: int, now_s: int) -> tuple[int, int]:
    age_s = now_s - time_s
    length_s = _MINUTE_S if age_s <= _FINE_S else _QUARTER_S if age_s <= _MIDDLE_S else _DAY_S
    return length_s, time_s // length_s


class UploadQueue:
    """Totals in Wh and litres, whenever their whole number has changed."""

    def __init__(self, only: Collection[str] = ()) -> None:
        """``only``: ids of the sensors to upload; none: all that count."""
        self._only = frozenset(only)
        self._waiting: dict[str, list[Measurement]] = {}  # by sensor, seconds ascending
        self._last: dict[str, Measurement] = {}

    def add(self, point: Point, now_s: int) -> None:
        """One more reading, if it is one to upload."""
        if point.kind != "counter" or point.unit not in UNITS or point.time_s <= CLOCK_SET_S:
            return
        if self._only and point.sensor_id not in self._only:
            return
        last_s, last = self._last.get(point.sensor_id, (0, None))
        whole = point.milli // 1000
        if point.time_s <= last_s or whole == last:
            return
        self._last[point.sensor_id] = point.time_s, whole
        queue = self._waiting.setdefault(point.sensor_id, [])
        queue.append((point.time_s, whole))
        if len(queue) % _THIN_FROM == 0:
            self._waiting[point.sensor_id] = thin(queue, now_s)

    def thinned(self, now_s: int) -> dict[str, list[Measurement]]:
        """What to send, by sensor."""
        self._waiting = {one: thin(queue, now_s) for one, queue in self._waiting.items() if queue}
        return dict(self._waiting)

    def sent(self, sensor_id: str) -> None:
        """The server has all of this sensor's."""
        self._waiting.pop(sensor_id, None)
