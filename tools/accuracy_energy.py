"""A day of energy, window by window, beside exact arithmetic."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from math import isqrt, sqrt

import numpy as np
import numpy.typing as npt

from accuracy_power import ADAPTER_V
from accuracy_waves import RANGE_LSB, Figure, own_steps, read
from fluksometer.domain.arrays import Codes
from fluksometer.domain.power import EnergyTotal, compensation_q14
from fluksometer.domain.units import STEP2_Q20_PER_LSB2, uwh_per_charge, uwh_per_energy
from fluksometer.metering import Closed, Core

CURVE = "rp2040-a"
RATE_HZ = 317
"""Six samples a cycle keep a day short, and the core's integers do the same as with four hundred. A prime, so that
divisions by the rate leave rests; mains of 50.3 Hz make windows of another length than a second."""
FREQUENCY_HZ = 50.3
FLOOR_LSB2 = Fraction(3, 2)
PHASE_DEG = -2.5
BLOCK_S = 3600
SHIFT = 40
"""Roots are taken to 2^-40 of a charge's unit."""

CHARGE_UWH = uwh_per_charge(clamp_a=50, voltage_v=230)
ENERGY_UWH = uwh_per_energy(clamp_a=50, adapter_v=ADAPTER_V)

Integers = npt.NDArray[np.int64]


@dataclass(slots=True)
class Account:
    """Errors of one total, in its own unit. ``worst``: of a window; the sums are exact."""

    worst: float = 0.0
    counted: int = 0
    truth: Fraction = Fraction(0)

    def add(self, counted: int, truth: Fraction) -> None:
        """The total after one more window, and what this window truly adds."""
        self.worst = max(self.worst, abs(float(counted - self.counted - truth)))
        self.counted = counted
        self.truth += truth

    @property
    def drift(self) -> float:
        """Of the total by now."""
        return float(self.counted - self.truth)


@dataclass(slots=True)
class Day:
    """What the core counted and what is true."""

    charge: Account = field(default_factory=Account)
    imported: Account = field(default_factory=Account)
    exported: Account = field(default_factory=Account)
    rooted: int = 0  # sum of the core's roots x samples x 1000: what its charge is the RATE_HZth part of
    bridge: EnergyTotal = field(default_factory=EnergyTotal)
    windows: int = 0
    lengths: set[int] = field(default_factory=set)


def load_of(seconds: int, first_s: int, rng: np.random.Generator) -> Codes:
    """Voltage and a current that is another one each second: 0.05 to 95 % of range, any angle, none at times."""
    cycles = FREQUENCY_HZ * (first_s + np.arange(seconds * RATE_HZ) / RATE_HZ)
    sizes = RANGE_LSB * 10 ** rng.uniform(-3.3, -0.02, seconds) * (rng.random(seconds) > 0.1)
    angles = rng.uniform(-np.pi, np.pi, seconds)
    current = np.repeat(sizes, RATE_HZ) * np.sin(2 * np.pi * cycles + np.repeat(angles, RATE_HZ))
    voltage = 0.575 * RANGE_LSB * np.sin(2 * np.pi * cycles)
    return read(CURVE, np.column_stack([voltage, current]), 1.2, first_s + 1)


def day(windows: int, seed: int = 1) -> Day:
    """So many windows through the core, each checked in exact integers."""
    table = own_steps(CURVE)
    assert table is not None
    rng, account = np.random.default_rng(seed), Day()
    floor_q20 = int(FLOOR_LSB2 * STEP2_Q20_PER_LSB2)
    compensation = compensation_q14(PHASE_DEG, 50, RATE_HZ)
    core = Core(2, RATE_HZ, table)
    core.watch(0)
    core.subtract_noise(1, floor_q20)
    core.multiply(0, 1, *compensation)
    left = np.zeros((0, 2), dtype=np.uint16)
    first_s, before = 0, None
    while account.windows < windows:
        codes = load_of(BLOCK_S, first_s, rng)
        first_s += BLOCK_S
        closed = core.fold(codes)
        steps = table[np.concatenate([left, codes])].astype(np.int64)
        before = steps[0, 0] if before is None else before
        ends = np.cumsum([one.channels[0].samples for one in closed])
        sums = _sums(steps[: ends[-1]], before, ends)
        for one, true in zip(closed, sums.tolist(), strict=True):
            _check(account, one, true, floor_q20, compensation)
        before, left = steps[ends[-1] - 1, 0], np.concatenate([left, codes])[ends[-1] :]
    return account


def _sums(steps: Integers, before: np.int64, ends: Integers) -> Integers:
    """Of each window: sums of a, b, b^2, a b, and a b with a one sample earlier."""
    a, b = steps.T
    earlier = np.concatenate([[before], a[:-1]])
    starts = np.concatenate([[0], ends[:-1]])
    return np.column_stack([np.add.reduceat(one, starts) for one in (a, b, b * b, a * b, earlier * b)])


