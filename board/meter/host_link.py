# Records to the host and back. A host that does not read costs at most one write time-out of the console, never a
# sample: the sampling timer goes on meanwhile. What it does not read in time is dropped, oldest first, and counted.
import asyncio

from shared._compat import const
from shared.deframer import LineDeframer
from shared.frame import seal, to_host

_QUEUE_MAX = const(64)  # records: ten seconds of three clamps and two pulse inputs
_PIECE = const(128)  # bytes: most records whole, and half of what the console can hold
_BLOCKED_MS = const(50)  # a write that took this long has met a host that does not read
_RETRY_MS = const(20)
_SEQ_WRAP = const(0xFFFFFFFF)


class HostLink:
    """write(piece) -> bytes taken; writable() -> bool; wait_input: coroutine -> bytes. All handed in."""

    def __init__(self, write, writable, wait_input, ticks_ms, ticks_diff):
        self._write = write
        self._writable = writable
        self._wait_input = wait_input
        self._ticks_ms = ticks_ms
        self._ticks_diff = ticks_diff
        self._queue = []
        self._at = 0  # bytes of the first record that have left
        self._waiting = asyncio.Event()
        self._lines = LineDeframer()
        self._seq = 0
        self._careful = 0  # bytes to write one by one, after the host had stopped reading
        self.records_dropped = 0

    @property
    def lines_dropped(self):
        """Damaged lines from the host since boot."""
        return self._lines.dropped

    @property
    def waiting(self):
        """Records queued and not yet gone."""
        return len(self._queue)

    def send(self, kind, payload):
        """Queue a record; never waits. Not for interrupts or timers: it allocates."""
        self._queue.append(to_host(seal(kind, self._seq, payload)))
        self._seq = (self._seq + 1) & _SEQ_WRAP
        if len(self._queue) > _QUEUE_MAX:
            self._queue.pop(1 if self._at else 0)  # not the one that is half way out
            self.records_dropped += 1
        self._waiting.set()

    async def write_forever(self):
        """Moves queued records to the console while it takes them."""
        while True:
            await self._waiting.wait()
            self._waiting.clear()
            while self._queue:
                if not self._writable():
                    await asyncio.sleep_ms(_RETRY_MS)
                    continue
                self._write_piece()
                await asyncio.sleep_ms(0)

    def _write_piece(self):
        record = self._queue[0]
        piece = memoryview(record)[self._at : self._at + (1 if self._careful else _PIECE)]
        began = self._ticks_ms()
        taken = self._write(piece) or 0
        if taken < len(piece) or self._ticks_diff(self._ticks_ms(), began) > _BLOCKED_MS:
            self._careful = _PIECE // 2  # the console would wait for room again; a single byte never has to
        elif self._careful:
            self._careful -= 1
        self._at += taken
        if self._at >= len(record):
            self._queue.pop(0)
            self._at = 0

    async def read_forever(self, handle):
        """Calls handle(kind, payload) for each whole record from the host."""
        while True:
            for kind, _seq, _prev, payload in self._lines.push(await self._wait_input()):
                handle(kind, payload)
            await asyncio.sleep_ms(0)  # a host that never pauses must not starve the other tasks
