"""A table derived from the mains wave that one of the measured converters saw, judged by what the metering core then reads."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from accuracy_waves import DATE, RANGE_LSB, RP2040, RP2350, default_without, ideal_values
from fluksometer.domain.linearity import CODES, Linearity, default_table, lookup, steps_of
from fluksometer.domain.linearity_fit import Fit, UnfitRecording, fit
from house.converter import convert, lower_edges

pytestmark = pytest.mark.xdist_group("linearity")  # one worker, so that each table is derived once

RATE_HZ = 20_000
NOISE_LSB = 0.8
MAINS = {3: (0.007, 0.7), 5: (0.015, 2.0), 7: (0.006, -1.0), 11: (0.003, 1.0)}
"""Order: part of the fundamental, angle."""


def recording(curve, percent, *, seconds=60, harmonics=None, drift_hz=0.01, swell=0.0, seed=1):
    """Codes of a wave of ``percent`` of the range; frequency and amplitude wander by ``drift_hz`` and the part ``swell``."""
    t_s = np.arange(seconds * RATE_HZ) / RATE_HZ
    phase = 2 * np.pi * 49.97 * t_s + drift_hz * seconds * (1 - np.cos(2 * np.pi * t_s / seconds))
    wave = np.sin(phase)
    for order, (part, angle) in (harmonics or {}).items():
        wave += part * np.sin(order * phase + angle)
    wave *= percent / 100 * RANGE_LSB * (1 + swell * np.sin(2 * np.pi * t_s / 37))
    noise = np.random.default_rng(seed).normal(0, NOISE_LSB, len(t_s))
    return convert(lower_edges(curve), 2048 + wave + noise)


@cache
def own(curve):
    return fit(recording(curve, 95), RATE_HZ, default_without(curve), date=DATE)


class Reading:
    """What an endlessly long window reads: the mean over the noise of what is looked up, exact but for the grid of 1/16 LSB.

    So the errors below are biases, with no luck in them; test_windows_of_a_second_read_the_same ties them to samples.
    """

    GRID = 16

    def __init__(self, curve, table):
        values = (lookup(table) / 8)[convert(lower_edges(curve), (np.arange(CODES * self.GRID) + 0.5) / self.GRID)]
        at = np.arange(-6 * self.GRID, 6 * self.GRID + 1) / (NOISE_LSB * self.GRID)
        bell = np.exp(-(at**2) / 2)
        self._first, self._second = (np.convolve(v, bell / bell.sum(), mode="same") for v in (values, values**2))
        self._cosine = np.cos((np.arange(20_000) + 0.5) / 20_000 * np.pi)

    def variance(self, peak_lsb, bias_lsb):
        at = ((bias_lsb + peak_lsb * self._cosine) * self.GRID).astype(int)
        return self._second[at].mean() - self._first[at].mean() ** 2

    def gain(self, percent, bias_lsb=2048.0):
        peak_lsb = percent / 100 * RANGE_LSB
        square = self.variance(peak_lsb, bias_lsb) - self.variance(0, bias_lsb)
        return np.sqrt(2 * square) / peak_lsb

    def error_percent(self, percent, bias_lsb=2048.0):
        return abs(self.gain(percent, bias_lsb) / self.gain(50, bias_lsb) - 1) * 100

    def worst_percent(self, *percents):
        return max(self.error_percent(percent, 2048 + off) for percent in percents for off in (-7, -3, 0, 3, 7))


PERCENTS = (*range(10, 28, 2), 28, 28.5, 29, 29.5, 30, *range(32, 86, 3), 86, 87, 88, 91, 95)
"""10 to 95 % of range, dense where the crest meets a wide code (29 and 88 %)."""


@pytest.mark.parametrize("curve", RP2040)
def test_with_its_own_table_a_board_is_right_from_one_percent_on(curve):
    """Limits: 0.3 % at 1 % of range, 0.1 % at 5 %, 0.05 % from 10 to 95 %, wherever the bias is within 7 LSB of the middle."""
    found = own(curve)
    assert found.trusted
    assert (
        found.table.residual_lsb < 0.15
    )  # a code is read 350 times by each half: 0.9 / sqrt(175) = 0.07, wide codes more
    reading = Reading(curve, found.table)
    assert reading.worst_percent(1) <= 0.3
    assert reading.worst_percent(5) <= 0.1
    assert max(reading.error_percent(percent) for percent in PERCENTS) <= 0.05


@pytest.mark.parametrize("curve", RP2040)
def test_windows_of_a_second_read_the_same(curve):
    """Eight windows of N = 20000: a mean square M read with noise s scatters by sqrt((4 M s^2 + 2 s^4) / (8 N)), the root by
    half of that part; 4 sigma. M = (12.4 LSB)^2, s = 0.9 LSB with the steps of codes: 0.018 %, doubled for the floor's own."""
    reading, values = Reading(curve, own(curve).table), lookup(own(curve).table) / 8
    half = values[recording(curve, 50, seconds=8, seed=8)].std()
    for percent in (1, 5):
        mean_square = (percent / 100 * RANGE_LSB) ** 2 / 2
        scatter = np.sqrt((4 * mean_square * 0.81 + 4 * 0.81**2) / (8 * RATE_HZ)) / mean_square / 2
        floor = values[recording(curve, 0, seconds=8, seed=7)].var()
        read = np.sqrt(values[recording(curve, percent, seconds=8, seed=9)].var() - floor)
        expected = reading.gain(percent) / reading.gain(50) * percent / 50
        assert read / half == pytest.approx(expected, rel=4 * scatter + 1e-4)  # 400 cycles but for 0.24: 1e-4


