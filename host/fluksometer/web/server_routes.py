"""What a device calls of its server: POST /sensor/<id> and POST /device/<id>, with the original's status codes (docs/upload.md)."""

import asyncio
import json
import ssl
from collections.abc import Awaitable, Callable
from typing import Final, Protocol

import structlog
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from fluksometer.domain.device_server import BODY_MOST, Rejected, Reply, check_version

from . import server
from .openapi import describe
from .table import JSON, TEXT, Answer, Endpoint, Param

_BODY_S: Final = 10.0
_TRY_AGAIN_S: Final = 10.0
_TEXT: Final = {TEXT: {"type": "string"}}
_PARAMS: Final = (
    Param("id", {"type": "string", "pattern": "^[0-9a-f]{32}$"}, "of the sensor or device", "path", required=True),
    Param(
        "X-Digest", {"type": "string", "pattern": "^[0-9a-f]{40}$"}, "HMAC-SHA1 of the body", "header", required=True
    ),
    Param("X-Version", {"type": "string", "enum": ["1.0"]}, "of the interface; or version in the query", "header"),
    Param("version", {"type": "string", "enum": ["1.0"]}, "as X-Version"),
)
_REFUSALS: Final = {
    400: Answer("not understood", _TEXT),
    401: Answer("not signed with the key of a device that may", _TEXT),
    408: Answer("the body does not come", _TEXT),
    413: Answer("the body is too long", _TEXT),
    429: Answer("too many calls", _TEXT),
}
_MEASUREMENTS: Final = {
    "type": "object",
    "description": "Either readings, each a second and a total, or what is known of the sensor",
    "properties": {
        "measurements": {
            "type": "array",
            "minItems": 1,
            "items": {"type": "array", "prefixItems": [{"type": "integer"}, {"type": "integer"}], "minItems": 2},
        },
        "config": {"type": "object"},
    },
}
_HEARTBEAT: Final = {
    "type": "object",
    "properties": {"reset": {"type": "integer"}, "version": {"type": "integer"}, "uptime": {"type": "integer"}},
    "required": ["reset", "version", "uptime"],
}
_log = structlog.get_logger("fluksometer")


class Uploads(Protocol):
    """Who takes the calls. Both may raise Rejected."""

    async def measured(self, sensor_id: str, body: bytes, given: str) -> Reply:
        """Measurements or configuration of a sensor, with their X-Digest."""
        ...

    async def beat(self, device_id: str, body: bytes, given: str) -> Reply:
        """The heartbeat of a device."""
        ...


def server_endpoints(uploads: Uploads) -> list[Endpoint]:
    """All of them; the last one describes them."""

    async def sensor(request: Request) -> Response:
        return await _answer(request, uploads.measured)

    async def device(request: Request) -> Response:
        return await _answer(request, uploads.beat)

    async def description(request: Request) -> Response:
        return Response(text, media_type=JSON)

    taken = {200: Answer("it counts", {JSON: {"type": "object"}}), **_REFUSALS}
    configured = {204: Answer("the configuration is taken over"), **taken}
    calls = [
        ("/sensor/{id}", "upload_sensor", "Readings or configuration of a sensor", sensor, configured, _MEASUREMENTS),
        ("/device/{id}", "upload_device", "Heartbeat of a device", device, taken, _HEARTBEAT),
    ]
    found = [
        Endpoint(
            path=path, name=name, about=about, handler=call, answers=says, params=_PARAMS, method="POST", body=body
        )
        for path, name, about, call, says, body in calls
    ]
    answers = {200: Answer("this description", {JSON: {"type": "object"}})}
    found.append(
        Endpoint(path="/openapi.json", name="openapi", about="This description", handler=description, answers=answers)
    )
    text = json.dumps(describe(found), separators=(",", ":"))
    return found


def server_app(uploads: Uploads) -> Starlette:
    """These endpoints alone."""
    return Starlette(
        routes=[Route(e.path, e.handler, methods=[e.method], name=e.name) for e in server_endpoints(uploads)]
    )


async def listen_for_uploads(uploads: Uploads, host: str, port: int, certificate: ssl.SSLContext | None) -> None:
    """Serve these routes alone, until cancelled. A port that is taken stops no metering: it is tried again."""
    server.log_to_structlog()
    address, told = f"http{'s' if certificate else ''}://{host}:{port}", ""
    while True:
        try:
            socket = server.listen(host, port)
        except OSError as error:
            if str(error) != told:
                told = str(error)
                _log.error("server_down", reason=f"{address}: {error.strerror}: another port: server.port")
            await asyncio.sleep(_TRY_AGAIN_S)
            continue
        _log.info("server_up", address=address)
        await server.serve([(server.server(server_app(uploads), certificate), socket)])


async def _answer(request: Request, take: Callable[[str, bytes, str], Awaitable[Reply]]) -> Response:
    try:
        check_version(request.headers.get("x-version"), request.query_params.get("version"))
        body = await _body(request)
        reply = await take(request.path_params["id"], body, request.headers.get("x-digest", ""))
    except Rejected as rejected:
        reply = rejected.reply
    return Response(reply.body, reply.status, dict(reply.headers), media_type=_media(reply))


def _media(reply: Reply) -> str | None:
    return None if "Content-Type" in reply.headers or not reply.body else "text/plain"


async def _body(request: Request) -> bytes:
    """Rejected when it is too long, or does not come."""
    parts, size = [], 0
    try:
        async with asyncio.timeout(_BODY_S):
            async for part in request.stream():
                size += len(part)
                if size > BODY_MOST:
                    raise Rejected(413, f"at most {BODY_MOST} bytes", {"Connection": "close"})
                parts.append(part)
    except TimeoutError as error:
        raise Rejected(408, "the call does not come", {"Connection": "close"}) from error
    except ClientDisconnect as error:
        raise Rejected(400, "the call was not finished") from error
    return b"".join(parts)
