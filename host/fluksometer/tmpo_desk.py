"""The history on MQTT: blocks as they are finished, and those that a server says it lacks (docs/tmpo.md)."""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from typing import Final

from fluksometer.domain.desk import Ask, Desk, Fault, Said
from fluksometer.domain.readings import Hello
from fluksometer.domain.tmpo import BlockName
from fluksometer.domain.tmpo_sync import BadSync, answer_topic, block_topic, read_device_list, sync_topic, to_push
from fluksometer.domain.topics import Message
from fluksometer.errors import StateFault
from fluksometer.history import HistoryLog
from fluksometer.storage.tmpo import Written

PUSH_EVERY_S: Final = 0.05
"""Between two blocks that a server asked for: years of history must not hold up the readings."""
_WAITING_MOST: Final = (
    1000  # finished blocks; more in one go are of a backlog, and a server asks for them when it connects
)


_BEGIN_S: Final = 0.2  # between two looks whether the store has begun


class TmpoDesk(Desk):
    """Publishes blocks while the broker is there; who was not, asks for them."""

    def __init__(self, device_id: str, log: HistoryLog) -> None:
        self.topics = (answer_topic(device_id),)
        self._ask = Message(sync_topic(device_id), "", retain=False)
        self._log = log
        self._up = False
        self._out: deque[Message] = deque(maxlen=_WAITING_MOST)
        self._lacking: dict[str, BlockName] = {}  # by sensor, what a server has
        self._asked = asyncio.Event()
        self._refused: list[str] = []
        self._wake: Callable[[], None] = lambda: None
        log.listeners.append(self._finished)

    def configured(self, sections: Mapping[str, Mapping[str, object]]) -> None:
        """See Desk."""
        self._log.configured(sections)

    def broker(self, up: bool) -> None:
        """See Desk. A server that hears the request answers with what it has."""
        self._up = up
        self._out.clear()
        if up:
            self._out.append(self._ask)
        else:
            self._lacking.clear()

    def want(self, topic: str, payload: bytes) -> None:
        """The list of a server; any bytes."""
        if topic not in self.topics:
            return
        try:
            listed = read_device_list(payload)
        except BadSync as error:
            self._refused.append(f"a list of blocks on {topic} is refused: {error}")
            return
        # At the start nobody knows yet which sensors there are: the latest list waits as it is.
        self._lacking = self._known(self._lacking | listed) if self._log.begun else listed
        self._asked.set()

    def step(self, hello: Hello | None, now_s: float) -> tuple[list[Said], list[Ask]]:
        """See Desk."""
        messages: list[Said] = []
        while self._out:
            messages.append(self._out.popleft())
        return messages, []

    def warnings(self) -> list[Fault]:
        """See Desk."""
        refused, self._refused = self._refused, []
        told: list[Fault] = [("tmpo_sync", {"reason": reason}) for reason in refused]
        return told + [("history", {"reason": reason}) for reason in self._log.take_reports()]

    def summary(self) -> dict[str, object]:
        """See Desk."""
        return dict(self._log.counts)

    async def serve(self, wake: Callable[[], None]) -> None:
        """Sends what servers lack, block by block."""
        self._wake = wake
        while True:
            await self._asked.wait()
            self._asked.clear()
            while not self._log.begun:  # noqa: ASYNC110 - another thread begins
                await asyncio.sleep(_BEGIN_S)
            self._lacking = self._known(self._lacking)
            while self._lacking:
                await self._push(*self._lacking.popitem())

    def _known(self, listed: Mapping[str, BlockName]) -> dict[str, BlockName]:
        sensors = set(self._log.history.sensors())
        return {sensor_id: name for sensor_id, name in listed.items() if sensor_id in sensors}

    async def _push(self, sensor_id: str, newest: BlockName) -> None:
        history = self._log.history
        for name in to_push(history.blocks(sensor_id), newest):
            try:
                data = await asyncio.to_thread(history.block, sensor_id, *name)
            except StateFault:  # the sink tells of it
                return
            if not self._up:
                return
            if data is not None:
                self._out.append(Message(block_topic(sensor_id, name), data, retain=False))
                self._wake()
            await asyncio.sleep(PUSH_EVERY_S)

    def _finished(self, written: Written) -> None:
        # In the sink's thread.
        if self._up:
            self._out.append(Message(block_topic(written.sensor_id, written.name), written.data, retain=False))
            self._wake()
