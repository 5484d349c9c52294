"""How the metering core follows the mains: waves of all kinds in, frequency, whole cycles and rms out."""

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pytest
from native.reference import BIAS_MOVED, GAP, NO_MAINS

from fluksometer.metering import Codes, Core, Window

Values = npt.NDArray[np.float64]
NOISE_LSB = 1.2  # an RP2040's own
VARIANCE = NOISE_LSB**2 + 1 / 12  # with that of rounding to codes, LSB^2
FLOOR_Q20 = round(VARIANCE * 64 * 2**20)
TENTH_LSB = 175.0  # peak of a tenth of a 50 A clamp's range
RATE_HZ = 4000
SHAPES: dict[str, Callable[[Values], Values]] = {  # of the phase in cycles, 0..1; peak about 1
    "sine": lambda p: np.sin(2 * np.pi * p),
    "rectifier of crest factor 3": lambda p: (
        np.sign(0.5 - p) * np.cos(np.clip((2 * p % 1 - 0.5) / 0.22, -0.5, 0.5) * np.pi)
    ),
    "dimmer at 30 %": lambda p: np.sin(2 * np.pi * p) * (2 * p % 1 > 0.3),
    "dimmer at 80 %": lambda p: np.sin(2 * np.pi * p) * (2 * p % 1 > 0.8),
    "one half wave": lambda p: np.maximum(np.sin(2 * np.pi * p), 0),
    "offset": lambda p: np.sin(2 * np.pi * p) + 0.4,
    "100 Hz ripple": lambda p: np.sin(2 * np.pi * p) + 0.5 * np.sin(4 * np.pi * p + 1),
    "third harmonic": lambda p: np.sin(2 * np.pi * p) + 0.8 * np.sin(6 * np.pi * p + 1),
    "square": lambda p: np.where(p < 0.5, 1.0, -1.0),
}


def seconds(duration_s: float, rate_hz: int = RATE_HZ) -> Values:
    return np.arange(round(duration_s * rate_hz)) / rate_hz


def coded(*waves: Values) -> Codes:
    """What a converter makes of these waves (LSB), one a channel."""
    noise = np.random.default_rng(7).normal(0, NOISE_LSB, (len(waves[0]), len(waves)))
    return np.clip(np.round(2048 + np.stack(waves, axis=1) + noise), 0, 4095).astype(np.uint16)


def measured(*waves: Values, rate_hz: int = RATE_HZ, watch: int | None = None) -> list[list[Window]]:
    """Windows, a row of channels each."""
    core = Core(len(waves), rate_hz)
    for channel in range(len(waves)):
        core.subtract_noise(channel, FLOOR_Q20)
    if watch is not None:
        core.watch(watch)
    return [closed.channels for closed in core.fold(coded(*waves))]


def rms_lsb(windows: list[Window], rate_hz: int = RATE_HZ) -> list[float]:
    charges = [0, *(window.charge for window in windows)]
    return [
        (after - before) / 1024 / 8 / (window.samples * 1000 / rate_hz)
        for before, after, window in zip(charges, charges[1:], windows, strict=False)
    ]


@pytest.mark.parametrize("rate_hz", [4000, 20000])
@pytest.mark.parametrize("hz", [45.1, *np.arange(49.5, 50.55, 0.1), 60.0, 64.9])
def test_frequency_at_a_tenth_of_the_range(hz: float, rate_hz: int) -> None:
    # At a quarter of its peak the wave rises by 2 pi f x 175 x 0.97 = 53000 LSB/s. Noise over a chunk of 0.75 ms (3 samples
    # at 4000 Hz) is 0.7 LSB or 13 us; 9 us for the mean of two moments, 13 us for first to last, 0.65 mHz: 5 mHz is 7 sigma.
    rows = measured(TENTH_LSB * np.sin(2 * np.pi * hz * seconds(6, rate_hz)), rate_hz=rate_hz)
    assert len(rows) in (5, 6)
    assert [abs(window.frequency_mhz - 1000 * hz) <= 5 for [window] in rows] == [True] * len(rows)


def test_frequency_that_wanders() -> None:
    # 49.5 to 50.5 Hz within a minute: 17 mHz in a window, whose middle counts. First to last crossing leave out up to a
    # cycle at either end, which moves the middle by 20 ms: 0.3 mHz beside the 5 above.
    t = seconds(60)
    [*rows] = measured(TENTH_LSB * np.sin(2 * np.pi * (49.5 * t + t * t / 120)))
    ends = np.cumsum([window.samples for [window] in rows]) / RATE_HZ
    for [window], end in zip(rows[1:], ends[1:], strict=True):
        middle = end - window.samples / RATE_HZ / 2
        assert window.frequency_mhz == pytest.approx(1000 * (49.5 + middle / 60), abs=5.3)
        assert window.samples == pytest.approx(window.cycles * RATE_HZ * 1000 / window.frequency_mhz, abs=1.5)


