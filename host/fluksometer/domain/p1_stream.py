"""Bytes of a P1 port, plain or encrypted, to telegrams; what was lost is counted by reason. No I/O: a port, a file or the
sensor board may be behind it."""

from collections import Counter
from collections.abc import Callable

from fluksometer.shared.p1 import Frame, Parser
from fluksometer.shared.p1 import Telegram as RawTelegram
from fluksometer.telegram import TelegramBody

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


class Opener:
    """Encrypted frames to the telegrams in them. ``decrypt`` opens frames; without it they are counted only."""

    def __init__(self, decrypt: Decrypt | None = None) -> None:
        self._decrypt = decrypt
        self._bad: Counter[str] = Counter()

    @property
    def bad(self) -> Counter[str]:
        """What was lost so far, by reason."""
        return +self._bad

    def open(self, frame: bytes) -> list[RawTelegram]:
        """The telegrams of one frame; mostly one."""
        plain = self._decrypt(frame) if self._decrypt else None
        if plain is None:
            self._bad[WRONG_KEY if self._decrypt else NO_KEY] += 1
            return []
        parser = host_parser()
        found = parser.push(plain) + parser.pause()
        self._bad += parser_bad(parser)
        telegrams = [one for one in found if isinstance(one, RawTelegram)]
        if not telegrams and not parser.bad:
            self._bad[WRONG_FORM] += 1
        return telegrams


class P1Stream:
    """Push bytes in any pieces, get telegrams. ``decrypt`` opens encrypted frames; without it they are counted only."""

    def __init__(self, decrypt: Decrypt | None = None, winter_h: int = CENTRAL_EUROPE_H) -> None:
        self._parser = host_parser()
        self._opener = Opener(decrypt)
        self._winter_h = winter_h

    def push(self, data: bytes) -> list[Telegram]:
        """Telegrams completed by these bytes, oldest first."""
        return self._read(self._parser.push(data))

    def pause(self) -> list[Telegram]:
        """The line has been quiet, or the input has ended; what is open will not go on."""
        return self._read(self._parser.pause())

    @property
    def bad(self) -> Counter[str]:
        """Telegrams that were lost so far, by reason."""
        return parser_bad(self._parser) + self._opener.bad

    def _read(self, found: list[RawTelegram | Frame]) -> list[Telegram]:
        telegrams = []
        for one in found:
            plain = self._opener.open(one.data) if isinstance(one, Frame) else [one]
            telegrams += [read(telegram, self._winter_h) for telegram in plain]
        return telegrams


def host_parser() -> Parser:
    """A parser that keeps what the board has no room for."""
    return Parser(body=TelegramBody(_HOST_REGISTERS, _HOST_TEXT))


def parser_bad(parser: Parser) -> Counter[str]:
    """What a parser has lost, by reason."""
    return +Counter({WRONG_CRC: parser.bad_crc, WRONG_FORM: parser.bad_form, CUT_OFF: parser.cut})
