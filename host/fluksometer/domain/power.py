"""From one window's numbers to electrical quantities: power and its direction, what noise adds, energy.

Two channels sampled in turn, a (the lower index) and b, give for each window of whole mains cycles, in LSB^2:

    variance_a, variance_b   mean squares around the mean
    product                  mean of (a[n] - mean a) (b[n] - mean b)
    lagged                   mean of (a[n-1] - mean a) (b[n] - mean b)

Either may be the voltage. For waves of one frequency, theta = 360 x frequency / rate degrees apart from sample to
sample, and b behind a by the angle x, product is proportional to cos x and lagged to cos(x - theta). So those two tell
cos and sin of x, and with them the power at any other angle: delays are corrected after the window, once, and exactly
for the fundamental.

Angles are in degrees of the fundamental. A *lead* is positive where a sensor's output is early (current clamps are, by
0.5 to 5 degrees), a *delay* where something has to be held back. Definitions of the quantities: IEEE 1459.
"""

from dataclasses import dataclass
from fractions import Fraction
from math import copysign, cos, isfinite, radians, sin, sqrt
from statistics import fmean
from typing import Final

Q14: Final = 1 << 14
SHOWN_FROM_SE: Final = 3.0
"""Below so many standard errors zero is shown: noise alone exceeds them in one window of 740 (normal distribution)."""
INT64_MAX: Final = (1 << 63) - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class PairMoments:
    """What the metering core tells of two channels over one window, in LSB^2; a is the channel with the lower index."""

    variance_a: float
    variance_b: float
    product: float
    lagged: float
    frequency_hz: float
    rate_hz: float
    """Samples of each channel a second."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PairScale:
    """What the channels of a pair stand for: each one's unit (V or A) per LSB, lead, and noise floor (LSB^2).

    ``channel_a``, ``channel_b``: their places in a round robin of ``channels``. A clamp closed the wrong way round has
    a negative unit per LSB.
    """

    voltage_is_a: bool
    channel_a: int
    channel_b: int
    channels: int
    a_per_lsb: float
    b_per_lsb: float
    lead_a_deg: float = 0.0
    lead_b_deg: float = 0.0
    floor_a: float = 0.0
    floor_b: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Electrical:
    """One window. Power is positive towards the load, reactive power where the current is late (inductive).

    Voltage and current are signed roots (``signed_rms``): below zero is noise. The power factor has the power's sign;
    None without apparent power.
    """

    voltage_v: float
    current_a: float
    active_w: float
    reactive_var: float
    apparent_va: float
    power_factor: float | None


# Angles


def skew_deg(first: int, second: int, *, channels: int, frequency_hz: float, rate_hz: float) -> float:
    """How much later channel ``second`` of a round robin is converted than channel ``first``, in degrees.

    Of ``channels``, each read ``rate_hz`` times a second, number k is converted k / (channels x rate_hz) s after number
    0. A later conversion sees a later part of the wave: it acts as a lead of that channel.
    """
    return 360 * frequency_hz * (second - first) / (channels * rate_hz)


def delay_deg(*, lead_a_deg: float, lead_b_deg: float, skew_deg: float) -> float:
    """By how much a must be delayed to stand to b as in the wires. ``skew_deg``: from a to b, above zero."""
    return lead_a_deg - lead_b_deg - skew_deg


def _sample_angle(frequency_hz: float, rate_hz: float) -> float:
    """theta in radians, between 0 and pi. Raises ValueError where two samples in a row can't tell an angle."""
    if not (isfinite(rate_hz) and 0 < 2 * frequency_hz < rate_hz):
        raise ValueError(f"want a frequency above 0 and below half of the rate, not {frequency_hz} of {rate_hz} Hz")
    return radians(360 * frequency_hz / rate_hz)


