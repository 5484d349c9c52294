"""The metering core through cffi: its windows against the reference, its arithmetic against exact fractions, its limits."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from native.reference import LONGEST, Reference, covariance_q4, nearest, nearest_root, variance
from native.scenes import PAIRS, Scene, scenes, symmetrical

from fluksometer import metering
from fluksometer.metering import MAX_STEP, Codes, Core, Steps

FULL = symmetrical(2 * MAX_STEP / 4095)  # code 4095 is +MAX_STEP, code 0 -MAX_STEP
steps_of_a_channel = st.lists(st.integers(-MAX_STEP, MAX_STEP), min_size=1, max_size=300)
steps_of_two = st.lists(st.tuples(*[st.integers(-MAX_STEP, MAX_STEP)] * 2), min_size=1, max_size=300)
low_rates, rates = st.integers(1, 311), st.one_of(st.integers(312, 3000), st.sampled_from([3749, 3750, 4001, 20000]))


def agree(scene: Scene) -> None:
    core, reference = Core(scene.channels, scene.rate_hz, scene.table()), None
    reference = Reference(scene.channels, scene.rate_hz, scene.table())
    assert scene.windows(core, cuts=True) == scene.windows(reference, cuts=False)


@settings(max_examples=250, deadline=None)
@given(scenes(rates))
def test_windows_are_those_of_the_reference_however_the_samples_are_cut(scene: Scene) -> None:
    agree(scene)


@settings(max_examples=60, deadline=None)
@given(scenes(low_rates))
def test_windows_are_those_of_the_reference_with_a_few_samples_each(scene: Scene) -> None:
    agree(scene)


def wave(
    rate_hz: int, sets: int, hz: float, lsb: float, noise_lsb: float = 0.0, channels: int = 1, phase: float = 0.0
) -> Codes:
    rng = np.random.default_rng(rate_hz)
    t = np.arange(sets)[:, None] / rate_hz
    values = (
        lsb * np.sin(2 * np.pi * hz * t + phase + np.arange(channels)) + rng.normal(0, 1, (sets, channels)) * noise_lsb
    )
    return np.clip(np.round(2047.5 + values), 0, 4095).astype(np.uint16)


@pytest.mark.parametrize("rate_hz", [20000, 40001, 61441, 122880, 122881, 245761, 491520, 500000])
def test_windows_are_those_of_the_reference_at_high_rates(rate_hz: int) -> None:
    codes = wave(rate_hz, min(2 * rate_hz + 7000, 270000), 49.7, 3000 if rate_hz % 2 else 200, 2, channels=2)
    core, reference = Core(2, rate_hz, FULL), Reference(2, rate_hz, FULL)
    for meter in (core, reference):
        meter.multiply(0, 1, 16111, 273)
    found = [closed for at in range(0, len(codes), 777) for closed in core.fold(codes[at : at + 777])]
    assert len(found) >= 2
    assert found == reference.fold(codes)


def samples_of_windows(codes: Codes, rate_hz: int, cut: int) -> list[int]:
    core = Core(1, rate_hz)
    pieces = (codes[at : at + cut] for at in range(0, len(codes), cut))
    return [closed.channels[0].samples for piece in pieces for closed in core.fold(piece)]


@pytest.mark.parametrize(("rate_hz", "hz"), [(150, 47.0), (150, 50.0), (500000, 46.2)])
def test_a_cut_does_not_matter_where_a_part_is_long_or_a_window_short(rate_hz: int, hz: float) -> None:
    codes = wave(rate_hz, max(30000, 2 * rate_hz), hz, 300, 30, phase=0.4)
    short, whole = (samples_of_windows(codes, rate_hz, cut) for cut in (1 if rate_hz < 1000 else 16, 1 << 30))
    assert short == whole


def test_no_window_exceeds_the_most_samples() -> None:
    rate_hz = 491520
    assert max(samples_of_windows(wave(rate_hz, 2 * rate_hz, 48.4, 1900), rate_hz, 1 << 20)) <= LONGEST


# The arithmetic.


@given(st.integers(0, 2**64 - 2**32))
def test_root_is_the_nearest(value: int) -> None:
    assert metering.isqrt(value) == nearest_root(value)


@given(st.integers(1, 2**32 - 1))
def test_root_next_to_a_square_and_midway_between_two(root: int) -> None:
    square = root * root
    assert [metering.isqrt(square + by) for by in (-1, 0, 1)] == [nearest_root(square + by) for by in (-1, 0, 1)]
    assert metering.isqrt(square - root) == root - 1 and metering.isqrt(square - root + 1) == root


@pytest.mark.parametrize("value", [0, 1, 2, 3, 6, 7, 2**42, 2**62, 2**62 - 1, MAX_STEP**2 << 20, 2**64 - 2**32])
def test_root_at_its_corners(value: int) -> None:
    assert metering.isqrt(value) == nearest_root(value)


@pytest.mark.parametrize("value", [2**64 - 2**32 + 1, 2**64 - 1])
def test_root_of_the_largest_numbers(value: int) -> None:
    assert metering.isqrt(value) in (2**32 - 1, 2**32)


@given(steps_of_a_channel)
def test_variance_is_exact_and_rounded_down(xs: list[int]) -> None:
    assert metering.variance_q20(sum(x * x for x in xs), sum(xs), len(xs)) == int(variance(xs) * 2**20)


@pytest.mark.parametrize("samples", [1, 2, 3, 131071, LONGEST])
@pytest.mark.parametrize("unlike", [0, 1, 1000, 65536])
def test_variance_of_the_largest_sums_does_not_overflow(samples: int, unlike: int) -> None:
    # All samples at one end but a few at the other: the largest products there can be.
    assume_few = min(unlike, samples)
    sum_sq, total = samples * MAX_STEP**2, (samples - 2 * assume_few) * MAX_STEP
    exact = Fraction(sum_sq, samples) - Fraction(total, samples) ** 2
    for sign in (1, -1):
        assert metering.variance_q20(sum_sq, sign * total, samples) == int(exact * 2**20)


def sums(xys: list[tuple[int, int]]) -> tuple[int, int, int, int]:
    return sum(x * y for x, y in xys), sum(x for x, _ in xys), sum(y for _, y in xys), len(xys)


def exact_covariance(sum_ab: int, sum_a: int, sum_b: int, samples: int) -> Fraction:
    return Fraction(sum_ab, samples) - Fraction(sum_a, samples) * Fraction(sum_b, samples)


@given(steps_of_two)
def test_covariance_is_the_nearest_sixteenth(xys: list[tuple[int, int]]) -> None:
    assert metering.covariance_q4(*sums(xys)) == nearest(16 * exact_covariance(*sums(xys)))


def test_covariance_of_an_odd_number_is_the_nearest_sixteenth() -> None:
    # 16 x (-1 x -1) / 3 - 16 x (1/3 x 1/3) = 3.556
    assert metering.covariance_q4(1, 1, 1, 3) == 4


@pytest.mark.parametrize("samples", [1, 2, 3, 131071, LONGEST])
@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("bias", [0, 1])
def test_covariance_of_the_largest_sums_does_not_overflow(samples: int, sign: int, bias: int) -> None:
    given = (sign * samples * MAX_STEP**2, bias * samples * MAX_STEP, sign * (samples // 3) * MAX_STEP, samples)
    assert metering.covariance_q4(*given) == covariance_q4(*given)


# Whole windows of the largest values.


def test_full_square_waves_over_the_longest_window() -> None:
    # From end to end with every sample, so that there is no mains wave and the window has its nominal length.
    rate_hz = 114688
    ends = np.tile(np.array([[0, 0, 4095], [4095, 4095, 0]], dtype=np.uint16), (rate_hz // 2, 1))
    core = Core(3, rate_hz, FULL)
    for pair in PAIRS:
        core.multiply(*pair)
    [closed] = core.fold(ends)
    for found in closed.channels:
        assert (found.samples, found.sum, found.sum_sq) == (rate_hz, 0, rate_hz * MAX_STEP**2)
        assert (found.low, found.high, found.charge) == (-MAX_STEP, MAX_STEP, MAX_STEP * 1024 * 1000)
    power_q4 = 16 * MAX_STEP**2
    for pair, sign in zip(PAIRS, (1, -1, -1), strict=True):
        totals = (closed.pairs[pair].import_total, closed.pairs[pair].export_total)
        assert closed.pairs[pair].product == sign * power_q4
        # The sample before the first one is taken to be as the first: one product of the wrong sign.
        assert closed.pairs[pair].lagged == -sign * nearest(power_q4 * (1 - Fraction(2, rate_hz)))
        assert totals == ((power_q4 * 1000 // 64, 0) if sign > 0 else (0, power_q4 * 1000 // 64))


@pytest.mark.parametrize("hz", [45.2, 50.0, 64.8])
@pytest.mark.parametrize("rate_hz", [4000, 20000, 122880])
def test_full_waves_that_saturate(rate_hz: int, hz: float) -> None:
    codes = wave(rate_hz, int(2.2 * rate_hz), hz, 1e6, channels=2)
    core, reference = Core(2, rate_hz, FULL), Reference(2, rate_hz, FULL)
    for meter in (core, reference):
        meter.multiply(0, 1, 1 << 20, 1 << 20)  # more than the core counts
        meter.subtract_noise(1, 2**31 - 1)
    assert core.fold(codes) == reference.fold(codes)


@pytest.mark.parametrize("code", [0, 1, 4094, 4095])
@pytest.mark.parametrize("rate_hz", [3750, 4000, 20000, 500000])
def test_an_input_that_stands_still(code: int, rate_hz: int) -> None:
    core, step = Core(1, rate_hz, FULL), int(FULL[code])
    [closed, *_] = core.fold(np.full((rate_hz, 1), code, dtype=np.uint16))
    found = closed.channels[0]
    assert (found.sum_sq, found.sum) == (found.samples * step**2, found.samples * step)
    assert (found.charge, found.low, found.high) == (0, step, step)


def test_the_ideal_table_is_a_table() -> None:
    core = Core(1, 20000)
    [closed] = core.fold(np.zeros((20000, 1), dtype=np.uint16))
    assert closed.channels[0].charge == 0
    Core(1, 20000, metering.identity())


# Running totals.


def random_power(seed: int, sets: int) -> Codes:
    rng = np.random.default_rng(seed)
    return rng.integers(0, 4096, (sets, 2), dtype=np.uint16) // rng.integers(1, 9, (1, 2), dtype=np.uint16)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 1500), st.integers(0, 2**32 - 1), st.integers(-(2**20), 2**20), st.integers(-(2**20), 2**20))
def test_power_the_other_way_round_counts_exactly_as_much(rate_hz: int, seed: int, c0: int, c1: int) -> None:
    codes = random_power(seed, max(3 * rate_hz, 20))
    turned = codes.copy()
    turned[:, 1] = 4095 - codes[:, 1]
    there, back = Core(2, rate_hz, symmetrical()), Core(2, rate_hz, symmetrical())
    for core in (there, back):
        core.multiply(0, 1, c0, c1)
        core.watch(0)
    for one, other in zip(there.fold(codes), back.fold(turned), strict=True):
        a, b = one.pairs[0, 1], other.pairs[0, 1]
        assert (a.product, a.lagged) == (-b.product, -b.lagged)
        assert (a.import_total, a.export_total) == (b.export_total, b.import_total)
        assert [w.charge for w in one.channels] == [w.charge for w in other.channels]


@settings(max_examples=40, deadline=None)
@given(st.integers(2, 997), st.lists(st.tuples(*[st.integers(0, 1023)] * 2), min_size=1, max_size=30), st.booleans())
def test_rests_are_carried_whatever_the_rate(rate_hz: int, sizes: list[tuple[int, int]], turned: bool) -> None:
    samples = rate_hz - rate_hz % 2
    core, charge, energy = Core(3, rate_hz, symmetrical(2)), [Fraction(0)] * 2, Fraction(0)
    core.multiply(0, 1)
    core.watch(2)  # which stands still, so that windows are nominal
    for size in sizes:
        up = np.array([2048 + size[0], 2047 - size[1] if turned else 2048 + size[1], 2048], dtype=np.uint16)
        down = 4095 - up
        down[2] = up[2]
        rows = np.array([up, down] * (samples // 2) + [up] * (rate_hz - samples), dtype=np.uint16)
        [closed] = core.fold(rows)
        pair = closed.pairs[0, 1]
        for channel, found in enumerate(closed.channels[:2]):
            xs = symmetrical(2)[rows[:, channel]].tolist()
            charge[channel] += Fraction(nearest_root(int(variance(xs) * 2**20)) * rate_hz * 1000, rate_hz)
            assert found.charge == int(charge[channel])
        energy += Fraction(abs(pair.product) * pair.samples * 1000, 64 * rate_hz)
        assert (pair.import_total, pair.export_total) == ((0, int(energy)) if turned else (int(energy), 0))


@settings(max_examples=40, deadline=None)
@given(st.integers(45, 65536), st.lists(st.integers(0, 2**31 - 1), min_size=1, max_size=20))
def test_charge_that_is_all_noise_runs_down_exactly(rate_hz: int, floors_q20: list[int]) -> None:
    core, charge = Core(1, rate_hz), Fraction(0)
    for floor_q20 in floors_q20:
        core.subtract_noise(0, floor_q20)
        [closed] = core.fold(np.full((rate_hz, 1), 2048, dtype=np.uint16))
        charge -= nearest_root(floor_q20) * 1000
        assert closed.channels[0].charge == charge


# What is refused.


@pytest.mark.parametrize(
    "given", [(0, 10), (4, 10), (-1, 10), (1, 0), (1, 500001), (1, -1), (1, 2**40), (2**32 + 1, 10)]
)
def test_settings_out_of_range_are_refused(given: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match=r"want 1\.\.3 channels"):
        Core(*given)


@pytest.mark.parametrize(
    "table",
    [
        np.zeros(4095, dtype=np.int16),
        np.zeros((4096, 1), dtype=np.int16),
        np.zeros(4096, dtype=np.uint16),
        np.zeros(4096, dtype=np.int32),
        np.full(4096, MAX_STEP + 1, dtype=np.int16),
        np.full(4096, -MAX_STEP - 1, dtype=np.int16),
        np.full(4096, -32768, dtype=np.int16),
    ],
)
def test_tables_of_the_wrong_kind_are_refused(table: Steps) -> None:
    with pytest.raises(ValueError, match="want a table of 4096 int16"):
        Core(1, 10, table)


@pytest.mark.parametrize(
    ("codes", "why"),
    [
        (np.zeros((5, 2), dtype=np.uint16), "want N x 1"),
        (np.zeros(5, dtype=np.uint16), "want N x 1"),
        (np.zeros((5, 1), dtype=np.int16), "want N x 1"),
        (np.full((5, 1), 4096, dtype=np.uint16), "exceeds 4095"),
    ],
)
def test_samples_of_the_wrong_kind_are_refused(codes: Codes, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        Core(1, 10).fold(codes)


@pytest.mark.parametrize("given", [(-1, 0), (2, 0), (0, -1), (0, 2**31), (0, 2**32 + 1)])
def test_floors_out_of_range_are_refused(given: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match=r"want channel 0\.\.1 and floor"):
        Core(2, 10).subtract_noise(*given)


@pytest.mark.parametrize(
    "given",
    [(0, 0), (1, 0), (0, 2), (-1, 1), (0, 1, 2**20 + 1), (0, 1, -(2**20) - 1), (0, 1, 0, 2**20 + 1), (0, 1, 2**32)],
)
def test_pairs_out_of_range_are_refused(given: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="want a < b < 2"):
        Core(2, 10).multiply(*given)


def test_a_new_pair_in_the_middle_of_a_window_is_refused() -> None:
    core = Core(3, 10)
    core.multiply(0, 1)
    core.fold(np.zeros((5, 3), dtype=np.uint16))
    core.multiply(0, 1, 5, 5)
    with pytest.raises(ValueError, match="between two windows"):
        core.multiply(0, 2)
    [closed] = core.fold(np.zeros((5, 3), dtype=np.uint16))
    assert list(closed.pairs) == [(0, 1)]


@pytest.mark.parametrize("channel", [-1, 2])
def test_watching_a_channel_that_is_not_there_is_refused(channel: int) -> None:
    with pytest.raises(ValueError, match=r"want channel 0\.\.1"):
        Core(2, 10).watch(channel)
