"""The mains wave in a short capture: dc and orders 1, 2, 3 ... of one fundamental, by least squares at its very frequency.

Nothing need be whole: the fit itself finds the frequency, a cycle need not be a whole number of samples, and no order leaks into
another. docs/harmonics.md compares it with windowed Fourier sums.
"""

from dataclasses import dataclass
from typing import Final, Self

import numpy as np
import numpy.typing as npt

from .arrays import Values

LOWEST_HZ: Final = 45.0
HIGHEST_HZ: Final = 65.0
NEAR_HZ: Final = 1.0
"""So far from a given frequency the wave's own may be."""
LOWEST_RATE_HZ: Final = 200.0
"""Three samples a cycle: below, not even the fundamental can be told."""
LONGEST_S: Final = 1.0
"""Over longer times the mains' frequency wanders, which no single wave follows."""
MODEL_ORDERS: Final = 40
"""Those of IEC 61000-4-7, as far as the sampling rate holds them."""
FEWEST_CYCLES: Final = 2
"""In fewer no frequency can be found."""
SMALLEST_RMS_LSB: Final = 2.0
"""Of the fundamental: the steps of the codes are 0.3 LSB rms, and to a wave not much larger they are no noise."""
LARGEST_ERROR: Final = 0.01
"""Standard error of an order's rms by noise, as a part of the fundamental."""
SMALLEST_WAVE_SHARE: Final = 0.7
"""Of the power beside dc, what the orders explain: with less, the wave was not steady, or not the mains'."""
_SCAN_PER_BIN: Final = 8
"""Steps of the search in 1 / duration: the fundamental's lobe is two such bins wide."""
_REFINING: Final = (1, 2, 4, 8, 16, MODEL_ORDERS, MODEL_ORDERS, MODEL_ORDERS)
"""Orders in each round: high ones tell the frequency best, but only once it is known to a fraction of a bin of their own."""
_SETTLED_RAD: Final = 0.01
"""The last round moves the fundamental by less over the whole capture."""