def compensation(phase_deg: float, frequency_hz: float, rate_hz: float) -> tuple[float, float]:
    """(c0, c1) such that c0 x product + c1 x lagged is the fundamental's product with a delayed by ``phase_deg``.

    cos(x - phi) = c0 cos x + c1 cos(x - theta) for every x gives c0 = sin(theta - phi) / sin theta, c1 = sin phi / sin
    theta. A harmonic of order h is delayed by nearly h x phase_deg, that is by the same time, where h x theta is small;
    its amplitude comes out as |c0 + c1 exp(-i h theta)|. Raises ValueError unless 0 < 2 x frequency_hz < rate_hz.
    """
    theta = _sample_angle(frequency_hz, rate_hz)
    phi = radians(phase_deg)
    return sin(theta - phi) / sin(theta), sin(phi) / sin(theta)


def compensation_q14(phase_deg: float, frequency_hz: float, rate_hz: float) -> tuple[int, int]:
    """The same as integers in 1/16384, a half rounded away from zero, for the board.

    Each is off by at most 2^-15, so power by at most 2^-14 = 0.0061 % of the apparent power (0.012 % of the power at a
    power factor of 0.5). Coefficients kept from another frequency delay a by as many per cent more as the mains is
    faster: made for 50 Hz, 5 degrees become 5.05 at 50.5 Hz, which is 0.15 % at a power factor of 0.5; for the skew, a
    time, this is right.
    """
    c0, c1 = compensation(phase_deg, frequency_hz, rate_hz)
    return rounded(c0 * Q14), rounded(c1 * Q14)


def rounded(value: float | Fraction) -> int:
    """The nearest whole number, a half away from zero: rounded(-x) is -rounded(x)."""
    if value < 0:
        return -rounded(-value)
    return (int(2 * value) + 1) // 2


def quadrature(product: float, lagged: float, *, frequency_hz: float, rate_hz: float) -> float:
    """The product with a delayed by 90 degrees: of the fundamental, positive where b is late. Same unit as ``product``.

    (lagged - cos(theta) product) / sin(theta). A harmonic of order h counts with about h times its own reactive power
    (this is the mean of b and the slope of a): 2.5 % of fifth harmonic in the voltage and 60 % in the current add up to
    7.5 % of the fundamental's apparent power. Raises ValueError as ``compensation``.
    """
    theta = _sample_angle(frequency_hz, rate_hz)
    return (lagged - cos(theta) * product) / sin(theta)


def electrical(moments: PairMoments, scale: PairScale) -> Electrical:
    """The quantities of one window. Raises ValueError as ``compensation``.

    Active power is of all harmonics (``compensation`` says how each is delayed), reactive power that of ``quadrature``,
    apparent power the product of the rms values over the noise floors, the power factor active / apparent within -1..1.
    """
    frequency_hz, rate_hz = moments.frequency_hz, moments.rate_hz
    _sample_angle(frequency_hz, rate_hz)
    skew = skew_deg(
        scale.channel_a, scale.channel_b, channels=scale.channels, frequency_hz=frequency_hz, rate_hz=rate_hz
    )
    delay = delay_deg(lead_a_deg=scale.lead_a_deg, lead_b_deg=scale.lead_b_deg, skew_deg=skew)
    c0, c1 = compensation(delay, frequency_hz, rate_hz)
    aside = quadrature(moments.product, moments.lagged, frequency_hz=frequency_hz, rate_hz=rate_hz)
    turned = aside * cos(radians(delay)) - moments.product * sin(radians(delay))
    rms_a = signed_rms(floor_subtracted(moments.variance_a, scale.floor_a)) * abs(scale.a_per_lsb)
    rms_b = signed_rms(floor_subtracted(moments.variance_b, scale.floor_b)) * abs(scale.b_per_lsb)
    unit = scale.a_per_lsb * scale.b_per_lsb
    active_w = (c0 * moments.product + c1 * moments.lagged) * unit
    apparent_va = max(0.0, rms_a) * max(0.0, rms_b)
    return Electrical(
        voltage_v=rms_a if scale.voltage_is_a else rms_b,
        current_a=rms_b if scale.voltage_is_a else rms_a,
        active_w=active_w,
        reactive_var=turned * unit if scale.voltage_is_a else -turned * unit,
        apparent_va=apparent_va,
        power_factor=max(-1.0, min(1.0, active_w / apparent_va)) if apparent_va > 0 else None,
    )


