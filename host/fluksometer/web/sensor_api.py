"""``/sensor/<id>``: the last minute without login, as on the device; with a token the history, as on its server."""

import json
from fractions import Fraction
from math import copysign, floor, isnan
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from fluksometer.domain.history_query import DEPTHS, RANGES, BadQuery, span_of
from fluksometer.domain.live_sensors import LiveSensor
from fluksometer.domain.rest_units import UNITS, BadUnit, old_conversion, unit_of
from fluksometer.domain.units import plain

from .access import SID, TOKENS, VERSIONS, accepted, need_token, need_version, token_of
from .jsonp import CALLBACKS, callback_of, json_response
from .local_api import NAN, last_minute
from .parts import Parts
from .table import CSV, JSON, TEXT, Answer, Endpoint, Param, Refused, given
from .values import binned, known

_HISTORY: Final = ("start", "end", "resolution", "param")
SERIES: Final[dict[str, Any]] = {
    "type": "array",
    "items": {
        "type": "array",
        "items": {"anyOf": [{"type": "number"}, {"const": "nan"}]},  # time and value
        "minItems": 2,
        "maxItems": 2,
    },
}
PARAMETERS: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {
        "access": {"type": ["integer", "null"]},
        "type": {"type": "string"},
        "function": {"type": "string"},
        "class": {"type": "string"},
        "voltage": {"type": ["number", "null"]},
        "current": {"type": ["number", "null"]},
        "phase": {"type": ["integer", "null"]},
        "constant": {"type": ["number", "null"]},
        "enabled": {"enum": [0, 1]},
        "lastupdate": {"type": ["array", "null"], "items": {"type": "number"}, "minItems": 2, "maxItems": 2},
    },
}
_UNIX: Final = {"type": "integer", "minimum": 0, "maximum": (1 << 33)}
_PARAMS: Final = (
    Param("interval", {"type": "string", "enum": list(RANGES)}, "from so long ago until now; minute: without a token"),
    Param("start", _UNIX, "UTC in seconds; excludes interval"),
    Param("end", _UNIX, "UTC in seconds; with start; now"),
    Param("resolution", {"type": "string", "enum": list(DEPTHS)}, "of each value; by the interval"),
    Param("unit", {"type": "string", "enum": list(UNITS)}, "of the values; needed unless param=all"),
    Param("param", {"type": "string", "enum": ["all"]}, "all: what is known of the sensor instead of a time series"),
)


def sensor_endpoints(parts: Parts) -> list[Endpoint]:
    """What there is of one sensor."""

    async def sensor(request: Request) -> Response:
        sensor_id = request.path_params["sid"]
        if token_of(request) is not None or any(given(request, name) is not None for name in _HISTORY):
            return await _history(parts, request, sensor_id)
        return await last_minute(parts, request, sensor_id)

    line = {TEXT: {"type": "string"}}
    answers = {
        200: Answer("time series, or parameters", {JSON: {"anyOf": [SERIES, PARAMETERS]}, CSV: {"type": "string"}}),
        400: Answer("what is wrong with the request", line),
        401: Answer("the token opens another sensor or none; WWW-Authenticate has the reason", line),
        404: Answer("no such sensor, or nothing was measured", line),
        406: Answer("neither JSON nor CSV is accepted", line),
    }
    return [
        Endpoint(
            path="/sensor/{sid}",
            name="sensor",
            about="The last minute of a sensor; with a token its history",
            handler=sensor,
            params=(SID, *_PARAMS, *VERSIONS, *TOKENS, *CALLBACKS),
            answers=answers,
            token="may",
            open_to_pages=True,
            errors=TEXT,
            checked=False,
        )
    ]


async def _history(parts: Parts, request: Request, sensor_id: str) -> Response:
    need_version(request)
    callback = callback_of(request)
    media = accepted(request, JSON, CSV)
    parameters, unit = given(request, "param"), given(request, "unit")
    query = {name: given(request, name) for name in ("interval", "start", "end", "resolution")}
    try:
        span = span_of(query, int(parts.now_s())) if parameters is None else None
    except BadQuery as fault:
        raise Refused(400, str(fault)) from fault
    if parameters not in (None, "all"):
        raise Refused(400, "param: all")
    if span and unit not in UNITS:
        raise Refused(400, f"unit: is needed, one of {', '.join(UNITS)}")
    need_token(parts, request, sensor_id)
    sensor = known(parts, sensor_id)
    if span is None:
        last = sensor.counter or sensor.gauge
        update = (last.time_s, last.milli) if last else await _last_stored(parts, sensor_id)
        return json_response(json.dumps(_parameters(sensor, update), separators=(",", ":")), callback)
    own, counts = unit_of(sensor.section)
    try:
        factor = old_conversion(unit, own, counts, parts.price).factor
    except BadUnit as fault:
        raise Refused(400, str(fault)) from fault
    bins, milli = await parts.away(lambda history: binned(history, sensor, span, parts))
    stamps = [end for _, end in bins]
    values = [None if isnan(one) else half_away(one) for one in (milli * float(factor / 1000)).tolist()]
    if media == CSV:
        lines = (f"{stamp},{'nan' if value is None else value}" for stamp, value in zip(stamps, values, strict=True))
        return Response("".join(f"{line}\r\n" for line in lines), media_type=CSV)
    pairs = (f"[{stamp},{NAN if value is None else value}]" for stamp, value in zip(stamps, values, strict=True))
    return json_response(f"[{','.join(pairs)}]", callback)


def half_away(value: float) -> int:
    """To the nearest whole number, halves away from zero, as Erlang's round."""
    return int(copysign(floor(abs(value) + 0.5), value))


async def _last_stored(parts: Parts, sensor_id: str) -> tuple[int, int] | None:
    if parts.history is None:
        return None
    last = await parts.away(lambda history: history.last(sensor_id))
    return last and last[1:]


def _parameters(sensor: LiveSensor, update: tuple[int, int] | None) -> dict[str, object]:
    section = sensor.section
    phase = section.get("phase")
    return {
        "access": update and update[0],
        **{name: section.get(name) for name in ("type", "function", "class", "voltage", "current")},
        "phase": int(phase[0]) if isinstance(phase, str) and phase[:1].isdigit() else None,
        "constant": section.get("constant"),
        "enabled": int(sensor.enabled),
        "lastupdate": update and [update[0], plain(Fraction(update[1], 1000))],
    }
