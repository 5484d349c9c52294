"""Bytes of a P1 port, plain or encrypted, to telegrams; what was lost is counted by reason. No I/O: a port, a file or the
sensor board may be behind it."""

from collections import Counter
from collections.abc import Callable

from fluksometer.shared.p1 import Frame, Parser
from fluksometer.shared.p1 import Telegram as RawTelegram

from .p1 import Telegram, read
from .p1_time import CENTRAL_EUROPE_H

Decrypt = Callable[[bytes], bytes | None]  # frame -> telegram; None when the tag is wrong

_HOST_TEXT = 2048  # characters of a text: here is memory for the longest
_HOST_REGISTERS = 512

WRONG_CRC, WRONG_FORM, CUT_OFF, NO_KEY, WRONG_KEY = (
    "wrong CRC",
    "not understood",
    "cut off",
    "encrypted, and no key",
    "encrypted with another key, or damaged",
)


class P1Stream:
    """Push bytes in any pieces, get telegrams. ``decrypt`` opens encrypted frames; without it they are counted only."""

    def __init__(self, decrypt: Decrypt | None = None, winter_h: int = CENTRAL_EUROPE_H) -> None:
        self._parser = _parser()
        self._decrypt = decrypt
        self._winter_h = winter_h
        self._inner: Counter[str] = Counter()

    def push(self, data: bytes) -> list[Telegram]:
        """Telegrams completed by these bytes, oldest first."""
        return self._read(self._parser.push(data))

    def pause(self) -> list[Telegram]:
        """The line has been quiet, or the input has ended; what is open will not go on."""
        return self._read(self._parser.pause())

    @property
    def bad(self) -> Counter[str]:
        """Telegrams that were lost so far, by reason."""
        return +(_bad(self._parser) + self._inner)

    def _read(self, found: list[RawTelegram | Frame]) -> list[Telegram]:
        telegrams = []
        for one in found:
            plain = self._open(one.data) if isinstance(one, Frame) else [one]
            telegrams += [read(telegram, self._winter_h) for telegram in plain]
        return telegrams

    def _open(self, frame: bytes) -> list[RawTelegram]:
        plain = self._decrypt(frame) if self._decrypt else None
        if plain is None:
            self._inner[WRONG_KEY if self._decrypt else NO_KEY] += 1
            return []
        parser = _parser()
        found = parser.push(plain) + parser.pause()
        self._inner += _bad(parser)
        telegrams = [one for one in found if isinstance(one, RawTelegram)]
        if not telegrams and not parser.bad:
            self._inner[WRONG_FORM] += 1
        return telegrams


def _parser() -> Parser:
    return Parser(max_registers=_HOST_REGISTERS, max_text=_HOST_TEXT)


def _bad(parser: Parser) -> Counter[str]:
    return Counter({WRONG_CRC: parser.bad_crc, WRONG_FORM: parser.bad_form, CUT_OFF: parser.cut})
