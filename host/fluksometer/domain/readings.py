"""What the sensor board says, one frozen value per record. Field names, units and ranges are those of ``shared/records.py``."""

from dataclasses import dataclass, fields
from typing import Final

from .terminal_readings import Terminal

PAIRS: Final = ((1, 2), (1, 3), (2, 3))
"""Pairs of clamp ports; bit n of a mask of pairs is PAIRS[n]."""


def usb_serial(uid: int) -> str:
    """A chip's unique id as it shows it on USB, its serial number there: 16 hex digits."""
    return uid.to_bytes(8, "little").hex()


@dataclass(frozen=True, slots=True, kw_only=True)
class BoardSettings:
    """What the board can be asked to do."""

    rate_hz: int  # samples a second of each clamp
    clamp_ports: int  # bit n: port n+1
    pulse_ports: int  # bit n: port n+1
    voltage_port: int = 0  # the clamp port that is wired to a voltage; 0: none
    pairs: int = 0  # bit n: PAIRS[n]
    width_us_2: int = 5000  # a pulse level shorter than this is bounce
    width_us_3: int = 5000
    width_us_4: int = 5000
    width_us_5: int = 5000
    gap_us_2: int = 0  # behind a pulse none can begin for so long
    gap_us_3: int = 0
    gap_us_4: int = 0
    gap_us_5: int = 0
    p1: int = 0  # 1: on
    serial_baud: int = 0  # RS-485; 0: off
    serial_format: int = 0
    radio: int = 0
    radio_group: int = 212
    heartbeat_port: int = 0  # pulse port that the heartbeat LED follows; 0: none


@dataclass(frozen=True, slots=True, kw_only=True)
class Hello(BoardSettings):
    """Who the board is and which settings are in force."""

    wire_version: int
    firmware_major: int
    firmware_minor: int
    firmware_patch: int
    micropython_major: int
    micropython_minor: int
    micropython_patch: int
    chip: int
    reset_cause: int
    boot_id: int
    uid: int
    table_crc: int  # of the linearity table in force; 0: none
    calibration_crc: int  # of the calibration in force; 0: none
    t_us: int
    model: str

    @property
    def firmware(self) -> str:
        """Version of the board's firmware, as 0.1.0."""
        return f"{self.firmware_major}.{self.firmware_minor}.{self.firmware_patch}"

    @property
    def micropython(self) -> str:
        """Version of MicroPython on the board, as 1.26.1."""
        return f"{self.micropython_major}.{self.micropython_minor}.{self.micropython_patch}"

    @property
    def usb_serial(self) -> str:
        """Its serial number on USB."""
        return usb_serial(self.uid)

    @property
    def settings(self) -> BoardSettings:
        """The settings in force."""
        return BoardSettings(**{field.name: getattr(self, field.name) for field in fields(BoardSettings)})


@dataclass(frozen=True, slots=True, kw_only=True)
class ClampWindow:
    """Exact integer sums of one clamp over about a second of whole mains cycles, ending at ``t_us`` of the board's clock.

    A step is 1/8 LSB, counted from the middle of the converter's range.
    """

    port: int
    ports: int  # mask of the ports that were sampled together with it: bit n is port n + 1
    rate_hz: int  # samples a second of each
    t_us: int
    gap_samples: int
    charge: int  # since boot, 1/1024 step x ms; falls where noise alone is a little below its floor
    sum_sq: int  # step^2
    sum_: int  # step
    samples: int
    frequency_mhz: int  # of the mains; 0: unknown
    low: int  # step
    high: int  # step
    flags: int  # CLIPPED, GAP, NO_SIGNAL, BIAS_MOVED, NO_MAINS
    cycles: int  # 0: unknown


@dataclass(frozen=True, slots=True, kw_only=True)
class PairWindow:
    """The same window of two clamps: mean products around their means, and the power they add up to since boot."""

    a_port: int
    b_port: int
    t_us: int
    import_total: int  # 1/16 LSB^2 x ms
    export_total: int
    product: int  # 1/16 step^2
    lagged: int  # 1/16 step^2
    samples: int
    flags: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RawCodes:
    """A part of a capture: codes ``first`` to ``first + len - 1`` of ``total``, as the converter gave them."""

    port: int
    t_us: int  # of the capture's first code
    rate_hz: int
    first: int
    total: int
    codes: bytes  # u16 each, little-endian


@dataclass(frozen=True, slots=True, kw_only=True)
class PulseCount:
    """Pulses of one port since the board's boot."""

    port: int
    t_us: int
    count: int
    edge_us: int  # when the last pulse began; 0: none yet
    interval_us: int  # between the last two pulses; 0: fewer than two
    rejected: int  # edges that were bounce, or came within the gap
    storms: int = 0  # times that the input was shut for a moment because it did nothing but chatter


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """How the board fares."""

    t_us: int
    heap_free: int  # bytes
    heap_used: int  # bytes
    busy_us: int
    backlog_samples: int
    ring_samples: int
    records_dropped: int
    lines_dropped: int
    kept_bytes: int = 0  # of records that wait for their acknowledgement
    records_merged: int = 0  # put together with later ones, for want of room


@dataclass(frozen=True, slots=True, kw_only=True)
class Earlier:
    """A record of the boot before, which nobody had acknowledged. ``t_us`` and counters in it are that boot's."""

    boot_id: int
    kind: int
    record: bytes  # its payload


@dataclass(frozen=True, slots=True, kw_only=True)
class BoardLog:
    """A line for a person."""

    level: int  # 1 info, 2 warning, 3 error
    t_us: int
    text: str


Reading = Hello | ClampWindow | PairWindow | RawCodes | PulseCount | Health | BoardLog | Earlier | Terminal
