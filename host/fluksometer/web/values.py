"""Values of the history for a request."""

from typing import TYPE_CHECKING, Final

from fluksometer.domain.history import History
from fluksometer.domain.history_query import Span
from fluksometer.domain.live_sensors import LiveSensor
from fluksometer.domain.rest_units import unit_of

from .parts import Parts
from .table import Refused

if TYPE_CHECKING:
    from numpy import float64
    from numpy.typing import NDArray

_NIGHT_EVERY_S: Final = 900  # where an hour may begin, in any zone
_KUBE_HOLD_S: Final = 600  # a kube measures every 64 s
_PRESENT_MOST_S: Final = 400 * 86_400
_AT_A_TIME_S: Final = 86_400
_HOLD_S: Final = 86_400  # others tell a present value only when it changes


def known(parts: Parts, sensor_id: str) -> LiveSensor:
    """Refused when there is no such sensor."""
    sensor = parts.live.get(sensor_id)
    if sensor is None:
        raise Refused(404, "there is no such sensor")
    return sensor


def binned(
    history: History, sensor: LiveSensor, span: Span, parts: Parts, *, whole: bool = True, amount: bool = False
) -> "tuple[list[tuple[int, int]], NDArray[float64]]":
    """Stretches of time, and thousandths of the sensor's unit: of a total per second (``amount``: at all), of a present value
    itself. ``whole``: as history_bins.rates. Refused when nothing was ever stored. For a thread."""
    from fluksometer.domain.history_bins import covering, growths, rates  # NumPy: for those who ask

    if history.last(sensor.sensor_id) is None:
        raise Refused(404, "nothing was stored of this sensor yet")
    bins = span.bins(parts.zone)
    if not unit_of(sensor.section)[1]:
        return bins, _present_values(history, sensor, span, bins, parts, whole)
    every_s = _NIGHT_EVERY_S if span.night else span.step_s
    series = covering(history, sensor.sensor_id, span.start_s, span.end_s, every_s)
    if amount:
        return bins, growths(series, bins, _alive_s(sensor, parts))
    return bins, rates(series, bins, _alive_s(sensor, parts), whole=whole)


def _present_values(
    history: History, sensor: LiveSensor, span: Span, bins: list[tuple[int, int]], parts: Parts, whole: bool
) -> "NDArray[float64]":
    # Every value counts, so they are read a day at a time: a year of seconds would not fit into memory.
    import numpy as np

    from fluksometer.domain.history_bins import covering, means

    if span.end_s - span.start_s > _PRESENT_MOST_S:
        raise Refused(400, f"of present values at most {_PRESENT_MOST_S // 86_400} days can be asked for at once")
    hold_s = _KUBE_HOLD_S if sensor.section.get("class") == "kube" else _HOLD_S
    found = []
    per_group = max(1, _AT_A_TIME_S // span.step_s)
    for first in range(0, len(bins), per_group):
        group = bins[first : first + per_group]
        series = covering(history, sensor.sensor_id, group[0][0], group[-1][1], 1, hold_s)
        found.append(means(series, group, _alive_s(sensor, parts), hold_s, whole=whole))
    return np.concatenate(found) if found else np.empty(0)


def _alive_s(sensor: LiveSensor, parts: Parts) -> int:
    return min(sensor.last_s or 0, int(parts.now_s()))
