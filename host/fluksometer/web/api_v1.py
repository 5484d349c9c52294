"""``/api/v1``: sensors, their readings and the health, for programs of today."""

import hashlib
import json
from fractions import Fraction
from math import isnan
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from fluksometer import __version__
from fluksometer.domain.history_query import BadQuery, Span, moment, plain_span, step_of
from fluksometer.domain.live_sensors import LiveSensor
from fluksometer.domain.points import Point
from fluksometer.domain.rest_units import BadUnit, Conversion, conversion, unit_of
from fluksometer.domain.units import plain

from .access import SID, TOKENS, accepted, need_token
from .parts import Parts
from .table import CSV, JSON, Answer, Endpoint, Param, Refused, given
from .values import binned, known

_ERROR: Final = {JSON: {"type": "object", "properties": {"error": {"type": "string"}}, "required": ["error"]}}
_VALUE: Final[dict[str, Any]] = {
    "type": ["object", "null"],
    "properties": {"time": {"type": "integer"}, "value": {"type": "number"}, "unit": {"type": "string"}},
    "required": ["time", "value", "unit"],
}
_SENSOR: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {
        "id": {"type": "string"},
        "function": {"type": "string"},
        "type": {"type": "string"},
        "class": {"type": "string"},
        "enabled": {"type": "boolean"},
        "data_type": {"enum": ["counter", "gauge"]},
        "unit": {"type": "string"},
        "series": {"type": "integer"},
        "gauge": _VALUE,
        "counter": _VALUE,
    },
    "required": ["id", "function", "type", "class", "enabled", "data_type", "unit", "series", "gauge", "counter"],
}
_LIST: Final[dict[str, Any]] = {"type": "array", "items": _SENSOR}
_HEALTH: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {"state": {"enum": ["starting", "ok", "degraded", "fault"]}, "version": {"type": "string"}},
    "required": ["state", "version", "device"],
}
_READINGS: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {
        "sensor": {"type": "string"},
        "unit": {"type": "string"},
        "interval_s": {"type": "integer"},
        "readings": {
            "type": "array",
            "items": {
                "type": "array",
                "items": {"type": ["number", "null"]},  # time and value
                "minItems": 2,
                "maxItems": 2,
            },
        },
    },
    "required": ["sensor", "unit", "interval_s", "readings"],
}
_PATH: Final = "/api/v1/sensors"
_TIME: Final = {"type": "string", "maxLength": 40}
_PARAMS: Final = (
    Param("from", _TIME, "ISO 8601, seconds or milliseconds since 1970, now or now-1d; default: now-1d"),
    Param("to", _TIME, "the same; default: now"),
    Param(
        "interval",
        {"type": "string", "maxLength": 20},
        "of each value: minute, 15min, 1h, day, or seconds; by from and to",
    ),
    Param(
        "unit", {"type": "string", "maxLength": 20}, "W, kWh, L, m3 and others by the sensor; that of the present value"
    ),
)
_UNCHANGED: Final = Answer("as before: the ETag is that of If-None-Match")
_BAD: Final = Answer("what is wrong with the request", _ERROR)
_ABSENT: Final = Answer("no such sensor", _ERROR)


def api_endpoints(parts: Parts) -> list[Endpoint]:
    """All of /api/v1."""
    return [*_present(parts), _history(parts)]


def _present(parts: Parts) -> list[Endpoint]:
    async def sensors(request: Request) -> Response:
        return _tagged(request, _dumps([_sensor(one) for one in parts.live.all()]), JSON)

    async def sensor(request: Request) -> Response:
        return _tagged(request, _dumps(_sensor(known(parts, request.path_params["sid"]))), JSON)

    async def health(request: Request) -> Response:
        body = {"state": "starting"} | dict(parts.health()) | {"version": __version__, "device": parts.device_id}
        return _tagged(request, _dumps(body), JSON)

    return [
        Endpoint(
            path=_PATH,
            name="sensors",
            about="All sensors with their present values",
            handler=sensors,
            answers={200: Answer("in the order of the configuration", {JSON: _LIST}), 304: _UNCHANGED},
        ),
        Endpoint(
            path=f"{_PATH}/{{sid}}",
            name="one_sensor",
            about="One sensor with its present values",
            handler=sensor,
            params=(SID,),
            answers={200: Answer("the sensor", {JSON: _SENSOR}), 304: _UNCHANGED, 400: _BAD, 404: _ABSENT},
        ),
        Endpoint(
            path="/api/v1/health",
            name="health",
            about="How everything fares, as on /device/<id>/health",
            handler=health,
            answers={200: Answer("docs/health.md", {JSON: _HEALTH}), 304: _UNCHANGED},
        ),
    ]


