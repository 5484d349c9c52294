"""uvicorn inside the bridge's loop: no signal handlers of its own, clients that dawdle cut off, ended within two seconds."""

import asyncio
import contextlib
import logging
import socket
import ssl
from collections.abc import Iterator
from typing import Any, Final

import h11
import structlog
import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from .guard import HEAD_MOST, TARGET_MOST

READ_S: Final = 10.0  # for a whole request
WRITE_S: Final = 30.0  # for a response to leave
IDLE_S: Final = 5  # between two requests
CONNECTIONS_MOST: Final = 64
OF_ONE_CLIENT_MOST: Final = 32
_STOP_S: Final = 1
_BACKLOG: Final = 64
_log = structlog.get_logger("fluksometer")


class CuttingProtocol(H11Protocol):
    """Ends a connection whose request does not come, or whose response is not read, in time; and those above the limit."""

    _reading: asyncio.TimerHandle | None = None
    _writing: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """As asyncio.Protocol."""
        super().connection_made(transport)
        own = self.client and self.client[0]
        clients = [one.client for one in self.connections if isinstance(one, H11Protocol)]
        of_same = sum(client is not None and client[0] == own for client in clients)
        if len(self.connections) > CONNECTIONS_MOST or of_same > OF_ONE_CLIENT_MOST:
            transport.abort()
            return
        self._watch_reading()

    def data_received(self, data: bytes) -> None:
        """As asyncio.Protocol."""
        self._watch_reading()
        super().data_received(data)
        if self.conn.their_state not in (h11.IDLE, h11.SEND_BODY):  # the request is whole
            self._read_in_time()

    def pause_writing(self) -> None:
        """As asyncio.Protocol."""
        super().pause_writing()
        self._watch_writing()

    def resume_writing(self) -> None:
        """As asyncio.Protocol."""
        super().resume_writing()
        self._cancel("_writing")

    def on_response_complete(self) -> None:
        """What the client does not take keeps the connection open, also when it is closed."""
        self._watch_writing()
        super().on_response_complete()
        if self.conn.their_state is h11.IDLE:
            self._read_in_time()

    def connection_lost(self, exc: Exception | None) -> None:
        """As asyncio.Protocol."""
        self._cancel("_reading")
        self._cancel("_writing")
        super().connection_lost(exc)
        self._unset_keepalive_if_required()

    def _watch_reading(self) -> None:
        if self._reading is None:
            self._reading = self.loop.call_later(READ_S, self.transport.abort)

    def _read_in_time(self) -> None:
        self._cancel("_reading")

    def _watch_writing(self) -> None:
        if self._writing is None and self.transport.get_write_buffer_size():
            self._writing = self.loop.call_later(WRITE_S, self._unread)

    def _unread(self) -> None:
        self._writing = None
        if self.transport.get_write_buffer_size():
            self.transport.abort()

    def _cancel(self, which: str) -> None:
        timer: asyncio.TimerHandle | None = getattr(self, which)
        if timer:
            timer.cancel()
            setattr(self, which, None)


class Server(uvicorn.Server):
    """One listening socket. Whoever runs the bridge takes the signals."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """None of them."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """As uvicorn's for sockets that are there; but who does not finish his TLS handshake is cut off in time too."""
        loop, config = asyncio.get_running_loop(), self.config

        def protocol() -> CuttingProtocol:
            return CuttingProtocol(config=config, server_state=self.server_state, app_state={})

        in_time_s = READ_S if config.ssl else None
        self.servers = [
            await loop.create_server(
                protocol, sock=one, ssl=config.ssl, backlog=_BACKLOG, ssl_handshake_timeout=in_time_s
            )
            for one in sockets or ()
        ]
        self.started = True


def server(app: ASGIApp, certificate: ssl.SSLContext | None = None) -> Server:
    """One that serves ``app``, by TLS with a certificate."""
    config = uvicorn.Config(
        app,
        http="h11",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=IDLE_S,
        timeout_graceful_shutdown=_STOP_S,
        h11_max_incomplete_event_size=HEAD_MOST + TARGET_MOST,
    )
    config.load()
    config.ssl = certificate
    return Server(config)


def listen(host: str, port: int) -> socket.socket:
    """A socket on which clients may come. Raises OSError."""
    found = socket.create_server((host, port), backlog=_BACKLOG)
    # Handed on to each connection: else the body of an answer waits 40 ms for its head to be acknowledged.
    found.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return found


async def serve(servers: list[tuple[Server, socket.socket]]) -> None:
    """Until cancelled; then what is under way may end, for a second."""
    tasks = [asyncio.create_task(one.serve(sockets=[sock])) for one, sock in servers]
    try:
        await asyncio.gather(*map(asyncio.shield, tasks))
    finally:
        for one, _ in servers:
            one.should_exit = True
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_STOP_S + 0.6):
                await asyncio.gather(*tasks, return_exceptions=True)
        for one, sock in servers:
            for connection in list(one.server_state.connections):
                connection.transport.abort()
            sock.close()


class _ToStructlog(logging.Handler):
    """Errors of uvicorn as lines of our log. What a client did wrong is no line: it could fill the disk with them."""

    def emit(self, record: logging.LogRecord) -> None:
        fields: dict[str, Any] = {"reason": record.getMessage().strip()}
        if record.exc_info and record.exc_info[1]:
            fault = record.exc_info[1]
            frame = fault.__traceback__
            while frame and frame.tb_next:
                frame = frame.tb_next
            where = f"{frame.tb_frame.f_code.co_filename}:{frame.tb_lineno}" if frame else "?"
            fields |= {"error": f"{type(fault).__name__}: {fault}", "where": where}
        _log.error("web_error", **fields)


def log_to_structlog() -> None:
    """uvicorn's errors go to our log, and nothing else of it."""
    logger = logging.getLogger("uvicorn")
    logger.handlers = [_ToStructlog(level=logging.ERROR)]
    logger.propagate = False
    logger.setLevel(logging.ERROR)