def _check(account: Day, one: Closed, true: list[int], floor_q20: int, compensation: tuple[int, int]) -> None:
    sum_a, sum_b, square_b, product, lagged = true
    window, pair = one.channels[1], one.pairs[(0, 1)]
    samples = window.samples
    assert (window.sum, window.sum_sq) == (sum_b, square_b)
    account.windows += 1
    account.lengths.add(samples)
    # The charge: root of (samples x squares - sum^2) / samples^2 - floor, times samples and 1024000 / rate.
    spread = samples * square_b - sum_b**2
    square = (spread << 20) - floor_q20 * samples**2
    root = isqrt(abs(square) << 2 * SHIFT)
    truth = Fraction((root if square >= 0 else -root) * 1000, RATE_HZ << SHIFT)
    account.bridge.add((window.charge - account.charge.counted) * CHARGE_UWH)
    account.charge.add(window.charge, truth)
    rest_q20 = (spread << 20) // samples**2 - floor_q20
    nearest = (isqrt(4 * abs(rest_q20)) + 1) // 2
    account.rooted += (nearest if rest_q20 >= 0 else -nearest) * samples * 1000
    # Power: the mean products, compensated, in 1/16 LSB^2 (64 step^2), times ms.
    c0, c1 = compensation
    weighted = c0 * (samples * product - sum_a * sum_b) + c1 * (samples * lagged - sum_a * sum_b)
    energy = Fraction(weighted * 1000, samples * RATE_HZ << 16)
    account.imported.add(pair.import_total, max(energy, Fraction(0)))
    account.exported.add(pair.export_total, max(-energy, Fraction(0)))


def energy_figures(windows: int = 86_400, seed: int = 1) -> Iterator[Figure]:
    """50 A clamp, 230 V. A window's charge is its root, rounded to 1/1024 step, times its time: off by 1/2048 step x 1 s =
    0.157 uWh at most, and a unit of 0.0003 uWh by the rest carried on; limit 1 uWh (a clamp of 300 A is the largest that
    keeps it). Those roundings are as often up as down: a day's sum scatters by 1 / sqrt(12) / 1024 step x s x sqrt(86400)
    = 27 uWh; 4 sigma are allowed, and nothing that grows with time. What is lost by carrying rests is less than a unit,
    for ever. A product is rounded to 1/16 step^2 and so is the power made of it, with coefficients of 1.03 and 0.05: 1.04
    x 0.0035 uWh at most, and a unit of 0.0002 by the rest: limit 0.005. Their sums over half a day each scatter by
    sqrt((1 + 1.03^2) / 12) x 0.0035 uWh x sqrt(43200) = 0.30 uWh.
    """
    found = day(windows, seed)
    chance_uwh = 4 * sqrt(found.windows / 12) * 1000 * float(CHARGE_UWH)
    chance_of_pairs_uwh = 4 * sqrt((1 + 1.03**2) / 12 * found.windows / 2) * 1000 / 64 * float(ENERGY_UWH)
    carried = found.charge.counted - found.rooted // RATE_HZ
    bridged = found.bridge.uwh + found.bridge.rest_uwh - found.charge.counted * CHARGE_UWH
    charge, energy = float(CHARGE_UWH), float(ENERGY_UWH)
    drift = {name: abs(one.drift) * energy for name, one in (("import", found.imported), ("export", found.exported))}
    yield Figure(metric="energy_windows", value=found.windows, unit="windows")
    yield Figure(metric="energy_total", value=float(found.charge.truth * CHARGE_UWH / 10**9), unit="kWh")
    yield Figure(metric="energy_charge_worst_window", value=found.charge.worst * charge, unit="uWh", limit=1)
    yield Figure(metric="energy_charge_drift", value=abs(found.charge.drift) * charge, unit="uWh", limit=chance_uwh)
    yield Figure(metric="energy_charge_lost_in_rests", value=abs(carried), unit="counts", limit=0)
    yield Figure(metric="energy_lost_in_bridge", value=float(abs(bridged)), unit="uWh", limit=0)
    worst = max(found.imported.worst, found.exported.worst) * energy
    yield Figure(metric="energy_import_export_worst_window", value=worst, unit="uWh", limit=0.005)
    yield Figure(metric="energy_import_drift", value=drift["import"], unit="uWh", limit=chance_of_pairs_uwh)
    yield Figure(metric="energy_export_drift", value=drift["export"], unit="uWh", limit=chance_of_pairs_uwh)
    yield Figure(metric="energy_window_lengths", value=len(found.lengths), unit="lengths", limit=2, at_least=True)