def start_w(moments: PairMoments, scale: PairScale, samples: int) -> float:
    """Below this power of either sign noise alone explains a window of ``samples`` samples: nothing flows.

    The product of a wave and independent noise has the variance of the one times that of the other: a mean of N of them
    has the standard error sqrt(variance x floor / N). Beside 230 V a converter with 1.2 LSB of noise has 0.06 W of a 50
    A clamp, which import and export would each collect half of the time: 0.2 kWh a year.
    """
    noise = moments.variance_a * scale.floor_b + moments.variance_b * scale.floor_a
    return SHOWN_FROM_SE * sqrt(noise / samples) * abs(scale.a_per_lsb * scale.b_per_lsb)


# Noise


def floor_subtracted(mean_square: float, floor: float) -> float:
    """The mean square without what noise adds, in LSB^2. By chance below zero: averages need the sign."""
    return mean_square - floor


def signed_rms(difference: float) -> float:
    """Root of the size, with the sign: for sums, where values cut at zero would leave half of the noise behind."""
    return copysign(sqrt(abs(difference)), difference)


def standard_error(floor: float, samples: int) -> float:
    """Of the mean square of ``samples`` samples of noise alone, in LSB^2, when its variance is ``floor``.

    The square of a normal variable of variance s^2 has the variance 2 s^4; the mean of N has 2 s^4 / N.
    """
    return floor * sqrt(2 / samples)


def shown_rms(difference: float, floor: float, samples: int) -> float:
    """For people to read: zero where noise alone explains the mean square above the floor, else its root, in LSB."""
    return 0.0 if difference < SHOWN_FROM_SE * standard_error(floor, samples) else sqrt(max(0.0, difference))


BLOCK_WINDOWS: Final = 60
"""Windows averaged before they are compared: mean squares of 20000 samples scatter by 1 %, of 60 windows by 0.13 %."""
DAY_BLOCKS: Final = 1440
DAY_S: Final = 86_400.0
WEEK_S: Final = 7 * DAY_S
FEWEST_BLOCKS: Final = 10
QUANTILE: Final = 0.01
WEEKLY_FACTOR: Final = 1.2
HIGHEST_FLOOR_LSB2: Final = 2.25
"""1.5 LSB rms; the noisiest converter measured has 1.36."""
SCATTER: Final = (0.8, 4.0)
"""Variance of the windows in a block, over that of white noise of the same mean m (2 m^2 / N), on average of the quiet
blocks. Below: a steady load; with u times the noise's power it scatters by (2u + 1) / (1 + u)^2, that is 0.8 at u =
0.8. Above: a load that changes; noise filtered to a third of the sampled band still passes. Ten blocks of white noise
are 1 +- 0.06."""
BELOW_ANCHOR: Final = 6.0
ABOVE_MEAN: Final = 3.0


class FloorLearner:
    """Follows the noise floor of one channel through the quietest minutes of each day.

    Windows that are not flagged are averaged in blocks of 60; blocks above ``highest`` are loads. At the end of a day
    ``quiet_level`` finds the level of the quiet blocks and whether they scatter as noise does, and the floor moves
    there, by at most 1.2^(1/7) a day: 20 % up or 17 % down a week. Without a value to start from, ten quiet blocks give
    the first one, and until the first day is over the floor follows freely.

    What this can't tell from noise: a load that never stops and adds less than 0.8 of the noise's power (or more, where
    the mains voltage makes it scatter), up to ``highest``. So let ``highest`` be little above a floor measured without
    the clamp, or hand in mean squares without the fundamental's.
    """

    def __init__(self, floor: float | None = None, *, highest: float = HIGHEST_FLOOR_LSB2) -> None:
        """``floor``, ``highest``: LSB^2. Raises ValueError unless above zero."""
        if not highest > 0 or (floor is not None and not floor > 0):
            raise ValueError(f"a noise floor is above zero, not {floor} (highest {highest})")
        self.floor = floor
        self._highest = highest
        self._free = floor is None
        self._began_s: float | None = None
        self._block: list[float] = []
        self._block_samples = 0
        self._blocks: list[tuple[float, float]] = []

    def add(self, mean_square: float, samples: int, *, at_s: float, flagged: bool) -> bool:
        """Take one window; True when the floor has changed.

        ``mean_square`` of ``samples`` samples, in LSB^2. ``at_s``: any clock in seconds that doesn't jump. ``flagged``:
        the window is clipped, has a gap, or its bias moved; it is ignored.
        """
        if self._began_s is None or at_s < self._began_s:
            self._began_s = at_s
        if flagged or not mean_square > 0:
            return False
        self._block.append(mean_square)
        self._block_samples += samples
        if len(self._block) < BLOCK_WINDOWS:
            return False
        spread, mean = sqrt(2 / self._block_samples), fmean(self._block)
        if mean <= self._highest:
            variance = sum((one - mean) ** 2 for one in self._block) / (BLOCK_WINDOWS - 1)
            self._blocks.append((mean, variance / (BLOCK_WINDOWS * (mean * spread) ** 2)))
        self._block, self._block_samples = [], 0
        return self._learn(spread, at_s - self._began_s, at_s)

    def _learn(self, spread: float, elapsed_s: float, at_s: float) -> bool:
        over = elapsed_s >= DAY_S or len(self._blocks) >= DAY_BLOCKS
        if not over and not self._free:
            return False
        before, level = self.floor, quiet_level(self._blocks, spread)
        if over:
            self._blocks, self._began_s = [], at_s
        if level is None:
            return False
        if self._free or before is None:
            self.floor, self._free = level, not over
        else:
            reach = WEEKLY_FACTOR ** (min(elapsed_s, DAY_S) / WEEK_S)
            self.floor = max(before / reach, min(before * reach, level))
        return self.floor != before


