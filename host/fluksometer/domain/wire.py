"""The typed face of ``fluksometer.shared``: payloads become readings, requests become payloads.

The layouts themselves stand there, once.
"""

from fluksometer.shared import frame, records
from fluksometer.shared.deframer import Deframer

from .readings import BoardLog, BoardSettings, ClampWindow, Health, Hello, PulseCount, Reading

WIRE_VERSION = frame.WIRE_VERSION
CLIPPED, GAP, NO_SIGNAL = records.CLIPPED, records.GAP, records.NO_SIGNAL
HELLO_KIND = records.HELLO.kind
RangeError = records.RangeError

_READINGS: dict[int, type[Reading]] = {
    records.HELLO.kind: Hello,
    records.CLAMP.kind: ClampWindow,
    records.PULSE.kind: PulseCount,
    records.HEALTH.kind: Health,
    records.LOG.kind: BoardLog,
}


def make_deframer() -> Deframer:
    """A fresh deframer for the bytes of one opened link."""
    return Deframer()


def is_known(kind: int) -> bool:
    """Whether this bridge knows what a record of this kind means."""
    return kind in _READINGS


def decode(kind: int, payload: bytes) -> Reading:
    """The reading in a payload of a known kind; RangeError when its length or a field does not fit."""
    layout = records.TO_HOST[kind]
    names = [field[0] for field in layout.fields] + ([layout.tail] if layout.tail else [])
    return _READINGS[kind](**dict(zip(names, layout.unpack(payload), strict=True)))


def greet_line(seq: int) -> bytes:
    """Bytes that ask the board for a hello."""
    return _line(records.GREET, seq)


def settings_line(seq: int, wanted: BoardSettings) -> bytes:
    """Bytes that ask the board for other settings."""
    values = (wanted.rate_hz, wanted.clamp_ports, wanted.pulse_ports, wanted.min_width_us)
    return _line(records.SETTINGS, seq, *values)


def _line(layout: records.Layout, seq: int, *values: int) -> bytes:
    return frame.to_board(frame.seal(layout.kind, seq, layout.pack(*values)))
