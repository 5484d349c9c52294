"""Deriving a converter's linearity table from a recording of the mains wave itself.

The wave is modelled: fundamental, harmonics, drift of frequency and amplitude, for each ten cycles by least squares on the
corrected codes. A code's value is the mean of the model where the code was read; then again with the better table.

The usual histogram test (IEEE 1241: cumulated counts against the arcsine law) was tried on the same recordings, 60 s at 20 kS/s
and 0.8 LSB of noise, 95 % of range. A pure sine: as good (1 % of range to 0.14 %, 10 to 95 % to 0.04 %). Amplitude wandering by
2 %: 0.10 % at the top. A mains wave with 2.5 % of fifth and less of other harmonics: 8 % wrong everywhere. docs/calibration.md
has the model's figures: below 0.25 % and 0.1 % on that wave, and the histogram's own on a pure sine.

What no wave of one amplitude can tell is its own harmonics from a smooth bend of the converter, where they are in phase with the
fundamental. There the chip's default table decides, weighed by how strong the wave's harmonics are a quarter period off, where
a converter makes none: a pure sine tells all, a wave full of harmonics leaves the smoothest bends to the default.
"""

from dataclasses import dataclass
from typing import Any, Final, cast

import numpy as np
import numpy.typing as npt

from .arrays import Codes, Values
from .linearity import CODES, MIDDLE, Linearity

RESIDUAL_LIMIT_LSB: Final = 0.5
HIDDEN_LIMIT: Final = 0.01
"""From here on the default table does as well for small currents."""
STRANGER_LSB: Final = 0.75
"""rms beside the default table from which on the converter is another chip's: the six measured boards are 0.1 to 0.35 beside
their own chip's, and 1.1 to 1.9 beside the other one's where the wave has 40 % of range or more."""
_CODE: Final = np.arange(CODES, dtype=np.float64)

BLOCK_CYCLES: Final = 10
HARMONICS: Final = 20
ROUNDS: Final = 4
FEWEST_SAMPLES: Final = 100_000
FEWEST_BLOCKS: Final = 20
SMALLEST_PEAK_LSB: Final = 24.0
END_CODES: Final = 24
"""Codes so near to the ends are clipped: real converters stop short of 0 and 4095."""
LARGEST_CLIPPED_SHARE: Final = 0.02
SMALLEST_WAVE_SHARE: Final = 0.4
"""Of the recording's power, within a Hz of the mains frequency: what a rectifier load with a crest factor of 3 still has."""
LARGEST_THIN_SHARE: Final = 0.2
THIN: Final = 8
"""A code read less often tells next to nothing."""
CREST_MARGIN_LSB: Final = 4.0
"""So near below a wave's crest noise pulls the mean of a code inwards (by noise^2 / (2 x distance))."""
_BOARD_BEND_LSB: Final = 0.25
"""A bend (Chebyshev component) by which a board differs from the default table of its chip: 0.02 to 0.4 on the six measured."""
_HIDDEN_BEND_LSB: Final = 0.2
"""As above, for an estimate of what bends cost that harmonics hide."""
_CODE_WIDTH_VARIANCE: Final = 0.15
"""LSB^2 by which a code's value scatters around its neighbours'."""
_SMOOTH_CODES: Final = 16
_FADE_CODES: Final = 64


class UnfitRecording(ValueError):
    """No table can be derived from these samples; the text says why and what helps."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """A derived table and what the recording was like. ``thin``: share of the visited codes read too seldom to tell;
    ``blocks`` of ten cycles were used, ``dropped`` had clipped samples or a load that switched."""

    table: Linearity
    frequency_hz: float
    peak_lsb: float
    noise_lsb: float
    thin: float
    blocks: int
    dropped: int
    moved_lsb: float
    """The largest correction of a visited code."""
    beside_default_lsb: float
    """rms of the difference to the chip's default table over the visited codes."""
    hidden: float
    """Part by which the smallest currents may be wrong because the wave's harmonics hide bends of the converter."""

    @property
    def trusted(self) -> bool:
        """Whether the halves of the recording agree, harmonics hide little, and the converter is of the chip it is taken for."""
        agrees = self.table.residual_lsb <= RESIDUAL_LIMIT_LSB and self.hidden <= HIDDEN_LIMIT
        return agrees and self.beside_default_lsb <= STRANGER_LSB


