# The smart meter's port: asks for telegrams, reads them, and sends them on in pieces.
#
# Bytes wait in the UART's own buffer, which its interrupt fills, and are taken every few milliseconds. Lines are read by the
# native module, straight into the form that the record has; a Python object for each register would cost ten times as much.
import asyncio

import telegram

from shared._compat import const
from shared.p1 import OK, Parser, Telegram
from shared.terminal_records import P1_CRC_OK, P1_FRAME, P1_NO_CRC, P1_PIECE_BYTES, P1_STATUS, P1_TELEGRAM

from .p1_finder import LineFinder

_LOOK_MS = const(10)  # between two looks while the line is not yet known
_POLL_MS = const(60)  # at 115200 baud 690 bytes: a third of what the UART's buffer holds
_OFF_MS = const(200)
_PAUSE_MS = const(500)  # a line that has been quiet for so long has ended its telegram
_LOST_MS = const(25000)  # without one good telegram: two that meters send each 10 s
_CHUNK = const(1024)  # bytes that are read at once
_OUT_BYTES = const(2560)  # of head and registers; the richest telegram known makes 1.7 kB
_REGISTERS, _TEXT = const(160), const(96)  # as shared/p1.py has them, and why
_FRAME_BYTES = const(3072)  # an encrypted telegram has some 1100
_U16, _U32 = const(0xFFFF), const(0xFFFFFFFF)


class PackedBody:
    """Stands in for shared.p1_body.Body. registers() are bytes: the telegram as shared.p1_wire has it, head included."""

    def __init__(self):
        self._state = bytearray(telegram.STATE_BYTES)
        self._out = bytearray(_OUT_BYTES)
        self.begin(b"")

    def begin(self, head):
        text = bytes(head[1:]).strip(b"\r\n") + b"\n"
        self._head_bytes = len(text)
        self._out[: len(text)] = text
        self._room = memoryview(self._out)[len(text) :]
        telegram.begin(self._state, _REGISTERS, _TEXT, head)

    def read(self, data, at):
        return telegram.read(self._state, data, at, self._room)

    def line(self, line):
        telegram.line(self._state, line, self._room)

    def skip(self, data, lines):
        telegram.skip(self._state, data, lines)

    def end(self):
        return telegram.end(self._state)[:5]

    def registers(self):
        used = self._head_bytes + telegram.end(self._state)[5]
        return bytes(memoryview(self._out)[:used])


class P1Port:
    """uart: any(), read(count); set_line(baud, inverted) sets it up for eight bits; level() is the line's, before any inversion;
    request(0 or 1) drives the line that asks the meter. All handed in."""

    handlers = {}

    def __init__(self, uart, set_line, level, request, clock, ticks_ms, ticks_diff):
        self._uart = uart
        self._line = LineFinder(set_line)
        self._level = level
        self._request = request
        self._clock = clock
        self._ticks_ms = ticks_ms
        self._ticks_diff = ticks_diff
        self._parser = Parser(max_frame=_FRAME_BYTES, body=PackedBody())
        self.on_round = lambda: None
        self._on = 0
        self._heard_ms = self._good_ms = ticks_ms()  # the last byte, the last good telegram
        self._quiet = True
        self._bytes_in = 0
        self._bad_bytes = 0
        self._telegrams = 0

    def apply(self, settings):
        """Asks for telegrams, or no longer."""
        if settings.p1 and not self._on:
            self._line.restart()
        self._on = settings.p1
        self._request(self._on)

    async def run(self, _send, keep):
        """Reads until stopped."""
        while True:
            self.on_round()
            if self._on:
                self.poll(keep)
                await asyncio.sleep_ms(_POLL_MS if self._line.found else _LOOK_MS)
            else:
                await asyncio.sleep_ms(_OFF_MS)

    def poll(self, keep):
        """Takes what has come, and looks after the line; a telegram's pieces are kept together."""
        now = self._ticks_ms()
        waiting = self._uart.any()
        if waiting:
            self._heard_ms, self._quiet = now, False
        elif not self._quiet and self._ticks_diff(now, self._heard_ms) > _PAUSE_MS:
            self._quiet = True
            self._take(self._parser.pause(), keep)
        while waiting > 0:  # what is there, and no more: to ask for more would wait for it
            self._hear(self._uart.read(min(waiting, _CHUNK)) or b"", keep)
            waiting -= _CHUNK
        if not self._line.found:
            self._look()
            self._good_ms = now
        elif self._ticks_diff(now, self._good_ms) > _LOST_MS:
            self._line.restart()

    def report(self, send):
        """How it fares."""
        line, parser = self._line, self._parser
        send(
            P1_STATUS,
            self._clock.now_us(),
            line.baud if line.found else 0,
            int(line.even),
            int(line.inverted),
            self._bytes_in & _U32,
            self._telegrams & _U32,
            parser.bad_crc & _U32,
            parser.bad_form & _U32,
            parser.cut & _U32,
            self._bad_bytes & _U32,
        )

    def _look(self):
        before = (self._line.baud, self._line.inverted)
        self._line.look(self._level())
        if before != (self._line.baud, self._line.inverted):
            self._drop()

    def _drop(self):
        # What was received before the receiver was set up anew.
        waiting = self._uart.any()
        while waiting > 0:
            self._uart.read(min(waiting, _CHUNK))
            waiting -= _CHUNK

    def _hear(self, data, keep):
        self._bytes_in += len(data)
        baud = self._line.baud
        data = self._line.hear(data)
        if baud != self._line.baud:
            self._drop()
        if data and self._line.even:
            data = bytearray(data)
            self._bad_bytes += telegram.even(data)
        if data:
            self._take(self._parser.push(data), keep)

    def _take(self, done, keep):
        for one in done:
            self._good_ms = self._ticks_ms()
            if isinstance(one, Telegram):
                form = P1_CRC_OK if one.crc == OK else P1_NO_CRC
                self._keep(form, min(one.left_out, _U16), one.registers, keep)
            else:
                self._keep(P1_FRAME, 0, one.data, keep)
            self._telegrams += 1

    def _keep(self, form, left_out, data, keep):
        t_us, number = self._clock.now_us(), self._telegrams & _U32
        pieces = -(-len(data) // P1_PIECE_BYTES)
        data = memoryview(data)
        records = []
        for piece in range(pieces):
            part = data[piece * P1_PIECE_BYTES : (piece + 1) * P1_PIECE_BYTES]
            payload = P1_TELEGRAM.pack(t_us, number, piece, pieces, form, left_out, part)
            records.append((P1_TELEGRAM.kind, payload))
        keep(records)
