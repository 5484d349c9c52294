"""The typed face of ``fluksometer.shared``: payloads become readings, requests become payloads.

The layouts themselves stand there, once.
"""

from typing import Any, Protocol, cast

from fluksometer.shared import deframer, frame, records

from .readings import BoardLog, BoardSettings, ClampWindow, Health, Hello, PulseCount, Reading


class _Layout(Protocol):
    kind: int
    name: str
    fields: tuple[tuple[str, str, int, int], ...]
    tail: str | None

    def pack(self, *values: int | str) -> bytes: ...

    def unpack(self, payload: bytes) -> tuple[Any, ...]: ...


class _Deframer(Protocol):
    dropped: int

    def push(self, chunk: bytes) -> list[tuple[int, int, bytes]]: ...

    def take_text(self) -> list[bytes]: ...

    def flush_text(self) -> None: ...


_frame = cast(Any, frame)
_records = cast(Any, records)

WIRE_VERSION: int = _frame.WIRE_VERSION
CLIPPED: int = _records.CLIPPED
GAP: int = _records.GAP
NO_SIGNAL: int = _records.NO_SIGNAL
HELLO_KIND: int = _records.HELLO.kind
RangeError = records.RangeError

_READINGS: dict[int, type[Reading]] = {
    _records.HELLO.kind: Hello,
    _records.CLAMP.kind: ClampWindow,
    _records.PULSE.kind: PulseCount,
    _records.HEALTH.kind: Health,
    _records.LOG.kind: BoardLog,
}


def make_deframer() -> _Deframer:
    """A fresh deframer for the bytes of one opened link."""
    return cast(_Deframer, cast(Any, deframer).Deframer())


def is_known(kind: int) -> bool:
    """Whether this bridge knows what a record of this kind means."""
    return kind in _READINGS


def decode(kind: int, payload: bytes) -> Reading:
    """The reading in a payload of a known kind; RangeError when its length or a field does not fit."""
    layout = cast(_Layout, _records.TO_HOST[kind])
    names = [field[0] for field in layout.fields] + ([layout.tail] if layout.tail else [])
    return _READINGS[kind](**dict(zip(names, layout.unpack(payload), strict=True)))


def greet_line(seq: int) -> bytes:
    """Bytes that ask the board for a hello."""
    return _line(cast(_Layout, _records.GREET), seq)


def settings_line(seq: int, wanted: BoardSettings) -> bytes:
    """Bytes that ask the board for other settings."""
    values = (wanted.rate_hz, wanted.clamp_ports, wanted.pulse_ports, wanted.min_width_us)
    return _line(cast(_Layout, _records.SETTINGS), seq, *values)


def _line(layout: _Layout, seq: int, *values: int) -> bytes:
    return bytes(_frame.to_board(_frame.seal(layout.kind, seq, layout.pack(*values))))