def test_a_table_beats_the_default_and_the_default_beats_none(record_property):
    """Figures of the other boards' tables are published, not bounded; only their order is."""
    none = Linearity.of(np.arange(CODES, dtype=float), **about())
    for curve in RP2040:
        errors = [
            Reading(curve, table).worst_percent(1, 5) for table in (none, default_without(curve), own(curve).table)
        ]
        others = [Reading(curve, own(one).table).worst_percent(1, 5) for one in RP2040 if one != curve]
        record_property(curve, [float(error) for error in (*errors, *others)])
        print(curve, "none, default, own:", np.round(errors, 2), "tables of the others:", np.round(others, 2))
        assert errors[2] < errors[1] < errors[0]


def test_harmonics_and_drift_of_real_mains():
    """What is in phase with harmonics stays the default's: 0.1 LSB or so of smooth bends, twice the limits of a clean sine."""
    curve = "rp2040-c"
    codes = recording(curve, 90, seconds=40, harmonics=MAINS, drift_hz=0.03, swell=0.03)
    found = fit(codes, RATE_HZ, default_without(curve), date=DATE)
    assert found.trusted
    assert found.frequency_hz == pytest.approx(49.97, abs=0.05)
    reading = Reading(curve, found.table)
    assert reading.worst_percent(1) <= 0.6
    assert reading.worst_percent(5) <= 0.2
    assert max(reading.error_percent(percent) for percent in PERCENTS) <= 0.1


def test_outside_of_the_wave_stands_the_default_and_nothing_jumps():
    default = default_without("rp2040-a")
    found = fit(recording("rp2040-a", 30, seconds=20), RATE_HZ, default, date=DATE)
    low, high = found.table.visited
    assert 2048 - 0.3 * RANGE_LSB - 10 < low < high < 2048 + 0.3 * RANGE_LSB + 10
    moved = found.table.corrected() - default.corrected()
    outside = np.r_[0 : low - 64, high + 65 : CODES]
    assert np.abs(moved[outside]).max() < 0.02  # the file's 1/64 LSB
    inside = np.arange(low, high + 1)
    assert np.abs(np.polyfit(inside - inside.mean(), moved[inside], 1)).max() < 0.02  # neither gain nor offset
    assert np.abs(np.diff(moved[low - 70 : low])).max() < 0.03
    assert moved[low - 1] == pytest.approx(
        moved[low : low + 16].mean(), abs=0.3
    )  # sixteen codes of 0.4 LSB each: 3 sigma


def test_a_load_that_switches_costs_only_its_pieces():
    codes = recording("rp2350-a", 60, seconds=30)
    codes[200_000:400_000] = recording("rp2350-a", 35, seconds=30, seed=2)[207_000:407_000]
    found = fit(codes, RATE_HZ, default_without("rp2350-a"), date=DATE)
    assert found.trusted
    assert 1 <= found.dropped <= 4