@pytest.mark.parametrize("hz", [45.5, 47.3, 49.9, 50.0, 50.04, 53.7, 60.0, 64.5])
def test_one_window_a_second_whatever_the_frequency(hz: float) -> None:
    # Ends stay within half a cycle of the seconds, and rounding to a set.
    rows = measured(TENTH_LSB * np.sin(2 * np.pi * hz * seconds(32)))
    ends = np.cumsum([window.samples for [window] in rows])
    assert len(ends) >= 31
    assert np.abs(ends - RATE_HZ * np.arange(1, len(ends) + 1)).max() <= RATE_HZ / hz / 2 + 1


def test_rms_of_a_sine_is_that_of_whole_cycles() -> None:
    # A window ends within half a set of whole cycles: its mean square is off by 1/2 / 4000 at most, rms by 6e-5. Noise adds
    # 1.2 / 1060 / sqrt(4000) = 2e-5 (one sigma). Cut after a second instead, 49.9 Hz would be off by up to 1e-3.
    windows = [window for [window] in measured(1500 * np.sin(2 * np.pi * 49.9 * seconds(20)))]
    assert rms_lsb(windows) == pytest.approx([1500 / 2**0.5] * len(windows), rel=1.4e-4)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("peak_lsb", [60.0, 1100.0])
def test_waves_of_all_shapes(shape: str, peak_lsb: float) -> None:
    # A vertical edge lies anywhere in a chunk of 0.75 ms, which the straight line does not tell: 0.375 ms from the first to
    # the last crossing, 19 mHz. A window so aimed ends 1.5 sets + 0.5 off; the largest sample there has 9 times the mean
    # square: 2 x 9 / 4000 of it, half of that of the rms.
    cycle = SHAPES[shape](np.arange(100000) / 100000)
    true_rms = peak_lsb * cycle.std()
    windows = [window for [window] in measured(peak_lsb * SHAPES[shape](49.9 * seconds(8) % 1))]
    for window, rms in zip(windows, rms_lsb(windows), strict=True):
        assert window.frequency_mhz == pytest.approx(49900, abs=19)
        assert window.cycles in (49, 50)
        assert window.flags == 0
        # Noise: 1.2 / sqrt(4000) = 0.02 LSB (one sigma).
        assert rms == pytest.approx(true_rms, rel=2.3e-3, abs=0.08)


def test_idle_is_no_mains_and_nothing_on_average() -> None:
    # What is left of the variance without the noise has a sigma of 1.52 x sqrt(2 / 4000) = 0.034 LSB^2 in a window: its root is
    # 0.16 LSB, of either sign: 0.03 LSB over 30 windows. Without the subtraction it would be 1.23 LSB.
    windows = [window for [window] in measured(0 * seconds(30))]
    assert {(w.samples, w.frequency_mhz, w.cycles, w.flags) for w in windows} == {(RATE_HZ, 0, 0, NO_MAINS)}
    assert abs(windows[-1].charge / 1024 / 8 / 30000) < 0.1


def test_a_wave_of_twice_the_frequency_is_no_mains_and_still_measured() -> None:
    # Windows are nominal then: the mean square over a time T that is no whole cycles is off by 1 / (2 pi f T) at most, rms by
    # half of that: 8e-4 at 99.8 Hz. Noise: 1.2 / 500 / sqrt(4000) = 4e-5.
    windows = [window for [window] in measured(700 * np.sin(2 * np.pi * 99.8 * seconds(8)))]
    assert {(w.frequency_mhz, w.samples) for w in windows} == {(0, RATE_HZ)}
    assert rms_lsb(windows) == pytest.approx([700 / 2**0.5] * len(windows), rel=9e-4)


@pytest.mark.parametrize("noise_lsb", [3, 5, 20])
def test_strong_noise_is_no_mains(noise_lsb: float) -> None:
    # Beyond the least band of 3 LSB noise crosses it all the time; it has no rhythm. 40 windows of 50 chances each.
    noise = np.random.default_rng(11).normal(0, noise_lsb, len(seconds(40)))
    windows = [window for [window] in measured(noise)]
    assert {(w.frequency_mhz, w.cycles) for w in windows} == {(0, 0)}


def test_a_load_switched_off_is_believed_for_ten_windows() -> None:
    t = seconds(20)
    windows = [window for [window] in measured(TENTH_LSB * np.sin(2 * np.pi * 49.9 * t) * (t < 3.02))]
    known = [window.frequency_mhz != 0 for window in windows]
    counted = [window.cycles != 0 for window in windows]
    assert sum(known) in (3, 4) and known == sorted(known, reverse=True)
    # The ten after the last one that was measured, and the one that was aimed at before the tenth ended.
    assert sum(counted) == sum(known) + 11 and counted == sorted(counted, reverse=True)
    assert [bool(window.flags & NO_MAINS) for window in windows] == [not each for each in counted]


