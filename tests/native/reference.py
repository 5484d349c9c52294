"""The metering core once more, slow and obvious, to check the C against: whole windows in lists, exact fractions, no shifts.

It follows the words of metering.h and mains.c. Where those leave open how a number is rounded, the place says it here.
"""

import struct
from fractions import Fraction
from math import ceil, floor, isqrt

from fluksometer.metering import Closed, Codes, Pair, Steps, Window

CLIPPED, GAP, NO_SIGNAL, BIAS_MOVED, NO_MAINS = 1, 2, 4, 8, 16
LONGEST = 131072  # METERING_MAX_SAMPLES
LOWEST_HZ, HIGHEST_HZ = 45, 65
LEAST_CROSSINGS = 5
BELIEVED_WINDOWS = 10
PART_CHUNKS = 32  # before the end of a window it is too late to move it
THREE_LSB = 24  # steps
FAR_AWAY = 65535 * 16  # 1/16 step: the mean before the first window may be anywhere
STRONGEST_Q4 = 1 << 33
HALF = Fraction(1, 2)


def nearest(value: Fraction) -> int:
    """Rounded to the nearest integer, halves away from zero."""
    return floor(value + HALF) if value >= 0 else -floor(HALF - value)


def nearest_root(value: int) -> int:
    """The integer nearest to the root."""
    root = isqrt(value)
    return root + (value - root * root > root)


def variance(xs: list[int]) -> Fraction:
    """Mean square around the mean."""
    return Fraction(sum(x * x for x in xs), len(xs)) - Fraction(sum(xs), len(xs)) ** 2


def covariance_q4(sum_ab: int, sum_a: int, sum_b: int, samples: int) -> int:
    """Mean product around the means in 1/16 step^2."""
    exact = 16 * (Fraction(sum_ab, samples) - Fraction(sum_a, samples) * Fraction(sum_b, samples))
    return nearest(exact)


class Total:
    """A running total that never loses what it is not able to show yet."""

    def __init__(self) -> None:
        self.exact = Fraction(0)

    def add(self, amount: Fraction) -> int:
        """The total with this amount, rounded down."""
        self.exact += amount
        return floor(self.exact)


