"""The metering core that runs on the board, here through cffi: the same C source, so the same numbers bit for bit."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from fluksometer._metering import ffi as _ffi
from fluksometer._metering import lib as _lib

MAX_CHANNELS: Final[int] = _lib.METERING_CHANNELS
MID_CODE: Final[int] = _lib.METERING_MID_CODE
WINDOW_BYTES: Final[int] = _ffi.sizeof("metering_window_t")
"""Size of one window as it stands in a clamp record."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """One closed window of one channel; sums are of codes minus MID_CODE, in LSB (native/metering/metering.h)."""

    charge: int
    sum_sq: int
    sum: int
    samples: int
    low: int
    high: int
    raw: bytes


class Core:
    """Folds interleaved samples of 1..3 channels into windows of ``window_samples`` samples of each channel.

    ``rate_hz``: samples of each channel a second.
    """

    def __init__(self, channels: int, window_samples: int, rate_hz: int) -> None:
        """Raises ValueError when channels is not 1..3, window_samples not 1..1048576 or rate_hz not 1..500000."""
        self._state = _ffi.new("metering_t *")
        given = (channels, window_samples, rate_hz)
        if not all(0 <= value < 1 << 32 for value in given) or _lib.metering_init(self._state, *given) != 0:
            raise ValueError(f"want 1..{MAX_CHANNELS} channels, 1..1048576 samples, 1..500000 Hz, not {given}")
        self.channels = channels

    def fold(self, codes: npt.NDArray[np.uint16]) -> list[list[Window]]:
        """Windows closed by these codes (sets x channels, row by row), oldest first, each a list of one Window a channel.

        Raises ValueError when the shape is wrong or a code exceeds 4095: the converter has 12 bits.
        """
        if codes.ndim != 2 or codes.shape[1] != self.channels or codes.dtype != np.uint16:
            raise ValueError(f"want N x {self.channels} codes of uint16, not {codes.shape} of {codes.dtype}")
        if codes.size and int(codes.max()) > 4095:
            raise ValueError(f"code {int(codes.max())} exceeds 4095: these are not 12-bit samples")
        codes = np.ascontiguousarray(codes)
        closed: list[list[Window]] = []
        at, seen = 0, self._state.windows
        while at < len(codes):
            rows = codes[at:]
            at += _lib.metering_fold(self._state, _ffi.from_buffer("uint16_t[]", rows), len(rows))
            if self._state.windows != seen:
                seen = self._state.windows
                closed.append([self._window(channel) for channel in range(self.channels)])
        return closed

    def _window(self, channel: int) -> Window:
        window = self._state.closed[channel]
        return Window(
            charge=window.charge,
            sum_sq=window.sum_sq,
            sum=window.sum,
            samples=window.samples,
            low=window.low,
            high=window.high,
            raw=bytes(_ffi.buffer(_ffi.addressof(self._state.closed, channel))),
        )


def isqrt(value: int) -> int:
    """Root rounded to nearest, as the core computes it. ``value``: 0..2^64-1."""
    return int(_lib.metering_isqrt(value))


def variance_q20(sum_sq: int, total: int, samples: int) -> int:
    """Variance in 2^-20 LSB^2, rounded down, as the core computes it."""
    return int(_lib.metering_variance_q20(sum_sq, total, samples))
