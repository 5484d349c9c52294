"""``/sensor/<id>``: the last minute without login, as on the device; with a token the history, as on its server."""

from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from .access import SID, TOKENS, VERSIONS
from .jsonp import CALLBACKS
from .local_api import last_minute
from .parts import Parts
from .table import JSON, TEXT, Answer, Endpoint

SERIES: Final[dict[str, Any]] = {
    "type": "array",
    "items": {
        "type": "array",
        "prefixItems": [{"type": "integer"}, {"anyOf": [{"type": "number"}, {"const": "nan"}]}],
        "minItems": 2,
        "maxItems": 2,
    },
}


def sensor_endpoints(parts: Parts) -> list[Endpoint]:
    """What there is of one sensor."""

    async def sensor(request: Request) -> Response:
        return await last_minute(parts, request, request.path_params["sid"])

    line = {TEXT: {"type": "string"}}
    return [
        Endpoint(
            path="/sensor/{sid}",
            name="sensor",
            about="The last minute of a sensor",
            handler=sensor,
            params=(SID, *VERSIONS, *TOKENS, *CALLBACKS),
            answers={
                200: Answer("time series", {JSON: SERIES}),
                400: Answer("what is wrong with the request", line),
                404: Answer("no such sensor, or nothing was measured", line),
            },
            token="may",
            open_to_pages=True,
            errors=TEXT,
            checked=False,
        )
    ]