def quiet_level(blocks: list[tuple[float, float]], spread: float) -> float | None:
    """Level of the quietest group of blocks; None when fewer than ten make it up or it doesn't scatter like noise.

    ``blocks``: mean square and scatter (see SCATTER) of each. ``spread``: relative standard error of the mean square of
    one block of noise, sqrt(2 / samples in the block).

    The lowest 1 % quantile itself is no estimate: with all blocks quiet it is 2.33 spreads low (normal distribution),
    with 2 % of them quiet right, with 1 % some 1.7 high. It is only the anchor: the level is the mean of all blocks
    from 6 spreads below it to 3 above that mean itself (so the mean is sought anew until it stays). A normal
    distribution cut at 3 spreads has its mean phi(3) / Phi(3) = 0.0044 spreads low: 0.0006 % of the floor with 60 x
    20000 samples, however many are quiet.
    """
    if not blocks:
        return None
    anchor = sorted(blocks)[int(QUANTILE * len(blocks))][0]
    lowest, level, before = anchor * (1 - BELOW_ANCHOR * spread), anchor, 0.0
    while level != before:
        quiet = [block for block in blocks if lowest <= block[0] <= level * (1 + ABOVE_MEAN * spread)]
        level, before = fmean(mean for mean, _ in quiet), level
    if len(quiet) < FEWEST_BLOCKS or not SCATTER[0] <= fmean(scatter for _, scatter in quiet) <= SCATTER[1]:
        return None
    return level


# Energy


DEBT_LIMIT_UWH: Final = 1_000_000
"""1 Wh. Noise of 1 W in windows of 1 s needs months to get there (278^2 uWh^2 x 1.3e7 s); what gets there sooner comes
from a floor set too high and would hide a load."""


class EnergyTotal:
    """Energy in whole micro-watt-hours that never falls, with the exact rest carried on.

    A negative amount is a debt that later ones pay off first, so that noise around zero adds next to nothing. The debt
    ends at 1 Wh; what goes beyond is forgotten.
    """

    def __init__(self, uwh: int = 0, rest_uwh: Fraction = Fraction(0)) -> None:
        self.uwh = uwh
        self.rest_uwh = rest_uwh

    def add(self, energy_uwh: Fraction) -> None:
        """Raises OverflowError, and leaves all as it was, where the total would exceed a signed 64-bit integer."""
        rest = max(self.rest_uwh + energy_uwh, Fraction(-DEBT_LIMIT_UWH))
        whole = max(0, rest // 1)
        if self.uwh + whole > INT64_MAX:
            raise OverflowError(f"{self.uwh} uWh and {whole} more exceed 64 bits")
        self.uwh += whole
        self.rest_uwh = rest - whole
