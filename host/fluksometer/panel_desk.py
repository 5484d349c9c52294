"""The panel: what wifi, ethernet and globe show, and what a press of the button does."""

import asyncio
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import structlog

from fluksometer.adapters.net_links import SYS_NET, NetLinks, read_links
from fluksometer.adapters.run_program import run_program
from fluksometer.domain.button import action_of
from fluksometer.domain.desk import Ask, Desk, Said
from fluksometer.domain.readings import Hello
from fluksometer.domain.server_light import ServerLight
from fluksometer.domain.terminal_readings import ButtonHeld, Terminal
from fluksometer.domain.topics import Message
from fluksometer.shared.terminal_records import LED_FAST, LED_OFF, LED_ON, LED_SLOW, PANEL

REPEAT_S: Final = 10.0
"""The board takes 30 s without a panel record for a bridge that is gone."""
_LOOK_EVERY_S: Final = 3.0  # at the network
_PROGRAM_S: Final = 60.0
_log = structlog.get_logger("fluksometer")

Leds = tuple[int, int, int]
"""Modes of wifi, ethernet, globe."""


def leds_of(links: NetLinks, globe: int) -> Leds:
    """What they show, by the manual's section on the LEDs."""
    wifi = (LED_SLOW if links.wifi_linked else LED_FAST) if links.wifi else LED_OFF
    return wifi, LED_ON if links.wired_linked else LED_OFF, globe


class PanelDesk(Desk):
    """``programs``: what an action of the button runs (program and arguments, no shell). ``server``: what the globe shows; None:
    nothing is uploaded, and the broker stands for the server."""

    def __init__(
        self,
        device_id: str,
        programs: Mapping[str, list[str]],
        *,
        net: Path = SYS_NET,
        server: ServerLight | None = None,
    ) -> None:
        self._topic = f"/device/{device_id}/button"
        self._programs, self._net, self._server = programs, net, server
        self._links, self._broker_up = NetLinks(), False
        self._shown: tuple[Hello, Leds] | None = None  # to which board, after which hello
        self._repeat_at_s: float | None = None
        self._actions: asyncio.Queue[str] = asyncio.Queue(maxsize=1)

    def broker(self, up: bool) -> None:
        """See Desk."""
        self._broker_up = up

    def take(self, hello: Hello, reading: Terminal, time_s: float | None, now_s: float) -> list[Said]:
        """The button: logged, told, and acted on."""
        if not isinstance(reading, ButtonHeld):
            return []
        action = action_of(reading.held_ms)
        _log.info("button", held_s=round(reading.held_ms / 1000, 1), action=action or "none")
        if action and action in self._programs:
            try:
                self._actions.put_nowait(action)
            except asyncio.QueueFull:
                _log.warning("button_ignored", reason=f"what {action} should run waits for a program before it")
        told = {"time": None if time_s is None else round(time_s, 3), "held_ms": reading.held_ms, "action": action}
        return [Message(self._topic, json.dumps(told, separators=(",", ":")), retain=False)]

    def next_deadline_s(self) -> float | None:
        """When the board is to hear again that the bridge is there."""
        return self._repeat_at_s

    def step(self, hello: Hello | None, now_s: float) -> tuple[list[Said], list[Ask]]:
        """Shows what has changed, all to a board that has said hello, and again after a while."""
        if hello is None:
            self._shown = self._repeat_at_s = None
            return [], []
        leds = leds_of(self._links, self._globe(now_s))
        if self._shown == (hello, leds) and self._repeat_at_s is not None and now_s < self._repeat_at_s:
            return [], []
        self._shown, self._repeat_at_s = (hello, leds), now_s + REPEAT_S
        return [], [(PANEL, leds)]

    def _globe(self, now_s: float) -> int:
        if self._server:
            return self._server.mode(now_s)
        return LED_ON if self._broker_up else LED_OFF

    async def serve(self, wake: Callable[[], None]) -> None:
        """Looks at the network, and runs what the button asked for, one after the other."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._watch_net(wake))
            group.create_task(self._run_programs())

    async def _watch_net(self, wake: Callable[[], None]) -> None:
        while True:
            links = await asyncio.to_thread(read_links, self._net)
            if links != self._links:
                self._links = links
                wake()
            await asyncio.sleep(_LOOK_EVERY_S)

    async def _run_programs(self) -> None:
        while True:
            action = await self._actions.get()
            words = self._programs[action]
            code, said = await run_program(words, _PROGRAM_S)
            write = _log.warning if code else _log.info
            if code is None:
                _log.error("button_program", action=action, program=words[0], reason=said)
            else:
                write("button_program", action=action, program=words[0], exit_code=code, said=said)