class Mains:
    """How many sets the open window shall have: whole cycles of the wave on one channel. Moments are in 1/256 set."""

    def __init__(self, rate_hz: int, nominal: int) -> None:
        self.rate_hz, self.nominal = rate_hz, nominal
        self.chunk = min(max(rate_hz // 1250, 1), 16)
        self.channel, self.chosen = 0, False
        self.band: int | None = None  # steps to both sides of the middle
        self.middle = Fraction(0)
        self.period: Fraction | None = None  # sets
        self.age = 0
        self.cycles, self.target, self.carry = 0, nominal, 0
        self.forget(0)

    def forget(self, at: int) -> None:
        """What follows does not belong to what came before. Chunks begin anew with set `at`."""
        self.grid = at
        self.heights: list[Fraction] = []  # of chunk means above the middle
        self.risen = 0  # the last of them that rose through +band
        self.moments: list[int] = []

    def learn(self, window: list[list[int]], middle_of_extremes: bool) -> None:
        """Which channel to watch from now on, and how large its wave is."""
        swings = [max(xs) - min(xs) for xs in window]
        for channel, swing in enumerate(swings):
            if not self.chosen and swing > 2 * swings[self.channel]:
                self.channel = channel
        watched = window[self.channel]
        sixteenths = (
            8 * (min(watched) + max(watched)) if middle_of_extremes else int(Fraction(16 * sum(watched), len(watched)))
        )
        self.middle = Fraction(sixteenths, 16)
        self.band = max(swings[self.channel] // 8, THREE_LSB)

    def add_chunk(self, mean: Fraction, end: int) -> None:
        """One more chunk, which ended before set `end`."""
        if self.band is None:
            return
        self.heights.append(mean - self.middle)
        last = len(self.heights) - 1
        if last == 0 or not self.heights[last - 1] < self.band <= self.heights[last]:
            return
        for left in range(last, self.risen, -1):
            if self.heights[left - 1] < -self.band <= self.heights[left]:
                left_at = self._reached(left, -self.band, end - (last - left) * self.chunk)
                self._count((left_at + self._reached(last, self.band, end)) // 2, end)
                break
        self.risen = last

    def _reached(self, index: int, wanted: int, end: int) -> int:
        before, height = self.heights[index - 1], self.heights[index]
        # To a straight line from chunk to chunk; rounded up.
        return ceil(256 * (end - self.chunk * (height - wanted) / (height - before)))

    def _count(self, moment: int, end: int) -> None:
        if self.moments and not self._regular(moment):
            self.moments = []
        self.moments.append(moment)
        if len(self.moments) >= LEAST_CROSSINGS:
            cycles = len(self.moments) - 1
            self.period = Fraction(256 * (moment - self.moments[0]) // cycles, 65536)
            self.age = 0
            self._aim(end)

    def _regular(self, moment: int) -> bool:
        interval = moment - self.moments[-1]
        mean = Fraction(self.moments[-1] - self.moments[0], max(1, len(self.moments) - 1))
        of_mains = LOWEST_HZ <= Fraction(256 * self.rate_hz, interval) <= HIGHEST_HZ
        return of_mains and (len(self.moments) == 1 or abs(interval - mean) <= mean / 8)

    def _aim(self, end: int) -> None:
        assert self.period is not None
        cycles = nearest((self.nominal + self.carry) / self.period)
        target = nearest(cycles * self.period)
        if target >= end + PART_CHUNKS * self.chunk:
            self.cycles, self.target = cycles, target

    def close(self, window: list[list[int]]) -> int:
        """The frequency in mHz or 0; then aims at the end of the next window."""
        frequency_mhz = 0
        if len(self.moments) >= LEAST_CROSSINGS:
            assert self.period is not None
            frequency_mhz = nearest(1000 * self.rate_hz / self.period)
        else:
            self.age += 1
            if self.age > BELIEVED_WINDOWS:
                self.period = None
        self.learn(window, middle_of_extremes=False)
        self.forget(0)
        self.carry += self.nominal - len(window[0])
        self.cycles, self.target = 0, self.nominal
        if self.period is not None:
            self._aim(0)
        return frequency_mhz


class Reference:
    """Does what fluksometer.metering.Core does."""

    def __init__(self, channels: int, rate_hz: int, table: Steps) -> None:
        self.rate_hz, self.table = rate_hz, table
        self.nominal = rate_hz
        while self.nominal > LONGEST - LONGEST // 8:
            self.nominal //= 2
        self.mains = Mains(rate_hz, self.nominal)
        self.floors_q20 = [0] * channels
        self.charges = [Total() for _ in range(channels)]
        self.means = [(Fraction(0), FAR_AWAY)] * channels  # steps, and 1/16 step by which they may be off
        self.phases: dict[tuple[int, int], tuple[int, int]] = {}
        self.imports: dict[tuple[int, int], Total] = {}
        self.exports: dict[tuple[int, int], Total] = {}
        self.last: list[int] | None = None  # set of the window before
        self._open(channels)

    def _open(self, channels: int) -> None:
        self.window: list[list[int]] = [[] for _ in range(channels)]
        self.gaps: set[int] = set()

    def subtract_noise(self, channel: int, floor_q20: int) -> None:
        self.floors_q20[channel] = floor_q20

    def multiply(self, a: int, b: int, c0: int, c1: int) -> None:
        self.phases[a, b] = c0, c1
        self.imports.setdefault((a, b), Total())
        self.exports.setdefault((a, b), Total())

    def watch(self, channel: int) -> None:
        self.mains.channel, self.mains.chosen = channel, True

    def gap(self) -> None:
        samples = len(self.window[0])
        self.gaps.add(samples)
        self.mains.forget(samples)

    def fold(self, codes: Codes) -> list[Closed]:
        """The windows that these codes close."""
        closed = []
        for row in self.table[codes & 4095].tolist():
            for steps, step in zip(self.window, row, strict=True):
                steps.append(step)
            samples = len(self.window[0])
            if (samples - self.mains.grid) % self.mains.chunk == 0:
                chunk = self.window[self.mains.channel][-self.mains.chunk :]
                self.mains.add_chunk(Fraction(sum(chunk), len(chunk)), samples)
            if samples >= self.mains.target:
                closed.append(self._close())
            elif self.mains.band is None and samples == self.nominal // 16 + 1:
                self.mains.learn(self.window, middle_of_extremes=True)
                self.mains.forget(samples)
        return closed

    def _close(self) -> Closed:
        cycles, window = self.mains.cycles, self.window
        flags = [self._flags(channel, cycles) for channel in range(len(window))]
        charges = [self._charge(channel) for channel in range(len(window))]
        pairs = {(a, b): self._pair(a, b, flags[a] | flags[b]) for a, b in sorted(self.phases)}
        frequency_mhz = self.mains.close(window)
        channels = [
            self._window(xs, charge, frequency_mhz, flag, cycles)
            for xs, charge, flag in zip(window, charges, flags, strict=True)
        ]
        self.last = [xs[-1] for xs in window]
        self._open(len(window))
        return Closed(channels=channels, pairs=pairs)

    def _window(self, xs: list[int], charge: int, frequency_mhz: int, flags: int, cycles: int) -> Window:
        sum_sq, total, samples, low, high = sum(x * x for x in xs), sum(xs), len(xs), min(xs), max(xs)
        raw = struct.pack("<qQqIIhhHH", charge, sum_sq, total, samples, frequency_mhz, low, high, flags, cycles)
        return Window(
            charge=charge,
            sum_sq=sum_sq,
            sum=total,
            samples=samples,
            frequency_mhz=frequency_mhz,
            low=low,
            high=high,
            flags=flags,
            cycles=cycles,
            raw=raw,
        )

    def _charge(self, channel: int) -> int:
        xs = self.window[channel]
        rest_q20 = floor(variance(xs) * 2**20) - self.floors_q20[channel]
        rms_q10 = nearest_root(abs(rest_q20)) * (-1 if rest_q20 < 0 else 1)
        return self.charges[channel].add(rms_q10 * Fraction(len(xs) * 1000, self.rate_hz))

    def _flags(self, channel: int, cycles: int) -> int:
        xs = self.window[channel]
        low, high = min(xs), max(xs)
        mean = Fraction(int(Fraction(16 * sum(xs), len(xs))), 16)  # 1/16 step, towards zero
        spread = 0 if cycles and not self.gaps else (high - low) // 4
        mean_before, spread_before = self.means[channel]
        moved = abs(mean - mean_before) > THREE_LSB + Fraction(spread_before + spread, 16)
        self.means[channel] = mean, spread
        clipped = low <= int(self.table[24]) or high >= int(self.table[4095 - 24])
        said = {CLIPPED: clipped, GAP: self.gaps, NO_SIGNAL: low == high, BIAS_MOVED: moved, NO_MAINS: not cycles}
        return sum(flag for flag, holds in said.items() if holds)

    def _pair(self, a: int, b: int, flags: int) -> Pair:
        xs, ys = self.window[a], self.window[b]
        before = [xs[0] if self.last is None else self.last[a], *xs]
        for at in self.gaps:
            if at < len(xs):
                before[at] = xs[at]  # no sample before this one: itself stands for it
        now_q4, lagged_q4 = (
            covariance_q4(sum(x * y for x, y in zip(those, ys, strict=False)), sum(xs), sum(ys), len(xs))
            for those in (xs, before)
        )
        c0, c1 = self.phases[a, b]
        weighted = c0 * now_q4 + c1 * lagged_q4
        power_q4 = min(nearest(Fraction(abs(weighted), 2**14)), STRONGEST_Q4)
        energy = Fraction(power_q4 * len(xs) * 1000, 64 * self.rate_hz)
        imported = self.imports[a, b].add(energy if weighted >= 0 else Fraction(0))
        exported = self.exports[a, b].add(energy if weighted < 0 else Fraction(0))
        raw = struct.pack("<qqqqII", imported, exported, now_q4, lagged_q4, len(xs), flags)
        return Pair(
            import_total=imported,
            export_total=exported,
            product=now_q4,
            lagged=lagged_q4,
            samples=len(xs),
            flags=flags,
            raw=raw,
        )
