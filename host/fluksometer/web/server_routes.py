"""What a device calls of its server: POST /sensor/<id> and POST /device/<id>, with the original's status codes (docs/upload.md)."""

import asyncio
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

_BODY_S: Final = 10.0
_TRY_AGAIN_S: Final = 10.0
_log = structlog.get_logger("fluksometer")


class Uploads(Protocol):
    """Who takes the calls. Both may raise Rejected."""

    async def measured(self, sensor_id: str, body: bytes, given: str) -> Reply:
        """Measurements or configuration of a sensor, with their X-Digest."""
        ...

    async def beat(self, device_id: str, body: bytes, given: str) -> Reply:
        """The heartbeat of a device."""
        ...


def server_routes(uploads: Uploads) -> list[Route]:
    """For any Starlette application."""

    async def sensor(request: Request) -> Response:
        return await _answer(request, uploads.measured)

    async def device(request: Request) -> Response:
        return await _answer(request, uploads.beat)

    return [
        Route("/sensor/{id}", sensor, methods=["POST"], name="upload_sensor"),
        Route("/device/{id}", device, methods=["POST"], name="upload_device"),
    ]


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
        await server.serve([(server.server(Starlette(routes=server_routes(uploads)), certificate), socket)])


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