def test_a_recording_that_contradicts_itself_is_not_trusted():
    """In every other piece of ten cycles codes mean something else, by less than what has a piece left out."""
    codes = recording("rp2040-b", 40, seconds=20).astype(float)
    jumpy = (np.arange(len(codes)) // round(10 * RATE_HZ / 49.97)) % 2 == 1
    codes[jumpy] += 1.3 * np.sin(codes[jumpy] / 25)
    found = fit(np.rint(codes).astype(np.uint16), RATE_HZ, default_table("rp2040"), date=DATE)
    assert 0.5 < found.table.residual_lsb < 1.3
    assert not found.trusted


def test_a_small_current_full_of_harmonics_tells_less_than_the_default():
    found = fit(
        recording("rp2040-b", 7, seconds=10, harmonics={3: (0.012, 0.7), 5: (0.025, 2), 7: (0.01, -1)}),
        RATE_HZ,
        default_without("rp2040-b"),
        date=DATE,
    )
    assert found.table.residual_lsb < 0.5
    assert found.hidden > 0.01
    assert not found.trusted
    assert own("rp2040-b").hidden < 0.0005


def refusals():
    seconds = np.arange(10 * RATE_HZ) / RATE_HZ
    noise = np.random.default_rng(3).normal(0, 1, len(seconds))
    sine = np.sin(2 * np.pi * 49.97 * seconds)

    def codes(values):
        return np.clip(np.rint(values), 0, 4095).astype(np.uint16)

    return {
        "no swing": (codes(2048 + noise), "too little swing"),
        "a little swing": (codes(2048 + 15 * sine + noise), "too little swing"),
        "constant": (codes(np.full(len(seconds), 2048.0)), "too little swing"),
        "noise": (codes(2048 + 300 * noise), "no mains wave"),
        "another frequency": (codes(2048 + 900 * np.sin(2 * np.pi * 400 * seconds)), "no mains wave"),
        "clipped": (codes(2048 + 3000 * sine), "clipped"),
        "every cycle clipped a little": (codes(2048 + 2023.5 * sine + noise), "only 0 of"),
        "nothing connected": (codes(np.zeros(len(seconds))), "clipped, or nothing is connected"),
        "short": (codes(2048 + 900 * sine)[:90_000], "90000 samples are too few"),
        "five seconds": (codes(2048 + 900 * sine + noise)[:110_000], ""),
        "in step": (codes(2048 + 1700 * np.sin(2 * np.pi * 50 * seconds)), "hardly ever read"),
        "not 12 bits": (codes(2048 + 900 * sine) * np.uint16(2), "exceeds 4095"),
        "floats": (2048 + 900 * sine, "want one channel of uint16"),
        "two columns": (codes(2048 + 900 * sine).reshape(-1, 2), "want one channel of uint16"),
    }


@pytest.mark.parametrize("what", refusals().keys())
def test_what_can_not_tell_is_refused(what):
    codes, why = refusals()[what]
    if not why:
        assert isinstance(fit(codes, RATE_HZ, default_table("rp2040"), date=DATE), Fit)
        return
    with pytest.raises(UnfitRecording, match=why):
        fit(codes, RATE_HZ, default_table("rp2040"), date=DATE)


def test_a_wrong_rate_shows():
    with pytest.raises(UnfitRecording, match="are rate and channel right"):
        fit(recording("rp2040-a", 50, seconds=10), 2 * RATE_HZ, default_table("rp2040"), date=DATE)
    with pytest.raises(UnfitRecording, match="too few"):
        fit(recording("rp2040-a", 50, seconds=10), 500, default_table("rp2040"), date=DATE)


@pytest.mark.parametrize(("chip", "curves"), [("rp2040", RP2040), ("rp2350", RP2350)])
def test_the_default_is_the_mean_of_the_measured_boards(chip, curves):
    table = default_table(chip)
    assert table.chip == chip
    assert table.corrected() == pytest.approx(np.mean([ideal_values(one) for one in curves], axis=0), abs=0.01)


def about():
    return {"chip": "rp2040", "date": DATE, "residual_lsb": 0.1, "samples": 5, "visited": (10, 4000)}


def test_lookup_is_eighths_of_the_corrected_code_and_its_rounding_never_adds_up():
    straight = Linearity.of(np.arange(CODES, dtype=float), **about())
    assert lookup(straight).dtype == np.int16
    assert lookup(straight).tolist() == [max(-16383, 8 * (code - 2048)) for code in range(CODES)]
    table = default_table("rp2040")
    rounding = lookup(table) - 8 * (table.corrected() - 2048)
    assert np.abs(rounding).max() <= 1
    assert lookup(table).tolist() == list(steps_of(table))
    assert np.abs(np.cumsum(rounding[2048:])).max() <= 0.5 + 1e-6
    assert np.abs(np.cumsum(rounding[2047::-1])).max() <= 0.5 + 1e-6
    far = replace(straight, segments=((60.0, 0.0),) * 64)
    assert lookup(far)[-1] == 16383
