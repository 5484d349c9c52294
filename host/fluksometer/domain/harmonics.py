"""Harmonics of a captured mains wave: how large each order is, and where it stands beside the fundamental.

Orders are those of IEC 61000-4-7, over as many whole cycles as were captured (the standard: 10 at 50 Hz, 12 at 60 Hz).
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from .arrays import Values
from .mains_wave import MODEL_ORDERS, Wave, check_stands_out, cycles_in, step_of, whole_cycles

ORDERS: Final = 15
"""So many are told, the fundamental included."""
CERTAIN: Final = 3.0
"""An order below so many standard errors has no phase worth telling."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Harmonics:
    """What a wave is made of: dc + the sum over h of sqrt(2) x rms[h] x sin(h x 2 pi x frequency x t + phase[h]) + noise.

    ``order_rms_lsb`` and ``order_phase_rad`` hold orders 1 to 15. t is 0 where the fundamental crosses zero rising, so that its own
    phase is 0; the others are within -pi to pi. None: the order is not below half the sampling rate; or, of phases alone, it is
    lost in noise. ``start_rad`` is the fundamental's angle at the first sample, 0 to 2 pi. ``rms_lsb`` counts all beside dc, noise,
    too; ``noise_lsb`` is what no order up to the 40th explains. ``crest_factor``: peak of the mean cycle over rms.
    """

    frequency_hz: float
    cycles: int
    dc_lsb: float
    rms_lsb: float
    crest_factor: float
    noise_lsb: float
    order_rms_lsb: tuple[float | None, ...]
    order_phase_rad: tuple[float | None, ...]
    start_rad: float

    @property
    def thd(self) -> float:
        """THD-F (IEC 61000-4-7, IEEE 519): rms of orders 2 to 15 together over the fundamental's; those that are None left out."""
        fundamental, *others = (rms or 0.0 for rms in self.order_rms_lsb)
        return float(np.linalg.norm(others)) / fundamental


def harmonics(values_lsb: Values, rate_hz: float, frequency_hz: float | None = None) -> Harmonics:
    """The harmonics in consecutive samples (N of one input, in LSB), ``rate_hz`` of them a second.

    The frequency is searched between 45 and 65 Hz, or within a hertz of ``frequency_hz``. A clipped wave is told as it is, with the
    orders that clipping makes. Raises UnfitCapture when there is nothing to tell: not finite, less than two cycles or more than a
    second, no steady wave of the mains, its fundamental below 2 LSB rms or below 100 standard errors of noise.
    """
    step_rad = step_of(values_lsb, rate_hz, frequency_hz)
    cycles = cycles_in(values_lsb, step_rad)
    values = whole_cycles(values_lsb, step_rad)
    wave = Wave.fit(values, step_rad, MODEL_ORDERS)
    rms_lsb = float(values.std())
    check_stands_out(wave, rms_lsb)
    return Harmonics(
        frequency_hz=step_rad * rate_hz / (2 * np.pi),
        cycles=cycles,
        dc_lsb=wave.dc_lsb,
        rms_lsb=rms_lsb,
        crest_factor=float(np.abs(_mean_cycle(values - wave.dc_lsb, cycles)).max()) / rms_lsb,
        noise_lsb=wave.rest_lsb,
        order_rms_lsb=_told((np.abs(wave.orders) / np.sqrt(2)).tolist()),
        order_phase_rad=_told(_phases(wave)),
        start_rad=wave.start_rad,
    )


def _phases(wave: Wave) -> list[float | None]:
    """Of each order, at the fundamental's rising zero crossing."""
    ahead = -1j * np.conj(wave.orders[0]) / abs(wave.orders[0])
    phases = np.angle(1j * wave.orders * ahead ** np.arange(1, len(wave.orders) + 1))
    certain = np.abs(wave.orders) / np.sqrt(2) >= CERTAIN * wave.error_lsb
    return [0.0, *(float(phase) if sure else None for phase, sure in zip(phases[1:], certain[1:], strict=True))]


def _told(orders: list[float | None]) -> tuple[float | None, ...]:
    """The first 15, None for those that are not there."""
    return tuple((orders + [None] * ORDERS)[:ORDERS])


def _mean_cycle(values: Values, cycles: int) -> Values:
    """All cycles laid upon each other, at as many points as one has samples: noise raises this one's peak the least."""
    period = len(values) / cycles
    at = np.arange(int(period)) * period / int(period)
    each = [np.interp(at + cycle * period, np.arange(len(values)), values) for cycle in range(cycles)]
    mean: Values = np.mean(each, axis=0)
    return mean
