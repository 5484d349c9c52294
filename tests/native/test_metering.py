"""The metering core through cffi, against the obvious way in exact Python integers."""

from fractions import Fraction
from math import isqrt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fluksometer import metering

codes_of_a_channel = st.lists(st.integers(0, 4095), min_size=1, max_size=300)


def nearest_root(value: int) -> int:
    root = isqrt(value)
    return root + (value - root * root > root)


@given(st.integers(0, 2**62))
def test_root_is_the_nearest(value: int) -> None:
    assert metering.isqrt(value) == nearest_root(value)


@pytest.mark.parametrize("value", [0, 1, 2, 3, 6, 7, 2**42, 2**62, 2**62 - 1, 4194304 << 20])
def test_root_at_its_corners(value: int) -> None:
    assert metering.isqrt(value) == nearest_root(value)


@given(codes_of_a_channel)
def test_variance_is_exact(codes: list[int]) -> None:
    xs = [code - 2048 for code in codes]
    exact = Fraction(sum(x * x for x in xs), len(xs)) - Fraction(sum(xs), len(xs)) ** 2
    assert metering.variance_q20(sum(x * x for x in xs), sum(xs), len(xs)) == int(exact * 2**20)


def test_variance_at_the_largest_window_does_not_overflow() -> None:
    # A full square wave, and everything at one end, over the longest window: the largest products there can be.
    n = 1 << 20
    assert metering.variance_q20(n * 2048 * 2048, 0, n) == 2048 * 2048 << 20
    assert metering.variance_q20(n * 2048 * 2048, -n * 2048, n) == 0


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 3), st.integers(1, 700), st.integers(0, 2000), st.integers(1, 997), st.integers(0, 2**32 - 1))
def test_windows_hold_exact_sums_however_the_samples_are_cut(
    channels: int, window: int, sets: int, cut: int, seed: int
) -> None:
    codes = np.random.default_rng(seed).integers(0, 4096, (sets, channels), dtype=np.uint16)
    core = metering.Core(channels, window, 1000)
    closed = [one for at in range(0, sets, cut) for one in core.fold(codes[at : at + cut])]
    assert len(closed) == sets // window
    charge = [0] * channels
    for index, windows in enumerate(closed):
        for channel, found in enumerate(windows):
            xs = [int(code) - 2048 for code in codes[index * window : (index + 1) * window, channel]]
            sum_sq, total = sum(x * x for x in xs), sum(xs)
            variance = Fraction(sum_sq, window) - Fraction(total, window) ** 2
            charge[channel] += nearest_root(int(variance * 2**20)) * window  # at 1000 Hz a sample is a millisecond
            assert (found.sum_sq, found.sum, found.samples) == (sum_sq, total, window)
            assert (found.low, found.high, found.charge) == (min(xs), max(xs), charge[channel])


def test_partial_sums_survive_512_samples_at_either_end() -> None:
    for code in (0, 4095):
        [[found]] = metering.Core(1, 5000, 5000).fold(np.full((5000, 1), code, dtype=np.uint16))
        x = code - 2048
        assert (found.sum_sq, found.sum, found.charge) == (5000 * x * x, 5000 * x, 0)


def test_a_sine_has_its_rms() -> None:
    # 10 A rms on a 50 A clamp is 248.2 LSB rms. Dither of one LSB makes rounding independent of the wave: together they add
    # 1/6 LSB^2, 1.4e-6 of the mean square; its sampling error is 2 * 248 * 0.41 / sqrt(400000) = 0.3 LSB^2, 2.6e-6 of the rms.
    t = np.arange(400000) / 20000
    lsb = 10 / 50 * 4096 / 3.3
    dither = np.random.default_rng(1).uniform(-0.5, 0.5, len(t))
    wave = 2048 + lsb * np.sqrt(2) * np.sin(2 * np.pi * 50 * t) + dither
    [[found]] = metering.Core(1, 400000, 20000).fold(np.round(wave).astype(np.uint16).reshape(-1, 1))
    assert found.charge / 1024 / 20000 == pytest.approx(lsb, rel=1e-5)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 500000), st.lists(st.integers(0, 2047), min_size=1, max_size=40))
def test_charge_carries_the_rest_whatever_the_rate(rate_hz: int, amplitudes: list[int]) -> None:
    # Square waves: rms is the amplitude exactly, so the total must be exact too, at rates that divide nothing.
    core = metering.Core(1, 10, rate_hz)
    total = Fraction(0)
    for amplitude in amplitudes:
        codes = np.array([[2048 + amplitude], [2048 - amplitude]] * 5, dtype=np.uint16)
        [[found]] = core.fold(codes)
        total += Fraction(amplitude * 1024 * 10 * 1000, rate_hz)
        assert found.charge == int(total)


@pytest.mark.parametrize(
    ("channels", "window", "rate_hz"),
    [(0, 10, 1), (4, 10, 1), (1, 0, 1), (1, 1048577, 1), (-1, 10, 1), (1, 2**40, 1), (1, 10, 0), (1, 10, 500001)],
)
def test_settings_out_of_range_are_refused(channels: int, window: int, rate_hz: int) -> None:
    with pytest.raises(ValueError, match=r"want 1\.\.3 channels"):
        metering.Core(channels, window, rate_hz)


@pytest.mark.parametrize(
    ("codes", "why"),
    [
        (np.zeros((5, 2), dtype=np.uint16), "want N x 1"),
        (np.zeros(5, dtype=np.uint16), "want N x 1"),
        (np.zeros((5, 1), dtype=np.int16), "want N x 1"),
        (np.full((5, 1), 4096, dtype=np.uint16), "exceeds 4095"),
    ],
)
def test_samples_of_the_wrong_kind_are_refused(codes: np.ndarray, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        metering.Core(1, 10, 10).fold(codes)
