"""Hands TMPO blocks and configurations on to a Flukso-compatible server, and what it asks for back to the local broker."""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from typing import Final

from fluksometer.adapters.server_link import ServerLink
from fluksometer.domain.desk import Ask, Desk, Fault, Said
from fluksometer.domain.readings import Hello
from fluksometer.domain.topics import Message

_MOST_HEARD: Final = 10  # lists of what the server has that wait here


class UploadDesk(Desk):
    """The topics that a Fluksometer's broker bridges: of this device and its own sensors alone. ``link``: makes the connection of
    what to call with (topic, payload) of each message and with the reason why it is down."""

    def __init__(
        self, device_id: str, link: Callable[[Callable[[str, bytes], None], Callable[[str], None]], ServerLink]
    ) -> None:
        self._device = f"/device/{device_id}"
        self._sync = f"/d{self._device}/tmpo/sync"
        self._kept = (f"{self._device}/config/sensor", f"{self._device}/config/kube")
        self._ask = f"{self._device}/tmpo/sync"
        self.topics = (*self._kept, self._ask, "/sensor/+/tmpo/#")
        self._sensors: frozenset[str] = frozenset()
        self._heard: deque[bytes] = deque(maxlen=_MOST_HEARD)
        self._faults: deque[Fault] = deque(maxlen=10)
        self._forwarded = 0
        self._wake: Callable[[], None] = lambda: None
        self._link = link(self._hear, self._down)

    def configured(self, sections: Mapping[str, Mapping[str, object]]) -> None:
        """See Desk."""
        self._sensors = frozenset(str(section["id"]) for section in sections.values() if "id" in section)

    def want(self, topic: str, payload: bytes) -> None:
        """See Desk."""
        parts = topic.split("/")
        block = len(parts) > 4 and parts[1] == "sensor" and parts[3] == "tmpo" and parts[2] in self._sensors
        if block or topic in self._kept or topic == self._ask:
            self._link.send(topic, payload, keep=topic in self._kept)
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