def _history(parts: Parts) -> Endpoint:
    async def readings(request: Request) -> Response:
        return await _readings(parts, request)

    return Endpoint(
        path=f"{_PATH}/{{sid}}/readings",
        name="readings",
        about="What a sensor measured: a value for each interval, null where it is not known",
        handler=readings,
        params=(SID, *_PARAMS, *TOKENS),
        answers={
            200: Answer("stamped with the begin of each interval", {JSON: _READINGS, CSV: {"type": "string"}}),
            304: _UNCHANGED,
            400: _BAD,
            401: Answer("the token opens another sensor or none", _ERROR),
            404: Answer("no such sensor, or nothing was stored of it", _ERROR),
            406: Answer("neither JSON nor CSV is accepted", _ERROR),
        },
        token="needed",
    )


async def _readings(parts: Parts, request: Request) -> Response:
    media = accepted(request, JSON, CSV)
    sensor_id = request.path_params["sid"]
    span = _span(request, int(parts.now_s()))
    need_token(parts, request, sensor_id)
    sensor = known(parts, sensor_id)
    own, counts = unit_of(sensor.section)
    try:
        wanted = conversion(given(request, "unit"), own, counts, parts.price)
    except BadUnit as fault:
        raise Refused(400, str(fault)) from fault
    bins, milli = await parts.away(
        lambda history: binned(history, sensor, span, parts, whole=False, amount=wanted.amount)
    )
    values = [None if isnan(one) else round(one, 3) for one in (milli * float(wanted.factor / 1000)).tolist()]
    times = [begin for begin, _ in bins]
    if media == CSV:
        lines = (f"{time},{'' if value is None else value}" for time, value in zip(times, values, strict=True))
        return _tagged(request, "".join(f"{line}\r\n" for line in (f"time,{wanted.unit}", *lines)), CSV)
    return _tagged(request, _dumps(_answer(sensor, wanted, span, list(zip(times, values, strict=True)))), JSON)


def _answer(
    sensor: LiveSensor, wanted: Conversion, span: Span, readings: list[tuple[int, float | None]]
) -> dict[str, object]:
    return {"sensor": sensor.sensor_id, "unit": wanted.unit, "interval_s": span.step_s, "readings": readings}


def _span(request: Request, now_s: int) -> Span:
    try:
        start_s = moment(given(request, "from") or "now-1d", now_s)
        end_s = min(moment(given(request, "to") or "now", now_s), now_s)
        interval = given(request, "interval")
        return plain_span(start_s, end_s, step_of(interval) if interval else None)
    except BadQuery as fault:
        raise Refused(400, str(fault)) from fault


def _sensor(sensor: LiveSensor) -> dict[str, object]:
    section = sensor.section
    unit, counts = unit_of(section)
    more = {name: section[name] for name in ("port", "direction", "kid", "meter", "address") if name in section}
    return {
        "id": sensor.sensor_id,
        "function": str(section.get("function", "")),
        "type": str(section.get("type", "")),
        "class": str(section.get("class", "")),
        "enabled": sensor.enabled,
        "data_type": "counter" if counts else "gauge",
        "unit": unit,
        "series": section.get("rid", 0),
        **more,
        "gauge": _value(sensor.gauge),
        "counter": _value(sensor.counter),
    }


def _value(point: Point | None) -> dict[str, object] | None:
    if point is None:
        return None
    return {"time": point.time_s, "value": plain(Fraction(point.milli, 1000)), "unit": point.unit}


def _tagged(request: Request, text: str, media: str) -> Response:
    """With its ETag; who has it already gets nothing."""
    tag = f'"{hashlib.sha256(text.encode()).hexdigest()[:32]}"'
    headers = {"ETag": tag, "Cache-Control": "no-cache"}
    there = [one.strip().removeprefix("W/") for one in request.headers.get("if-none-match", "").split(",")]
    if tag in there or "*" in there:
        return Response(status_code=304, headers=headers)
    return Response(text, media_type=media, headers=headers)


def _dumps(value: object) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
