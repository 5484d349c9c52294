"""From the voltage at a pin to the 12-bit code: noise, then an ideal or a measured transfer curve."""

from importlib.resources import files
from typing import Final, Protocol

import numpy as np
import numpy.typing as npt

from house.housefile import Converter, House
from house.waves import Lsb, Nanos, input_on, pin_lsb
from house.wiring import ADC_CHANNEL

Codes = npt.NDArray[np.uint16]

TOP_CODE: Final = 4095
_NOISE_BLOCK: Final = 4096


def lower_edges(curve: str) -> Lsb | None:
    """For each code the input in LSB at which the converter starts to read it; None for the ideal converter."""
    if curve == "ideal":
        return None
    text = (files("house") / "data" / f"{curve}.csv").read_text(encoding="ascii")
    table = np.loadtxt(text.splitlines(), delimiter=",", skiprows=1)
    return np.ascontiguousarray(table[:, 1])


def convert(edges: Lsb | None, lsb: Lsb) -> Codes:
    """Codes of a converter with these edges. Ideal: the nearest code, half up. Measured: the last code whose edge is reached."""
    codes = np.floor(lsb + 0.5) if edges is None else np.searchsorted(edges, lsb, side="right") - 1
    return np.clip(codes, 0, TOP_CODE).astype(np.uint16)


class Noise:
    """Gaussian noise that belongs to a sample's number: the same whatever the blocks in which it is asked for."""

    def __init__(self, seed: int, channel: int, rms_lsb: float) -> None:
        self._key = (channel << 32) | seed
        self._rms_lsb = rms_lsb
        self._number = -1
        self._block = np.zeros(0)

    def take(self, first: int, count: int) -> Lsb:
        """Noise of samples ``first`` to ``first + count - 1`` in LSB."""
        if self._rms_lsb == 0:
            return np.zeros(count)
        parts = []
        while count > 0:
            start = first % _NOISE_BLOCK
            part = self._block_of(first // _NOISE_BLOCK)[start : start + count]
            parts.append(part)
            first, count = first + len(part), count - len(part)
        return np.concatenate(parts) if parts else np.zeros(0)

    def _block_of(self, number: int) -> Lsb:
        if number != self._number:
            generator = np.random.Generator(np.random.Philox(key=self._key, counter=number << 64))
            self._block = generator.standard_normal(_NOISE_BLOCK) * self._rms_lsb
            self._number = number
        return self._block


class Source(Protocol):
    """Where conversions come from: the next codes of a converter input at the given moments."""

    def take(self, channel: int, t_ns: Nanos) -> Codes:
        """Codes of the next ``len(t_ns)`` conversions of a channel."""
        ...


class HouseSource:
    """Clamps and adapters seen through the converter. Inputs without one see the bias (0 to 2) or ground (3 and 4)."""

    def __init__(self, house: House) -> None:
        converter: Converter = house.converter
        self._house = house
        self._edges = lower_edges(converter.curve)
        self._clamps = {channel: input_on(house, port) for port, channel in ADC_CHANNEL.items()}
        self._noise = [Noise(converter.seed, channel, converter.noise_lsb) for channel in range(5)]
        self._taken = [0] * 5

    def take(self, channel: int, t_ns: Nanos) -> Codes:
        """As Source.take; the noise of a conversion depends on its number and not on how many are taken at once."""
        first, count = self._taken[channel], len(t_ns)
        self._taken[channel] += count
        noise = self._noise[channel].take(first, count)
        if channel not in self._clamps:
            return convert(self._edges, noise)
        return convert(self._edges, pin_lsb(self._house, self._clamps[channel], t_ns) + noise)
