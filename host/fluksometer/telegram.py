"""The telegram core that runs on the board, here through cffi: CRC, and the lines of a smart meter's telegram as registers."""

from typing import Final

from fluksometer._telegram import ffi as _ffi
from fluksometer._telegram import lib as _lib
from fluksometer.shared.p1_lines import Register

_OUT_BYTES: Final = 65536
"""Room for what one telegram keeps: more than 512 registers whose texts are short, or 30 of the longest."""


def crc16(crc: int, data: bytes) -> int:
    """CRC-16/ARC carried on over bytes (DSMR P1 4.0, 5.2)."""
    result: int = _lib.telegram_crc16(crc, data, len(data))
    return result


class TelegramBody:
    """Stands in for shared.p1_body.Body: ``Parser(512, 2048, body=TelegramBody(512, 2048))``. Same answers, about ten times
    as fast. ``max_registers``, ``max_text`` (characters): what a telegram may hold; the rest is left out and counted."""

    def __init__(self, max_registers: int, max_text: int) -> None:
        self._limits = (max_registers, max_text)
        self._t = _ffi.new("telegram_t *")
        self._out = _ffi.new("uint8_t[]", _OUT_BYTES)
        self.begin(b"")

    def begin(self, head: bytes) -> None:
        """A new telegram with this first line."""
        head = bytes(head)
        _lib.telegram_begin(self._t, *self._limits, head, len(head))

    def read(self, data: bytes, at: int) -> int:
        """Takes whole lines of ``data[at:]``, up to one with a "!" in front, a "/" inside, or too long. Where it stopped."""
        if at == len(data):
            return at
        rest = _ffi.from_buffer("uint8_t[]", data) + at
        used: int = _lib.telegram_read(self._t, rest, len(data) - at, self._out, _OUT_BYTES)
        return at + used

    def line(self, line: bytes) -> None:
        """One line, whatever it holds."""
        _lib.telegram_line(self._t, line, len(line), self._out, _OUT_BYTES)

    def skip(self, data: bytes, lines: int) -> None:
        """Bytes that are not looked at, of so many lines that are too long."""
        self._t.crc = crc16(self._t.crc, bytes(data))
        self._t.strange += lines

    def end(self) -> tuple[int, bool, int, int, int]:
        """CRC up to "!", whether one is due, registers, lines that were not understood, registers that did not fit."""
        t = self._t
        return crc16(t.crc, b"!"), bool(t.crc_due), int(t.count), int(t.strange + t.open), int(t.too_much)

    def packed(self) -> bytes:
        """All registers as shared.p1_wire has them: a line each, without the telegram's head."""
        return bytes(_ffi.buffer(self._out, self._t.used))

    def registers(self) -> list[Register]:
        """All registers as shared.p1_lines has them."""
        return [_register(line) for line in self.packed().decode("ascii").split("\n")[:-1]]


def _register(line: str) -> Register:
    fields = line.split("\t")
    count = len(fields)
    stamp = fields[3] if count > 3 else None
    before = fields[4] if count > 4 else None
    value = fields[1]
    if value[0] == '"':
        return (fields[0], value[1:], None, stamp, before)
    return (fields[0], int(value), fields[2], stamp, before)
