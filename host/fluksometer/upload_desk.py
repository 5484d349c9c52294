"""Hands TMPO blocks and configurations on to a Flukso-compatible server, and what it asks for back to the local broker."""

import asyncio
import re
from collections import deque
from collections.abc import Callable
from typing import Final

from fluksometer.adapters.server_link import ServerLink
from fluksometer.domain.desk import Ask, Desk, Fault, Said
from fluksometer.domain.readings import Hello
from fluksometer.domain.topics import Message

_BLOCK: Final = re.compile(r"/sensor/[0-9a-f]{32}/tmpo/")
_MOST_HEARD: Final = 10  # lists of what the server has that wait here


class UploadDesk(Desk):
    """The topics that a Fluksometer's broker bridges, of what this bridge publishes itself: nobody else on the broker speaks for
    its sensors. ``link``: makes the connection of what to call with (topic, payload) of each message and with the reason why it
    is down."""

    def __init__(
        self, device_id: str, link: Callable[[Callable[[str, bytes], None], Callable[[str], None]], ServerLink]
    ) -> None:
        self._device = f"/device/{device_id}"
        self._sync = f"/d{self._device}/tmpo/sync"
        self._kept = tuple(f"{self._device}/{what}" for what in ("config/sensor", "config/kube", "tmpo/sync"))
        self._heard: deque[bytes] = deque(maxlen=_MOST_HEARD)
        self._faults: deque[Fault] = deque(maxlen=10)
        self._forwarded = 0
        self._wake: Callable[[], None] = lambda: None
        self._link = link(self._hear, self._down)

    def said(self, message: Message) -> None:
        """See Desk."""
        kept = message.topic in self._kept
        if kept or _BLOCK.match(message.topic):
            payload = message.payload if isinstance(message.payload, bytes) else message.payload.encode()
            self._link.send(message.topic, payload, keep=kept)
            self._forwarded += 1

    def step(self, hello: Hello | None, now_s: float) -> tuple[list[Said], list[Ask]]:
        """What the server has said, for the local broker."""
        return [Message(self._sync, self._heard.popleft(), retain=False) for _ in range(len(self._heard))], []

    def summary(self) -> dict[str, object]:
        """See Desk."""
        return {"forwarded": self._forwarded}

    def warnings(self) -> list[Fault]:
        """See Desk."""
        return [self._faults.popleft() for _ in range(len(self._faults))]

    async def serve(self, wake: Callable[[], None]) -> None:
        """The connection, as long as the bridge runs."""
        self._wake = wake
        self._link.start()
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.to_thread(self._link.stop)

    # --- in the link's thread ---

    def _hear(self, topic: str, payload: bytes) -> None:
        if topic == self._sync:
            self._heard.append(payload)
            self._wake()

    def _down(self, reason: str) -> None:
        if reason:
            self._faults.append(("upload_tmpo", {"reason": reason}))
            self._wake()
