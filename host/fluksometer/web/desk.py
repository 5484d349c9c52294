"""The bridge's desk for those who ask by HTTP."""

import asyncio
import contextlib
import json
import ssl
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import structlog

from fluksometer.domain.desk import Desk
from fluksometer.domain.live_sensors import LiveSensors
from fluksometer.domain.points import Point
from fluksometer.domain.topics import Message

from . import server
from .guard import Guard

_TRY_AGAIN_S: Final = 10.0
_log = structlog.get_logger("fluksometer")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a server listens; with a certificate by TLS."""

    host: str
    port: int
    certificate: ssl.SSLContext | None = None


class WebDesk(Desk):
    """Serves ``app`` at each of ``places``, and keeps ``live`` and ``health`` up to date for it."""

    def __init__(
        self, device_id: str, live: LiveSensors, app: Callable[["WebDesk"], Guard], places: Sequence[Place]
    ) -> None:
        self.health: Mapping[str, Any] = {}
        self._health_topic = f"/device/{device_id}/health"
        self._live, self._places = live, places
        self._app = app(self)

    def published(self, points: Sequence[Point]) -> None:
        """As Desk."""
        self._live.published(points)

    def configured(self, sections: Mapping[str, Mapping[str, object]]) -> None:
        """As Desk."""
        self._live.configured(sections)

    def said(self, message: Message) -> None:
        """As Desk: keeps the health."""
        if message.topic == self._health_topic:
            self.health = json.loads(message.payload)

    def summary(self) -> dict[str, object]:
        """As Desk."""
        return {f"web_{what}": self._app.counts[what] for what in ("answered", "refused", "failed")}

    async def serve(self, wake: Callable[[], None]) -> None:
        """As Desk. A port that is taken stops no metering: it is tried again."""
        server.log_to_structlog()
        told = ""
        while True:
            try:
                with contextlib.ExitStack() as stack:
                    sockets = [stack.enter_context(server.listen(place.host, place.port)) for place in self._places]
                    _log.info("web_up", address=self._addresses)
                    servers = [server.server(self._app, place.certificate) for place in self._places]
                    await server.serve(list(zip(servers, sockets, strict=True)))
            except OSError as error:
                if str(error) != told:
                    told = str(error)
                    _log.error("web_down", reason=f"{self._addresses}: {error.strerror}: another port: web.port")
            await asyncio.sleep(_TRY_AGAIN_S)

    @property
    def _addresses(self) -> str:
        shown = [f"http{'s' if one.certificate else ''}://{one.host}:{one.port}" for one in self._places]
        return ", ".join(shown)