def fit(codes: Codes, rate_hz: float, default: Linearity, *, date: str, frequency_hz: float | None = None) -> Fit:
    """The table of the converter that read ``codes`` (one channel, 12 bits) off a mains wave, ``rate_hz`` samples a second.

    ``date`` goes into the table. ``frequency_hz``: that of the mains, if the samples are pieces of ``block_samples`` each rather
    than one recording, where it can't be found. Raises UnfitRecording when the samples can't tell anything.
    """
    check_samples(codes)
    start = default.corrected()
    frequency_hz = frequency_hz or _frequency(start[codes], rate_hz)
    waves = _Waves(codes, rate_hz, frequency_hz, start)
    if len(waves.blocks) < FEWEST_BLOCKS:
        raise UnfitRecording(
            f"only {len(waves.blocks)} of {waves.dropped + len(waves.blocks)} pieces of {BLOCK_CYCLES} cycles can be used, "
            f"{FEWEST_BLOCKS} are needed: the others are clipped or a load switched in them"
        )
    judge, _ = waves.table_of(waves.blocks[::2])
    residual_lsb = waves.disagreement(judge, waves.blocks[1::2])
    corrected, view = waves.table_of(waves.blocks)
    low, high = view.visited
    thin = float(np.mean(view.counts[low : high + 1] < THIN))
    if thin > LARGEST_THIN_SHARE:
        raise UnfitRecording(
            f"{thin:.0%} of the codes within the wave were hardly ever read: the recording is too short for so large a wave, "
            "or the sampling runs in step with the mains"
        )
    seen = slice(low, high + 1)
    about = {"chip": default.chip, "date": date, "residual_lsb": round(residual_lsb, 4), "visited": view.visited}
    table = Linearity.of(corrected, samples=int(view.counts.sum()), **about)
    return Fit(
        table=table,
        frequency_hz=frequency_hz,
        peak_lsb=view.peak_lsb,
        noise_lsb=view.noise_lsb,
        thin=thin,
        blocks=len(waves.blocks),
        dropped=waves.dropped,
        hidden=waves.hidden(waves.blocks[:FEWEST_BLOCKS]),
        moved_lsb=float(np.abs(corrected - _CODE)[seen].max()),
        beside_default_lsb=float(np.sqrt(np.mean((corrected - start)[seen] ** 2))),
    )


def block_samples(rate_hz: float, frequency_hz: float) -> int:
    """Samples in the pieces that a recording is cut into."""
    return round(BLOCK_CYCLES * rate_hz / frequency_hz)


def check_samples(codes: npt.NDArray[Any]) -> None:
    """Raises UnfitRecording when these can't be 12-bit samples of one channel, are too few, or clipped."""
    if codes.ndim != 1 or codes.dtype != np.uint16:
        raise UnfitRecording(f"want one channel of uint16 codes, not {codes.shape} of {codes.dtype}")
    if len(codes) < FEWEST_SAMPLES:
        raise UnfitRecording(f"{len(codes)} samples are too few: at least {FEWEST_SAMPLES}, better a minute or two")
    if int(codes.max()) >= CODES:
        raise UnfitRecording(f"code {int(codes.max())} exceeds {CODES - 1}: these are not 12-bit samples")
    clipped = float(np.mean(at_ends(codes)))
    if clipped > LARGEST_CLIPPED_SHARE:
        raise UnfitRecording(
            f"{clipped:.0%} of the samples are at the converter's ends: clipped, or nothing is connected"
        )


def at_ends(codes: Codes) -> npt.NDArray[np.bool_]:
    """Which codes are clipped."""
    ends: npt.NDArray[np.bool_] = (codes < END_CODES) | (codes >= CODES - END_CODES)
    return ends


def _frequency(values: Values, rate_hz: float) -> float:
    """The mains frequency, to some tens of mHz. Raises UnfitRecording when this is no mains wave with enough swing."""
    if not rate_hz > 1000:
        raise UnfitRecording(f"{rate_hz:g} samples a second are too few: more than 1000 are needed")
    values = values - values.mean()
    peak_lsb = float(np.sqrt(2 * values.var()))
    if peak_lsb < SMALLEST_PEAK_LSB:
        raise UnfitRecording(
            f"the wave's peak is {peak_lsb:.1f} LSB, too little swing to tell anything: let more current flow "
            f"(at least {SMALLEST_PEAK_LSB:g} LSB, better a half of the range)"
        )
    power = np.abs(np.fft.rfft(values * np.hanning(len(values)))) ** 2
    bin_hz = rate_hz / len(values)
    low = int(40 / bin_hz)
    top = low + int(np.argmax(power[low : int(70 / bin_hz)]))
    around = slice(top - int(1 / bin_hz), top + int(1 / bin_hz) + 1)
    share = float(power[around].sum() / power.sum())
    frequency_hz = float(power[around] @ np.arange(len(power))[around] / power[around].sum()) * bin_hz
    if not 45 <= frequency_hz <= 65 or share < SMALLEST_WAVE_SHARE:
        raise UnfitRecording(
            f"no mains wave of 45 to 65 Hz in it: the strongest there, {frequency_hz:.1f} Hz, has {share:.0%} of the power; "
            "are rate and channel right?"
        )
    return frequency_hz


