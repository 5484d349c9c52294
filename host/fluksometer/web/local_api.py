"""The local API of the original: the present values of the last minute, without login (flukso.md 5.1)."""

from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from fluksometer.domain.live_sensors import Slot
from fluksometer.domain.topics import decimal

from .access import VERSION
from .jsonp import callback_of, json_response
from .parts import Parts
from .table import Refused, given, header

UNITS: Final = ("watt", "lperday")
NAN: Final = '"nan"'
MALFORMED: Final = "Malformed query string: interval, unit and version query parameters are required."


async def last_minute(parts: Parts, request: Request, sensor_id: str) -> Response:
    """[[second, value], ...] of the last minute; "nan" behind the newest value."""
    versions = [one for one in (given(request, "version"), header(request, "X-Version")) if one is not None]
    right = given(request, "interval") == "minute" and given(request, "unit") in UNITS
    if not right or not versions or any(one != VERSION for one in versions):
        raise Refused(400, MALFORMED)
    callback = callback_of(request)
    sensor = parts.live.get(sensor_id)
    if sensor is None or not sensor.enabled:
        raise Refused(404, "there is no such sensor")
    return json_response(_text(sensor.window(int(parts.now_s()))), callback)


def _text(slots: list[Slot]) -> str:
    values = [(second, NAN if milli is None else decimal(milli)) for second, milli in slots]
    return "[" + ",".join(f"[{second},{value}]" for second, value in values) + "]"
