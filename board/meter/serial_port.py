# Port 6: RS-485, half duplex. What the host sends goes out in whole pieces, one behind the other with a silence between;
# what comes in goes to the host when the line has been silent for a moment. What is received while a piece is sent is its
# echo (a transceiver whose receiver is always on) or nothing (one whose receiver is off meanwhile), and is dropped.
import asyncio

from shared._compat import const
from shared.layout import RangeError
from shared.terminal_records import SERIAL_BYTES, SERIAL_IN, SERIAL_OUT, SERIAL_STATUS

_QUEUE_BYTES = const(1000)  # of the host that wait behind the piece that is being sent
_QUEUE_PIECES = const(16)
_POLL_MS = const(5)  # each look costs some 0.2 ms
_U32 = const(0xFFFFFFFF)
_TXBUF = const(1000)  # SERIAL_BYTES: a piece goes into it whole, so that it has no gap
_FORMATS = ((None, 1, 10), (0, 1, 11), (1, 1, 11), (None, 2, 11))  # parity, stop bits, bits a character


class SerialPort:
    """uart: machine.UART; driver: LineDriver of the same; wait_input: function -> awaitable, until the uart has bytes."""

    def __init__(self, uart, driver, wait_input, clock):
        self._uart = uart
        self._driver = driver
        self._wait_input = wait_input
        self._clock = clock
        self._wanted = self._set = (0, 0)  # baud, format
        self._char_us = 0
        self._silence_ms = _POLL_MS
        self._queue = []
        self._queued = asyncio.Event()
        self._send = None
        self._bytes_in = self._bytes_out = self._refused = 0
        self.handlers = {SERIAL_OUT.kind: self._take}

    def apply(self, settings):
        """Another speed or format is in force when what is being sent has gone."""
        self._wanted = (settings.serial_baud, settings.serial_format)
        if self._wanted != self._set:
            self._queued.set()

    def report(self, send):
        """How it fares, with health."""
        if self._set[0]:
            send(SERIAL_STATUS, self._clock.now_us(), self._bytes_in, self._bytes_out, self._refused)

    async def run(self, send, _keep):
        """Moves bytes both ways for ever."""
        self._send = send
        await asyncio.gather(self._send_pieces(), self._receive())

    # --- out ---

    def _take(self, payload):
        (data,) = SERIAL_OUT.unpack(payload)
        if len(data) > SERIAL_BYTES:
            raise RangeError("serial_out.data: %d bytes at most" % SERIAL_BYTES)
        waiting = sum([len(piece) for piece in self._queue])
        if not self._wanted[0] or waiting + len(data) > _QUEUE_BYTES or len(self._queue) >= _QUEUE_PIECES:
            self._refused = self._refused + len(data) & _U32
        elif data:
            self._queue.append(data)
            self._queued.set()

    async def _send_pieces(self):
        while True:
            await self._queued.wait()
            self._queued.clear()
            self._set_up()
            while self._queue and self._set[0]:
                data = self._queue.pop(0)
                self._forward(self._available(), self._clock.now_us())
                self._driver.send(self._uart.write, data)
                self._bytes_out = self._bytes_out + len(data) & _U32
                await asyncio.sleep_ms(len(data) * self._char_us // 1000)
                while self._driver.busy:
                    await asyncio.sleep_ms(_POLL_MS)
                await asyncio.sleep_ms(self._silence_ms)
                self._set_up()

    def _set_up(self):
        if self._wanted == self._set:
            return
        self._set = (baud, form) = self._wanted
        if not baud:
            self._refused = self._refused + sum([len(piece) for piece in self._queue]) & _U32
            self._queue = []
            return
        parity, stop, bits = _FORMATS[form]
        # Room for the echo of a whole piece, or for what comes in 40 ms, which a collection may take.
        rxbuf = max(SERIAL_BYTES + 32, baud // 250)
        self._uart.init(baudrate=baud, bits=8, parity=parity, stop=stop, txbuf=_TXBUF, rxbuf=rxbuf)
        self._driver.set_speed(baud, bits)
        self._char_us = (bits * 1000000 + baud - 1) // baud
        self._silence_ms = max(_POLL_MS, (7 * self._char_us + 1999) // 2000)  # 3.5 characters

    # --- in ---

    async def _receive(self):
        while True:
            await self._wait_input()
            count, t_us = self._available(), self._clock.now_us()
            if not count or not self._set[0]:
                await asyncio.sleep_ms(_POLL_MS)
                if not self._set[0]:
                    self._uart.read(self._uart.any())  # what was on its way when the port was switched off
                continue
            t_us -= count * self._char_us  # the first of them began so long before, or earlier: a task is never early
            while 0 < count < SERIAL_BYTES:
                await asyncio.sleep_ms(self._silence_ms)
                more = self._available()
                if more == count:
                    break
                count = more
            self._forward(count, t_us)

    def _available(self):
        # Bytes that came, none of them our own.
        if self._driver.busy:
            return 0
        if self._driver.echo:
            self._uart.read(self._driver.echo)
            self._driver.echo = 0
        return self._uart.any()

    def _forward(self, count, t_us):
        if count:
            data = self._uart.read(min(count, SERIAL_BYTES))
            self._bytes_in = self._bytes_in + len(data) & _U32
            self._send(SERIAL_IN, max(t_us, 0), data)
