"""What the sensor board says of its other terminals: P1, RS-485, radio and panel. Fields as in ``shared/terminal_records.py``."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class P1Piece:
    """A part of a telegram."""

    t_us: int  # when the telegram's last byte had come
    number: int  # of telegrams since boot
    piece: int
    pieces: int
    form: int  # P1_NO_CRC, P1_CRC_OK, P1_FRAME
    left_out: int
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class P1Status:
    """How the P1 port fares; counts are since the board's boot."""

    t_us: int
    baud: int  # 0: not found yet
    even_parity: int
    inverted: int
    bytes_in: int
    telegrams: int
    bad_crc: int
    bad_form: int
    cut: int
    bad_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SerialBytes:
    """Bytes that came from RS-485."""

    t_us: int
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class SerialStatus:
    """How RS-485 fares since the board's boot."""

    t_us: int
    bytes_in: int
    bytes_out: int
    refused: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RadioPacket:
    """A packet heard whose CRC was right."""

    t_us: int
    group: int
    header: int
    rssi_dbm: int  # 0: unknown
    acked: int
    payload: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class RadioStatus:
    """How the radio fares; counts are since the board's boot."""

    t_us: int
    chip: int  # 0: none answers
    group: int  # that it listens in; 0: off
    received: int
    bad_crc: int
    bad_length: int
    foreign: int
    sent: int
    acks: int
    not_sent: int
    resets: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ButtonHeld:
    """The button was let go."""

    t_us: int
    held_ms: int


Terminal = P1Piece | P1Status | SerialBytes | SerialStatus | RadioPacket | RadioStatus | ButtonHeld