@dataclass(frozen=True, slots=True, kw_only=True)
class _View:
    """The converter as some blocks show it: how often each code was read and what the wave then was on average.

    ``bends`` and ``lifts``: each order of the mean wave, in phase with the fundamental and a quarter period off.
    """

    counts: Values
    means: Values
    bends: Values
    lifts: Values
    centre_lsb: float
    peak_lsb: float
    noise_lsb: float
    visited: tuple[int, int]

    def read_codes(self) -> npt.NDArray[np.intp]:
        """The visited codes that were read often enough."""
        low, high = self.visited
        return low + np.flatnonzero(self.counts[low : high + 1] >= THIN)

    def errors(self, codes: npt.NDArray[np.intp], corrected: Values, bends: Values) -> Values:
        """How far these codes' values are beside a table, if ``bends`` of what was seen are the wave's own.

        Offset and gain, which nobody can know, are those of the table.
        """
        angle = np.arccos(np.clip((corrected[codes] - self.centre_lsb) / self.peak_lsb, -1, 1))
        orders = np.arange(1, len(bends) + 1)
        errors = self.means[codes] + np.cos(np.outer(angle, orders)) @ (bends - self.bends) - corrected[codes]
        return cast(Values, errors - np.polyval(np.polyfit(codes, errors, 1), codes))


