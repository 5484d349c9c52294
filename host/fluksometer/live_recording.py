"""Raw codes of one clamp from a live board: captures of 0.4 s, one after the other."""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from fluksometer.adapters.clock import host_time
from fluksometer.adapters.serial_link import Chunk, LinkDown, LinkNews, LinkUp, SerialLink
from fluksometer.domain.captures import Capture
from fluksometer.domain.link_events import BoardAtPrompt, BoardSaidHello, RawCame, SettingsRefused, WireVersionDiffers
from fluksometer.domain.readings import BoardSettings, Hello
from fluksometer.errors import Failure
from fluksometer.link_session import LinkSession
from fluksometer.shared.records import CAPTURE, CAPTURE_CODES

if TYPE_CHECKING:
    from fluksometer.domain.arrays import Codes

RATE_HZ = 20_000
SETS = CAPTURE_CODES
NO_ANSWER_S = 15.0


class LiveRecording:
    """Collects ``captures`` captures of a clamp from the board on ``port``; ``progress`` hears how many are there."""

    def __init__(self, port: str, clamp_port: int, captures: int, progress: Callable[[int], None]) -> None:
        self._news: asyncio.Queue[LinkNews] = asyncio.Queue()
        self._link = SerialLink(port, clock=host_time, tell=self._news.put_nowait)
        mask = 1 << (clamp_port - 1)
        self._session = LinkSession(BoardSettings(rate_hz=RATE_HZ, clamp_ports=mask, pulse_ports=0))
        self._session.hold = True  # what the board keeps is for the bridge
        self._port, self._mask, self._wanted, self._progress = clamp_port, mask, captures, progress
        self._hello: Hello | None = None
        self._open: Capture | None = None
        self._asked_s: float | None = None
        self._heard_s = 0.0
        self.pieces: list[Codes] = []

    async def run(self) -> Hello:
        """Collect them; answers who the board is. Failure when there is no board, or it doesn't do what it is asked."""
        self._link.start()
        self._heard_s = host_time().mono_s
        try:
            while len(self.pieces) < self._wanted:
                await self._step()
                if host_time().mono_s > self._heard_s + NO_ANSWER_S:
                    raise Failure("the board does not answer: does the firmware run on it (./flash.sh)?")
        finally:
            await asyncio.to_thread(self._link.stop)
        assert self._hello is not None
        return self._hello

    async def _step(self) -> None:
        try:
            async with asyncio.timeout(0.5):
                news = await self._news.get()
        except TimeoutError:
            news = None
        now_s = host_time().mono_s
        events = []
        match news:
            case LinkUp():
                self._session.open(now_s)
            case LinkDown(reason=reason):
                raise Failure(reason)
            case Chunk(data=data):
                events = self._session.feed(data, now_s)
        for event in [*events, *self._session.tick(now_s)]:
            self._take(event, now_s)
        self._ask(now_s)
        self._link.write(self._session.data_to_send())

    def _take(self, event: object, now_s: float) -> None:
        match event:
            case BoardSaidHello(hello=hello):
                self._hello, self._heard_s = hello, now_s
            case RawCame(raw=raw):
                self._heard_s = now_s
                if self._open is None or self._open.t_us != raw.t_us:
                    self._open = Capture(raw.t_us, raw.rate_hz)
                self._open.add(raw)
                if self._open.complete(self._mask):
                    try:
                        self.pieces.append(self._open.column(self._port))
                    except ValueError as error:
                        raise Failure(f"the board sent what no converter reads: {error}") from error
                    self._open, self._asked_s = None, None
                    self._progress(len(self.pieces))
            case BoardAtPrompt():
                raise Failure("the board is at its prompt: reset it or run ./flash.sh")
            case SettingsRefused(differences=differences):
                raise Failure(f"the board refuses its settings: {differences}")
            case WireVersionDiffers(board=board, bridge=bridge):
                raise Failure(f"board speaks wire {board}, this program {bridge}: run ./flash.sh")

    def _ask(self, now_s: float) -> None:
        ready = self._hello is not None and self._hello.settings == self._session.wanted
        if ready and (self._asked_s is None or now_s > self._asked_s + NO_ANSWER_S / 3):
            self._asked_s = now_s
            self._session.send((CAPTURE, (self._mask, SETS)))
