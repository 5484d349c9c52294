"""The metering core that runs on the board, here through cffi: the same C source, so the same numbers bit for bit."""

from dataclasses import dataclass
from typing import Any, Final, TypeVar

import numpy as np

from fluksometer._metering import ffi as _ffi
from fluksometer._metering import lib as _lib
from fluksometer.domain.arrays import Codes, Steps

MAX_CHANNELS: Final[int] = _lib.METERING_CHANNELS
CODES: Final[int] = _lib.METERING_CODES
STEPS: Final[int] = _lib.METERING_STEPS
"""Steps in one LSB: the unit of a table's entries and of all sums."""
MAX_STEP: Final[int] = _lib.METERING_MAX_STEP
MAX_RATE_HZ: Final[int] = _lib.METERING_MAX_RATE_HZ
WINDOW_BYTES: Final[int] = _ffi.sizeof("metering_window_t")
"""Size of one window as it stands in a clamp record."""
PAIR_BYTES: Final[int] = _ffi.sizeof("metering_pair_t")
"""Size of one pair's window as it stands in a pair record."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """One closed window of one channel (metering_window_t of native/metering/metering.h)."""

    charge: int  # 1/1024 step x ms
    sum_sq: int  # step^2
    sum: int  # step
    samples: int
    frequency_mhz: int  # 0: unknown
    low: int  # step
    high: int  # step
    flags: int
    cycles: int  # 0: unknown
    raw: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """The same window of two channels (metering_pair_t)."""

    import_total: int  # 1/16 LSB^2 x ms
    export_total: int
    product: int  # 1/16 step^2
    lagged: int
    samples: int
    flags: int
    raw: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Closed:
    """What one window says: one Window a channel, and the pairs that are multiplied, by their channels."""

    channels: list[Window]
    pairs: dict[tuple[int, int], Pair]


_Struct = TypeVar("_Struct", Window, Pair)


class Core:
    """Folds interleaved samples of 1..3 channels into windows of whole mains cycles, about a second each.

    ``rate_hz``: samples of each channel a second. ``table``: the converter's linearity in steps, None for an ideal one.
    """

    def __init__(self, channels: int, rate_hz: int, table: Steps | None = None) -> None:
        """Raises ValueError when channels is not 1..3, rate_hz not 1..500000, or the table is none."""
        self._state = _ffi.new("metering_t *")
        if not _begins(self._state, channels, rate_hz):
            raise ValueError(f"want 1..{MAX_CHANNELS} channels, 1..{MAX_RATE_HZ} Hz, not {channels}, {rate_hz}")
        self.channels = channels
        self._table = identity() if table is None else _checked(table)
        self._pairs: list[tuple[int, int]] = []

    def subtract_noise(self, channel: int, floor_q20: int) -> None:
        """Take this variance (2^-20 step^2) off a channel's charge from now on. Raises ValueError when out of range."""
        if not 0 <= channel < self.channels or not 0 <= floor_q20 < 1 << 31:
            raise ValueError(f"want channel 0..{self.channels - 1} and floor 0..2^31-1, not {channel}, {floor_q20}")
        _lib.metering_floor(self._state, channel, floor_q20)

    def multiply(self, a: int, b: int, c0: int = 1 << 14, c1: int = 0) -> None:
        """Multiply channels a < b from now on, with this phase compensation in 2^-14.

        Raises ValueError when a number is out of range, and for a new pair in the middle of a window.
        """
        if not 0 <= a < b < self.channels or max(abs(c0), abs(c1)) > 1 << 20:
            raise ValueError(f"want a < b < {self.channels} and |c| <= 2^20, not {a}, {b}, {c0}, {c1}")
        if _lib.metering_multiply(self._state, a, b, c0, c1) != 0:
            raise ValueError("a new pair begins between two windows only")
        self._pairs = sorted({*self._pairs, (a, b)})

    def watch(self, channel: int) -> None:
        """Find the mains on this channel only. Raises ValueError when there is no such channel, or after the first sample."""
        if not 0 <= channel < self.channels or _lib.metering_watch(self._state, channel) != 0:
            raise ValueError(f"want channel 0..{self.channels - 1}, before the first sample, not {channel}")

    def gap(self) -> None:
        """Samples are missing here."""
        _lib.metering_break(self._state)

    def fold(self, codes: Codes) -> list[Closed]:
        """Windows closed by these codes (sets x channels, row by row), oldest first.

        Raises ValueError when the shape is wrong or a code exceeds 4095: the converter has 12 bits.
        """
        if codes.ndim != 2 or codes.shape[1] != self.channels or codes.dtype != np.uint16:
            raise ValueError(f"want N x {self.channels} codes of uint16, not {codes.shape} of {codes.dtype}")
        if codes.size and int(codes.max()) >= CODES:
            raise ValueError(f"code {int(codes.max())} exceeds {CODES - 1}: these are not 12-bit samples")
        codes = np.ascontiguousarray(codes)
        table = _ffi.from_buffer("int16_t[]", self._table)
        closed: list[Closed] = []
        at, seen = 0, self._state.windows
        while at < len(codes):
            rows = codes[at:]
            at += _lib.metering_fold(self._state, table, _ffi.from_buffer("uint16_t[]", rows), len(rows))
            if self._state.windows != seen:
                seen = self._state.windows
                closed.append(self._closed())
        return closed

    def _closed(self) -> Closed:
        channels = [_fields(Window, self._state.closed, channel) for channel in range(self.channels)]
        pairs = {(a, b): _fields(Pair, self._state.pairs, a + b - 1) for a, b in self._pairs}
        return Closed(channels=channels, pairs=pairs)


def _begins(state: Any, channels: int, rate_hz: int) -> bool:
    given = (channels, rate_hz)
    return all(0 <= value < 1 << 32 for value in given) and _lib.metering_init(state, *given) == 0


def _fields(kind: type[_Struct], structs: Any, index: int) -> _Struct:
    struct = structs[index]
    names = [name for name in kind.__dataclass_fields__ if name != "raw"]
    raw = bytes(_ffi.buffer(_ffi.addressof(structs, index)))
    return kind(**{name: getattr(struct, name) for name in names}, raw=raw)


def _checked(table: Steps) -> Steps:
    if table.shape != (CODES,) or table.dtype != np.int16 or int(np.abs(table.astype(np.int32)).max()) > MAX_STEP:
        raise ValueError(f"want a table of {CODES} int16 within +-{MAX_STEP}, not {table.shape} of {table.dtype}")
    return np.ascontiguousarray(table)


def identity() -> Steps:
    """The table of an ideal converter."""
    table = np.zeros(CODES, dtype=np.int16)
    _lib.metering_identity(_ffi.from_buffer("int16_t[]", table))
    return table


def isqrt(value: int) -> int:
    """Root rounded to nearest, as the core computes it. ``value``: 0..2^64-1."""
    return int(_lib.metering_isqrt(value))


def variance_q20(sum_sq: int, total: int, samples: int) -> int:
    """Variance in 2^-20 step^2, rounded down, as the core computes it."""
    return int(_lib.metering_variance_q20(sum_sq, total, samples))


def covariance_q4(sum_ab: int, sum_a: int, sum_b: int, samples: int) -> int:
    """Mean product of two channels around their means in 1/16 step^2, rounded to nearest, as the core computes it."""
    return int(_lib.metering_covariance_q4(sum_ab, sum_a, sum_b, samples))