class _Waves:
    """A recording cut into blocks of some cycles, each with a wave of its own. ``blocks`` are the numbers of the good ones."""

    def __init__(self, codes: Codes, rate_hz: float, frequency_hz: float, start: Values) -> None:
        self._length = block_samples(rate_hz, frequency_hz)
        self._codes = codes[: len(codes) // self._length * self._length].reshape(-1, self._length)
        self._orders = min(HARMONICS, int(0.45 * rate_hz / frequency_hz))
        self._start = start
        self._step = [_angle_step(start[row], 2 * np.pi * frequency_hz / rate_hz) for row in self._codes]
        whole = np.flatnonzero(~at_ends(self._codes).any(axis=1))
        noise = np.array([self._wave(block, start)[1] for block in whole])
        self.blocks = whole[noise <= 2 * np.median(noise)] if len(whole) else whole
        self.dropped = len(self._codes) - len(self.blocks)

    def table_of(self, blocks: npt.NDArray[np.intp]) -> tuple[Values, _View]:
        """The values of all codes as these blocks tell them."""
        view = self._view(blocks, self._start)
        own = self._own_share(view)
        bends = view.bends * own
        corrected = self._start
        for left in reversed(range(ROUNDS)):
            corrected = self._joined(view, corrected, bends)
            if left:
                view = self._view(blocks, corrected)
        return corrected, view

    @staticmethod
    def _own_share(view: _View) -> Values:
        """Of each order in phase with the fundamental, the part taken for the wave's own: as strong as what is a quarter period
        off, or stronger than any board's bend."""
        power = view.lifts**2 + np.maximum(view.bends**2 - (3 * _BOARD_BEND_LSB) ** 2, 0)
        return power / (power + _BOARD_BEND_LSB**2)

    def hidden(self, blocks: npt.NDArray[np.intp]) -> float:
        """What hidden bends (Chebyshev polynomials, of slope n in the middle for odd n) may do to the gain in the middle."""
        view = self._view(blocks, self._start)
        odd = np.arange(3, len(view.bends) + 1, 2)
        return float(np.linalg.norm(odd * self._own_share(view)[2::2]) * _HIDDEN_BEND_LSB / view.peak_lsb)

    def disagreement(self, corrected: Values, blocks: npt.NDArray[np.intp]) -> float:
        """rms in LSB, over all readings, by which these blocks find codes beside a table."""
        view = self._view(blocks, corrected)
        codes = view.read_codes()
        if len(codes) < THIN:
            return float(CODES)
        errors = view.errors(codes, corrected, view.bends)
        return float(np.sqrt(np.average(errors**2, weights=view.counts[codes])))

    def _view(self, blocks: npt.NDArray[np.intp], corrected: Values) -> _View:
        counts, sums = np.zeros(CODES), np.zeros(CODES)
        crests, noises, shapes = [], [], []
        for block in blocks:
            wave, noise, shape = self._wave(block, corrected)
            row = self._codes[block]
            counts += np.bincount(row, minlength=CODES)
            sums += np.bincount(row, weights=wave, minlength=CODES)
            crests.append((wave.min(), wave.max()))
            noises.append(noise)
            shapes.append(shape)
        noise = float(np.median(noises))
        margin = CREST_MARGIN_LSB + 3 * noise
        low, high = np.quantile([crest[0] for crest in crests], 0.1), np.quantile([crest[1] for crest in crests], 0.9)
        inside = np.flatnonzero((corrected >= low + margin) & (corrected <= high - margin))
        mean_shape = np.mean(shapes, axis=0)
        return _View(
            counts=counts,
            means=sums / np.maximum(counts, 1),
            bends=mean_shape.real,
            lifts=mean_shape.imag,
            centre_lsb=float(high + low) / 2,
            peak_lsb=float(high - low) / 2,
            noise_lsb=noise,
            visited=(int(inside[0]), int(inside[-1])) if len(inside) else (MIDDLE, MIDDLE),
        )

    def _wave(self, block: np.intp, corrected: Values) -> tuple[Values, float, npt.NDArray[np.complex128]]:
        """A block's wave, the rms of what is beside it, and its orders turned so that the fundamental is a cosine."""
        at = np.arange(self._length) - (self._length - 1) / 2
        orders = self._orders
        turns = np.empty((orders, self._length), dtype=np.complex128)
        turns[0] = np.exp(1j * self._step[block] * at)
        for order in range(1, orders):
            np.multiply(turns[order - 1], turns[0], out=turns[order])
        basis = np.empty((2 * orders + 3, self._length))
        basis[:orders], basis[orders:-3], basis[-3] = turns.real, turns.imag, 1
        basis[-2], basis[-1] = turns[0].real * at / self._length, turns[0].imag * at / self._length
        values = corrected[self._codes[block]]
        weights = np.linalg.solve(basis @ basis.T, basis @ values)
        wave = weights @ basis
        shape = weights[:orders] - 1j * weights[orders : 2 * orders]
        ahead = shape[0] / abs(shape[0])
        return wave, float(np.std(values - wave)), shape / ahead ** np.arange(1, orders + 1)

    def _joined(self, view: _View, corrected: Values, bends: Values) -> Values:
        """A better table: what was seen, the neighbours' where a code was hardly read, the default outside, without a jump.

        The default's gain and offset remain: over the visited codes the best line through what is new is flat.
        """
        codes = view.read_codes()
        if len(codes) < THIN:
            return self._start
        new = corrected[codes] + view.errors(codes, corrected, bends) - self._start[codes]
        new -= np.polyval(np.polyfit(codes, new, 1), codes)
        weight, sums = np.zeros(CODES), np.zeros(CODES)
        weight[codes] = view.counts[codes]
        sums[codes] = weight[codes] * new
        low, high = view.visited
        window, inside = np.hanning(2 * _SMOOTH_CODES + 1), slice(low, high + 1)
        spread, total = (np.convolve(one, window, mode="same")[inside] for one in (weight, sums))
        near = np.flatnonzero(spread > 0)
        smooth = np.interp(_CODE, low + near, total[near] / spread[near])
        trust = view.noise_lsb**2 / _CODE_WIDTH_VARIANCE
        beyond = np.maximum(low - _CODE, _CODE - high)
        fade = np.clip(1 - beyond / _FADE_CODES, 0, 1)
        return self._start + fade * (sums + trust * smooth) / (weight + trust)


def _angle_step(values: Values, step: float) -> float:
    """Angle per sample of the fundamental, near ``step``, from how far its phase moves between the halves of a block."""
    half = len(values) // 2
    turned = (values[: 2 * half] - values.mean()) * np.exp(-1j * step * np.arange(2 * half))
    return step + float(np.angle(turned[half:].sum() * np.conj(turned[:half].sum()))) / half