class UnfitCapture(ValueError):
    """These samples can't be analysed; the text says why and what helps."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wave:
    """A wave fitted to samples: dc + the real part of the sum over h of orders[h - 1] x exp(j h step_rad n), n from the middle on.

    ``orders`` are peak values in LSB; ``rest_lsb`` is the rms of what they leave, ``away_rad`` how far step_rad seems off.
    """

    samples: int
    step_rad: float
    dc_lsb: float
    orders: npt.NDArray[np.complex128]
    rest_lsb: float
    away_rad: float

    @classmethod
    def fit(cls, values_lsb: Values, step_rad: float, orders: int) -> Self:
        """The wave of this angle per sample; of ``orders`` those that can be told from each other below half the sampling rate."""
        count = len(values_lsb)
        orders = max(1, min(orders, int((2 * np.pi / step_rad - 1) / 2)))
        at = np.arange(count, dtype=np.float64) - (count - 1) / 2
        basis = _Basis(at, step_rad, orders)
        found = basis.weights(values_lsb)
        rest = values_lsb - basis.wave(found)
        slope = at * basis.wave(1j * np.arange(orders + 1) * found)  # of the wave over the step (Gauss and Newton)
        slope -= basis.wave(basis.weights(slope))
        steep = float(slope @ slope)
        return cls(
            samples=count,
            step_rad=step_rad,
            dc_lsb=float(found[0].real),
            orders=found[1:],
            rest_lsb=float(np.sqrt(rest @ rest / max(1, count - 2 * orders - 2))),
            away_rad=float(slope @ rest) / steep if steep > 0 else 0.0,
        )

    @property
    def start_rad(self) -> float:
        """Angle of the fundamental at the first sample, 0 to 2 pi, 0 where it crosses zero rising."""
        middle_rad = float(np.angle(self.orders[0])) + np.pi / 2
        return (middle_rad - self.step_rad * (self.samples - 1) / 2) % (2 * np.pi)

    @property
    def error_lsb(self) -> float:
        """Standard error that noise gives the rms of any order."""
        return self.rest_lsb / float(np.sqrt(self.samples))


class _Basis:
    """Orders 0 to some at moments that lie evenly around 0: cosines and sines are then orthogonal to each other, and the products
    among each have sums in closed form (Dirichlet's kernel). Without BLAS, whose threads cost more than they gain here."""

    def __init__(self, at: Values, step_rad: float, orders: int) -> None:
        self._turns = np.ones((orders + 1, len(at)), dtype=np.complex128)
        self._turns[1] = np.exp(1j * step_rad * at)
        for order in range(2, orders + 1):
            np.multiply(self._turns[order - 1], self._turns[1], out=self._turns[order])
        half = np.arange(1, 2 * orders + 1) * step_rad / 2
        sums = np.concatenate([[len(at)], np.sin(half * len(at)) / np.sin(half)])
        number = np.arange(orders + 1)
        less, more = sums[abs(number[:, None] - number)], sums[number[:, None] + number]
        self._even, self._odd = (less + more) / 2, (less - more)[1:, 1:] / 2

    def weights(self, values: Values) -> npt.NDArray[np.complex128]:
        """Of each order, so that ``wave`` of them comes nearest to these values."""
        products = np.einsum("on,n->o", self._turns, values)
        weights = np.linalg.solve(self._even, products.real).astype(np.complex128)
        weights[1:] -= 1j * np.linalg.solve(self._odd, products.imag[1:])
        return weights

    def wave(self, weights: npt.NDArray[np.complex128]) -> Values:
        """The real part of the weighted orders at each moment."""
        values: Values = np.einsum("o,on->n", weights, self._turns).real
        return values


def step_of(values_lsb: Values, rate_hz: float, frequency_hz: float | None) -> float:
    """Angle per sample of the fundamental, searched between 45 and 65 Hz, or within a hertz of ``frequency_hz``.

    Raises UnfitCapture as ``check`` does, with less than two cycles, silence, and when the wave's frequency is another.
    """
    check(values_lsb, rate_hz, frequency_hz)
    if values_lsb.std() < SMALLEST_RMS_LSB:
        raise UnfitCapture(f"{values_lsb.std():.2f} LSB rms are silence: let more current flow")
    lowest_hz, highest_hz = LOWEST_HZ, HIGHEST_HZ
    if frequency_hz is not None:
        lowest_hz, highest_hz = frequency_hz - NEAR_HZ, frequency_hz + NEAR_HZ
    per_hz = 2 * np.pi / rate_hz
    count = 2 + int((highest_hz - lowest_hz) * len(values_lsb) / rate_hz * _SCAN_PER_BIN)
    steps = np.linspace(lowest_hz, highest_hz, count) * per_hz
    step_rad = float(min(steps, key=lambda step: Wave.fit(values_lsb, step, 1).rest_lsb))
    away_rad = 0.0
    for orders in _REFINING:
        away_rad = Wave.fit(values_lsb, step_rad, orders).away_rad
        step_rad += min(max(away_rad, -NEAR_HZ * per_hz), NEAR_HZ * per_hz)
    if abs(away_rad) * len(values_lsb) > _SETTLED_RAD:
        raise UnfitCapture("no steady wave of the mains, or too few cycles of one with so strong harmonics")
    if not lowest_hz <= step_rad / per_hz <= highest_hz:
        raise UnfitCapture(f"no wave of {lowest_hz:g} to {highest_hz:g} Hz; is the rate right?")
    if cycles_in(values_lsb, step_rad) < FEWEST_CYCLES:
        raise UnfitCapture(f"{len(values_lsb)} samples are less than {FEWEST_CYCLES} cycles")
    return step_rad


def check(values_lsb: Values, rate_hz: float, frequency_hz: float | None) -> None:
    """Raises UnfitCapture unless these are finite samples of one input, a cycle to a second long, and the numbers plausible."""
    if values_lsb.ndim != 1 or not np.isfinite(values_lsb).all():
        raise UnfitCapture("want finite samples of one input")
    if not LOWEST_RATE_HZ <= rate_hz < np.inf:
        raise UnfitCapture(f"{rate_hz:g} samples a second are too few: at least {LOWEST_RATE_HZ:g} are needed")
    if frequency_hz is not None and not LOWEST_HZ <= frequency_hz <= HIGHEST_HZ:
        raise UnfitCapture(f"{frequency_hz:g} Hz is no frequency of the mains: {LOWEST_HZ:g} to {HIGHEST_HZ:g}")
    if len(values_lsb) > LONGEST_S * rate_hz:
        raise UnfitCapture(f"{len(values_lsb)} samples are more than {LONGEST_S:g} s: take a part")
    if cycles_in(values_lsb, 2 * np.pi * (frequency_hz or HIGHEST_HZ) / rate_hz) < 1:
        raise UnfitCapture(f"{len(values_lsb)} samples are less than a cycle")


def check_stands_out(wave: Wave, rms_lsb: float) -> None:
    """Raises UnfitCapture when samples of this rms hold no steady wave of the mains that stands out of noise."""
    fundamental_lsb = float(abs(wave.orders[0])) / 2**0.5
    if wave.rest_lsb**2 > (1 - SMALLEST_WAVE_SHARE) * rms_lsb**2:
        raise UnfitCapture(
            f"no steady wave of the mains: {wave.rest_lsb:.1f} of {rms_lsb:.1f} LSB rms are none of its orders "
            "(too small a current, a load that switched, or a wrong rate)"
        )
    if fundamental_lsb < SMALLEST_RMS_LSB or wave.error_lsb > LARGEST_ERROR * fundamental_lsb:
        raise UnfitCapture(
            f"a fundamental of {fundamental_lsb:.2f} LSB rms is too small beside {wave.rest_lsb:.2f} LSB of noise: "
            "let more current flow, or capture more cycles"
        )


def cycles_in(values_lsb: Values, step_rad: float) -> int:
    """Whole cycles in these samples, to half a sample."""
    return int((len(values_lsb) + 0.5) * step_rad / (2 * np.pi))


def whole_cycles(values_lsb: Values, step_rad: float) -> Values:
    """The whole cycles from the first sample on, to half a sample."""
    return values_lsb[: round(cycles_in(values_lsb, step_rad) * 2 * np.pi / step_rad)]
