"""The typed face of ``fluksometer.shared``: payloads become readings, requests become payloads.

The layouts themselves stand there, once.
"""

from itertools import pairwise

from fluksometer.shared import frame, records, terminal_records
from fluksometer.shared.deframer import Deframer
from fluksometer.shared.layout import Layout, RangeError

from .board_calibration import TABLE_CODES, BoardCalibration
from .desk import Ask
from .link_events import Position
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


_EARLIER_KINDS = (records.CLAMP.kind, records.PAIR.kind, records.PULSE.kind)


def decode_earlier(earlier: Earlier) -> ClampWindow | PairWindow | PulseCount:
    """The reading of an earlier boot; RangeError when it is of a kind that is not kept so, or does not fit."""
    if earlier.kind not in _EARLIER_KINDS:
        raise RangeError(f"earlier: kind {earlier.kind}: clamp, pair or pulse")
    reading = decode(earlier.kind, earlier.record)
    assert isinstance(reading, ClampWindow | PairWindow | PulseCount)
    return reading


def settings(wanted: BoardSettings) -> Ask:
    """Asks the board for other settings."""
    return records.SETTINGS, tuple(getattr(wanted, field[0]) for field in records.SETTINGS.fields)


def calibration(wanted: BoardCalibration) -> Ask:
    """Gives the board its noise floors and phases."""
    return records.CALIBRATION, tuple(wanted.values())


def table(wanted: BoardCalibration) -> list[Ask]:
    """Gives the board its linearity table, in pieces of up to ``records.TABLE_STEPS`` codes behind the first."""
    pieces = []
    for first in range(0, TABLE_CODES, records.TABLE_STEPS + 1):
        steps = wanted.table[first : first + records.TABLE_STEPS + 1]
        rises = bytes((later - earlier - 8) & 0xFF for earlier, later in pairwise(steps))
        pieces.append((records.TABLE, (wanted.table_crc, first, steps[0], rises)))
    return pieces


def ack(position: Position, *, resume: bool) -> Ask:
    """Tells the board that all up to ``position`` is stored for good, or (``resume``) asks it to go on behind it."""
    return records.ACK, (position.boot_id, position.seq, int(resume))


def line(seq: int, layout: Layout, *values: int | bytes) -> bytes:
    """Bytes that send the board a record."""
    return frame.to_board(frame.seal(layout.kind, seq, layout.pack(*values)))