def test_a_load_that_switches_all_the_time() -> None:
    t = seconds(24)
    on = t % 4 < 2
    windows = [window for [window] in measured(TENTH_LSB * np.sin(2 * np.pi * 49.9 * t) * on)]
    ends = np.cumsum([0] + [window.samples for window in windows])
    truth = [np.sqrt(on[begin:end].mean() / 2) * TENTH_LSB for begin, end in pairwise(ends)]
    # A part of a sine has the mean square of whole cycles but for 1 / (4 x 2 pi x 49.9) s x peak^2 at each of its two ends: 1.6 ms
    # in a second, sqrt(0.0016) x 175 = 7 LSB where on is hardly anything, and far less where it is more.
    assert rms_lsb(windows) == pytest.approx(truth, abs=7)
    assert np.mean(rms_lsb(windows)) == pytest.approx(np.mean(truth), rel=0.01)
    assert all(window.cycles in (49, 50) for window in windows)


def test_inrush() -> None:
    # Ten times the current and an offset that decays, as a transformer has: within two windows all is as before.
    t = seconds(10)
    surge = np.where(t > 3.3, np.exp(-np.maximum(t - 3.3, 0) / 0.1), 0)
    windows = [window for [window] in measured(100 * (np.sin(2 * np.pi * 49.9 * t) * (1 + 9 * surge) + 8 * surge))]
    assert [window.flags & BIAS_MOVED for window in windows] == [0, 0, 0, BIAS_MOVED, BIAS_MOVED, 0, 0, 0, 0, 0][
        : len(windows)
    ]
    steady = [index for index, window in enumerate(windows) if abs(window.frequency_mhz - 49900) <= 10]
    assert set(range(len(windows))) - set(steady) <= {3, 4}
    assert all(window.cycles in (49, 50) for window in windows)


@pytest.mark.parametrize("gap_at", [0, 1, 200, 2000, 3990, 9000])
def test_lock_is_regained_after_a_gap(gap_at: int) -> None:
    # 30 ms are missing, 1.5 cycles: what lies before must not be measured together with what lies behind.
    t = seconds(8)
    codes = coded(TENTH_LSB * np.sin(2 * np.pi * 49.9 * t))
    core = Core(1, RATE_HZ)
    closed = core.fold(codes[:gap_at])
    core.gap()
    windows = [each.channels[0] for each in closed + core.fold(codes[gap_at + 120 :])]
    hit = 0 if gap_at < 4000 else 2
    assert [bool(window.flags & GAP) for window in windows] == [index == hit for index in range(len(windows))]
    # A gap near the end leaves no three crossings behind it. Before the sixteenth of a second has passed, the size of the wave
    # is not known and only a few cycles may be left to measure: 13 us x 50 Hz / 0.04 s is 16 mHz.
    told = [window.frequency_mhz for window in windows if window.frequency_mhz]
    assert len(told) >= len(windows) - 1
    assert told == pytest.approx([49900] * len(told), abs=20)
    assert [window.frequency_mhz for window in windows[hit + 1 :]] == pytest.approx(
        [49900] * (len(windows) - hit - 1), abs=5
    )


def test_the_channel_with_the_largest_swing_is_watched() -> None:
    t = seconds(6)
    small, large = 20 * np.sin(2 * np.pi * 52 * t), 400 * np.sin(2 * np.pi * 49.9 * t)
    for row in measured(small, large, 0 * t):
        assert [window.frequency_mhz for window in row] == pytest.approx([49900] * 3, abs=5)


def test_the_channel_that_the_caller_names_is_watched() -> None:
    t = seconds(6)
    voltage, current = 300 * np.sin(2 * np.pi * 49.9 * t), 1900 * np.sin(2 * np.pi * 52 * t)
    for row in measured(current, voltage, watch=1):
        assert [window.frequency_mhz for window in row] == pytest.approx([49900] * 2, abs=5)
    # Also when it has no wave: then there is no mains.
    for row in measured(current, 0 * t, watch=1):
        assert [window.flags for window in row] == [NO_MAINS] * 2


def test_power_of_two_sines() -> None:
    # A current lags by 60 degrees: half the apparent power. Windows end within half a set: 1/2 / 4000 of the product of the
    # peaks, twice the apparent power; noise 1.2 / 700 / sqrt(4000) = 3e-5.
    t = seconds(10)
    voltage, current = 1000 * np.sin(2 * np.pi * 49.9 * t), 1000 * np.sin(2 * np.pi * (49.9 * t - 1 / 6))
    core = Core(3, RATE_HZ)
    core.multiply(0, 1)
    core.multiply(0, 2)
    last = core.fold(coded(voltage, current, -current))[-1]
    sets = last.pairs[0, 1]
    lsb_2_ms = 16 * 1000 * 1000 / 4 * 1000 / RATE_HZ
    elapsed = sum(row[0].samples for row in measured(voltage, current, -current))
    assert sets.import_total == pytest.approx(lsb_2_ms * elapsed, rel=9e-4)
    assert last.pairs[0, 2].export_total == pytest.approx(lsb_2_ms * elapsed, rel=9e-4)
    assert (sets.export_total, last.pairs[0, 2].import_total) == (0, 0)
