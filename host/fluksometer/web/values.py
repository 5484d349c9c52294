"""Values of the history for a request."""

from typing import Final

from numpy import float64
from numpy.typing import NDArray

from fluksometer.domain.history import History
from fluksometer.domain.history_bins import covering, growths, means, rates
from fluksometer.domain.history_query import Span
from fluksometer.domain.live_sensors import LiveSensor
from fluksometer.domain.rest_units import unit_of

from .parts import Parts
from .table import Refused

_NIGHT_EVERY_S: Final = 900  # where an hour may begin, in any zone
_KUBE_HOLD_S: Final = 600  # a kube measures every 64 s
_HOLD_S: Final = 86_400  # others tell a present value only when it changes


def known(parts: Parts, sensor_id: str) -> LiveSensor:
    """Refused when there is no such sensor."""
    sensor = parts.live.get(sensor_id)
    if sensor is None:
        raise Refused(404, "there is no such sensor")
    return sensor


def binned(
    history: History, sensor: LiveSensor, span: Span, parts: Parts, *, whole: bool = True, amount: bool = False
) -> tuple[list[tuple[int, int]], NDArray[float64]]:
    """Stretches of time, and thousandths of the sensor's unit: of a total per second (``amount``: at all), of a present value
    itself. ``whole``: as history_bins.rates. Refused when nothing was ever stored. For a thread."""
    counts = unit_of(sensor.section)[1]
    every_s = (_NIGHT_EVERY_S if span.night else span.step_s) if counts else 1
    alive_s = min(sensor.last_s or 0, int(parts.now_s()))
    bins = span.bins(parts.zone)
    series = covering(history, sensor.sensor_id, span.start_s, span.end_s, every_s)
    if not series and history.last(sensor.sensor_id) is None:
        raise Refused(404, "nothing was stored of this sensor yet")
    if amount:
        return bins, growths(series, bins, alive_s)
    if counts:
        return bins, rates(series, bins, alive_s, whole=whole)
    hold_s = _KUBE_HOLD_S if sensor.section.get("class") == "kube" else _HOLD_S
    return bins, means(series, bins, alive_s, hold_s, whole=whole)
