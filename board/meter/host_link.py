# Records to the host and back. Kept ones wait in their store until the host has them for good; the others pass: they wait in a
# short queue, the oldest is dropped and counted. A host that does not read costs at most one write time-out of the console, never
# a sample: the sampling timer goes on meanwhile.
import asyncio

from shared._compat import const
from shared.deframer import LineDeframer
from shared.frame import seal, to_host
from shared.records import EARLIER, HELLO

_QUEUE_MAX = const(32)  # passing records
_PIECE = const(128)  # bytes: most records whole, and half of what the console can hold
_BLOCKED_MS = const(50)  # a write that took this long has met a host that does not read
_RETRY_MS = const(20)


class HostLink:
    """write(piece) -> bytes taken; writable() -> bool; wait_input: coroutine -> bytes; kept: Kept. All handed in."""

    def __init__(self, write, writable, wait_input, ticks_ms, ticks_diff, kept):
        self._write = write
        self._writable = writable
        self._wait_input = wait_input
        self._ticks_ms = ticks_ms
        self._ticks_diff = ticks_diff
        self.kept = kept
        self._queue = []  # frames of passing records; of a hello what makes it
        self._hellos = 0  # in front
        self._passed = False  # the last frame was a passing one
        self._frame = None  # that is on its way out
        self._at = 0  # bytes of it that have left
        self._waiting = asyncio.Event()
        self._lines = LineDeframer()
        self._careful = 0  # bytes to write one by one, after the host had stopped reading
        self._dropped = 0

    @property
    def lines_dropped(self):
        """Damaged lines from the host since boot."""
        return self._lines.dropped

    @property
    def records_dropped(self):
        """Records since boot for which there was no room."""
        return self._dropped + self.kept.dropped

    @property
    def waiting(self):
        """Passing records queued and not yet on their way."""
        return len(self._queue)

    def send(self, kind, payload):
        """Queue a passing record; never waits. Not for interrupts or timers: it allocates."""
        try:
            self._queue.append(to_host(seal(kind, 0, payload, self.kept.newest)))
        except MemoryError:  # one record less is better than a board that starts anew
            self._dropped += 1
        self._queued()

    def send_hello(self, make):
        """Queue a hello, before all others. make() -> its payload is called when it leaves: the host sets its clock by it."""
        self._queue.insert(self._hellos, make)
        self._hellos += 1
        self._queued()

    def _queued(self):
        if len(self._queue) > _QUEUE_MAX:
            self._drop()
        self._waiting.set()

    def _drop(self):
        if self._hellos < len(self._queue):
            self._queue.pop(self._hellos)
        else:
            self._queue.pop(0)
            self._hellos -= 1
        self._dropped += 1

    def keep(self, records):
        """Keep these (kind, payload), which belong together, until the host has stored them. As send()."""
        self.kept.append(records)
        self._waiting.set()

    def keep_first(self, payloads):
        """What an earlier boot has left, as payloads of `earlier`, before any other record."""
        for payload in payloads:
            self.keep(((EARLIER.kind, payload),))

    def acknowledge(self, seq, resume):
        """The host has stored all up to this number; or, to resume, it has got all up to it and wants the rest."""
        if resume:
            self.kept.resume(seq)
            self._waiting.set()
        else:
            self.kept.acknowledge(seq)

    async def write_forever(self):
        """Moves records to the console while it takes them."""
        while True:
            await self._waiting.wait()
            self._waiting.clear()
            while self._more():
                if not self._frame or not self._writable():
                    await asyncio.sleep_ms(_RETRY_MS)
                    continue
                self._write_piece()
                await asyncio.sleep_ms(0)

    def _more(self):
        # Whether there is something to write. Its frame is not there yet when there was no memory for it: it is tried again.
        try:
            return self._frame or self._choose()
        except MemoryError:
            return True

    def _choose(self):
        # A passing one between two kept ones, so that neither waits for all of the other.
        record = None
        if not self._queue or self._passed and not self._hellos:
            self._passed = False  # should memory run out here, one of the queue goes next, which gives some back
            record = self.kept.take()
        self._passed = not record
        if record:
            kind, number, before, payload = record
            try:
                self._frame = to_host(seal(kind, number, payload, before))
            except MemoryError:
                self.kept.resume(before)
                raise
        elif self._queue:
            self._frame = self._queue.pop(0)
            self._hellos -= self._hellos > 0
        return self._frame

    def _write_piece(self):
        if callable(self._frame):
            self._frame = to_host(seal(HELLO.kind, 0, self._frame(), self.kept.newest))
        piece = memoryview(self._frame)[self._at : self._at + (1 if self._careful else _PIECE)]
        began = self._ticks_ms()
        taken = self._write(piece) or 0
        if taken < len(piece) or self._ticks_diff(self._ticks_ms(), began) > _BLOCKED_MS:
            self._careful = _PIECE // 2  # the console would wait for room again; a single byte never has to
        elif self._careful:
            self._careful -= 1
        self._at += taken
        if self._at >= len(self._frame):
            self._frame = None
            self._at = 0

    async def read_forever(self, handle):
        """Calls handle(kind, payload) for each whole record from the host."""
        while True:
            for kind, _seq, _prev, payload in self._lines.push(await self._wait_input()):
                handle(kind, payload)
            await asyncio.sleep_ms(0)  # a host that never pauses must not starve the other tasks
