"""The typed face of ``fluksometer.shared``: payloads become readings, requests become payloads.

The layouts themselves stand there, once.
"""

from itertools import pairwise

from fluksometer.shared import frame, records
from fluksometer.shared.deframer import Deframer

from .board_calibration import TABLE_CODES, BoardCalibration
from .readings import (
    BoardLog,
    BoardSettings,
    ClampWindow,
    Health,
    Hello,
    PairWindow,
    PulseCount,
    RawCodes,
    Reading,
)

WIRE_VERSION = frame.WIRE_VERSION
CLIPPED, GAP, NO_SIGNAL = records.CLIPPED, records.GAP, records.NO_SIGNAL
BIAS_MOVED, NO_MAINS = records.BIAS_MOVED, records.NO_MAINS
HELLO_KIND = records.HELLO.kind
RangeError = records.RangeError

_READINGS: dict[int, type[Reading]] = {
    records.HELLO.kind: Hello,
    records.CLAMP.kind: ClampWindow,
    records.PULSE.kind: PulseCount,
    records.HEALTH.kind: Health,
    records.LOG.kind: BoardLog,
    records.PAIR.kind: PairWindow,
    records.RAW.kind: RawCodes,
}


_FLAG_NAMES = {CLIPPED: "clipped", GAP: "gap", NO_SIGNAL: "no_signal", BIAS_MOVED: "bias_moved", NO_MAINS: "no_mains"}


def flag_names(flags: int) -> list[str]:
    """Names of a window's flags."""
    return [name for bit, name in _FLAG_NAMES.items() if flags & bit]


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
    ports = (wanted.clamp_ports, wanted.pulse_ports)
    return _line(records.SETTINGS, seq, wanted.rate_hz, *ports, wanted.min_width_us, wanted.voltage_port, wanted.pairs)


def calibration_line(seq: int, calibration: BoardCalibration) -> bytes:
    """Bytes that give the board its noise floors and phases."""
    return _line(records.CALIBRATION, seq, *calibration.values())


def table_line(seq: int, calibration: BoardCalibration, first: int) -> bytes:
    """Bytes that give the board one piece of the linearity table: up to ``records.TABLE_STEPS`` codes behind ``first``."""
    steps = calibration.table[first : first + records.TABLE_STEPS + 1]
    rises = bytes((later - earlier - 8) & 0xFF for earlier, later in pairwise(steps))
    return _line(records.TABLE, seq, calibration.table_crc, first, steps[0], rises)


def table_pieces() -> range:
    """First code of each piece of a table."""
    return range(0, TABLE_CODES, records.TABLE_STEPS + 1)


def capture_line(seq: int, ports: int, sets: int) -> bytes:
    """Bytes that ask the board for ``sets`` raw codes of each port of the mask."""
    return _line(records.CAPTURE, seq, ports, sets)


def _line(layout: records.Layout, seq: int, *values: int | bytes) -> bytes:
    return frame.to_board(frame.seal(layout.kind, seq, layout.pack(*values)))
