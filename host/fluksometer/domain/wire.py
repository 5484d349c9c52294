"""The typed face of ``fluksometer.shared``: payloads become readings, requests become payloads.

The layouts themselves stand there, once.
"""

from itertools import pairwise

from fluksometer.shared import frame, records, terminal_records
from fluksometer.shared.deframer import Deframer
from fluksometer.shared.layout import Layout, RangeError

from .board_calibration import TABLE_CODES, BoardCalibration
from .readings import (
    BoardLog,
    BoardSettings,
    ClampWindow,
    Earlier,
    Health,
    Hello,
    PairWindow,
    PulseCount,
    RawCodes,
    Reading,
)
from .terminal_readings import ButtonHeld, P1Piece, P1Status, RadioPacket, RadioStatus, SerialBytes, SerialStatus

__all__ = ["RangeError"]  # of decode, for those who call it

WIRE_VERSION = frame.WIRE_VERSION
CLIPPED, GAP, NO_SIGNAL = records.CLIPPED, records.GAP, records.NO_SIGNAL
BIAS_MOVED, NO_MAINS = records.BIAS_MOVED, records.NO_MAINS
HELLO_KIND = records.HELLO.kind

_TO_HOST = records.TO_HOST | terminal_records.TO_HOST
_READINGS: dict[int, type[Reading]] = {
    records.HELLO.kind: Hello,
    records.CLAMP.kind: ClampWindow,
    records.PULSE.kind: PulseCount,
    records.HEALTH.kind: Health,
    records.LOG.kind: BoardLog,
    records.PAIR.kind: PairWindow,
    records.RAW.kind: RawCodes,
    records.EARLIER.kind: Earlier,
    terminal_records.P1_TELEGRAM.kind: P1Piece,
    terminal_records.P1_STATUS.kind: P1Status,
    terminal_records.SERIAL_IN.kind: SerialBytes,
    terminal_records.SERIAL_STATUS.kind: SerialStatus,
    terminal_records.PACKET.kind: RadioPacket,
    terminal_records.RADIO_STATUS.kind: RadioStatus,
    terminal_records.BUTTON.kind: ButtonHeld,
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
    layout = _TO_HOST[kind]
    names = [field[0] for field in layout.fields] + ([layout.tail] if layout.tail else [])
    return _READINGS[kind](**dict(zip(names, layout.unpack(payload), strict=True)))


def greet_line(seq: int) -> bytes:
    """Bytes that ask the board for a hello."""
    return line(seq, records.GREET)


def settings_line(seq: int, wanted: BoardSettings) -> bytes:
    """Bytes that ask the board for other settings."""
    return line(seq, records.SETTINGS, *(getattr(wanted, field[0]) for field in records.SETTINGS_FIELDS))


def calibration_line(seq: int, calibration: BoardCalibration) -> bytes:
    """Bytes that give the board its noise floors and phases."""
    return line(seq, records.CALIBRATION, *calibration.values())


def table_line(seq: int, calibration: BoardCalibration, first: int) -> bytes:
    """Bytes that give the board one piece of the linearity table: up to ``records.TABLE_STEPS`` codes behind ``first``."""
    steps = calibration.table[first : first + records.TABLE_STEPS + 1]
    rises = bytes((later - earlier - 8) & 0xFF for earlier, later in pairwise(steps))
    return line(seq, records.TABLE, calibration.table_crc, first, steps[0], rises)


def table_pieces() -> range:
    """First code of each piece of a table."""
    return range(0, TABLE_CODES, records.TABLE_STEPS + 1)


def line(seq: int, layout: Layout, *values: int | bytes) -> bytes:
    """Bytes that send the board a record."""
    return frame.to_board(frame.seal(layout.kind, seq, layout.pack(*values)))
