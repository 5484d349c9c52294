"""Waves against their own truth: rms, phase after days, steps, power."""

from math import acos, cos, pi, radians, sqrt

import numpy as np
import pytest

from fluksometer.faults import parse_toml
from house.housefile import House
from house.waves import (
    at_steps,
    clamp_on,
    current,
    input_on,
    phase,
    pin_lsb,
    true_charge_as,
    true_power_factor,
    true_power_w,
    true_rms_a,
    voltage,
)

DAY_NS = 86_400 * 10**9

HOUSE = """
[[clamp]]
port = 1
current_a = 4.35
power_factor = 0.98
harmonics = { 3 = 0.10, 5 = 0.05 }
[[clamp]]
port = 2
current_a = [[0, 2.0], [10, 6.0], [20, 0.0]]
[[clamp]]
port = 3
current_a = 3.0
power_factor = -0.5
"""


def one_second(rate_hz: int = 20_000, from_ns: int = 0) -> np.ndarray:
    return from_ns + np.arange(rate_hz, dtype=np.int64) * (10**9 // rate_hz)


@pytest.mark.parametrize("from_ns", [0, 30 * DAY_NS])
def test_the_wave_has_the_rms_of_the_house_file(house_from, from_ns):
    house = house_from(HOUSE)
    wave = current(house, clamp_on(house, 1), one_second(from_ns=from_ns))
    assert sqrt(np.mean(wave**2)) == pytest.approx(4.35, rel=1e-9)
    assert true_rms_a(house, 1, 0, 1) == pytest.approx(4.35, rel=1e-12)


def test_real_power_is_voltage_times_current(house_from):
    house = house_from(HOUSE)
    for port in (1, 3):
        power = np.mean(current(house, clamp_on(house, port), one_second()) * voltage(house, one_second()))
        assert power == pytest.approx(true_power_w(house, port, 0, 1), rel=1e-9)
    assert true_power_w(house, 3, 0, 1) == pytest.approx(-0.5 * 230 * 3)
    assert true_power_factor(house, 1) == pytest.approx(0.98 / sqrt(1 + 0.1**2 + 0.05**2))


def test_current_lags_behind_the_voltage(house_from):
    house = house_from("[[clamp]]\nport = 1\ncurrent_a = 1\npower_factor = 0.5")
    at_zero = current(house, clamp_on(house, 1), np.array([0], dtype=np.int64))[0]
    assert at_zero == pytest.approx(-sqrt(2) * cos(pi / 2 - acos(0.5)))


@pytest.mark.parametrize("frequency_hz", [50.0, 49.9731, 60.0, 64.9999])
def test_phase_does_not_drift_in_a_month(frequency_hz):
    seconds = 30 * 86_400
    turns = phase(frequency_hz, np.array([seconds * 10**9], dtype=np.int64))[0] / (2 * pi)
    exact = seconds * round(frequency_hz * 10**4) % 10**4 / 10**4
    assert turns == pytest.approx(exact, abs=1e-12)


def test_phase_grows_by_the_frequency():
    a, b = phase(50.0, np.array([0, 1_000_000], dtype=np.int64))
    assert b - a == pytest.approx(radians(18))


def test_a_step_counts_from_its_very_moment():
    moments = np.array([0, 10**9 - 1, 10**9, 2 * 10**9], dtype=np.int64)
    assert at_steps(((0.5, 7.0), (1.0, 8.0)), moments).tolist() == [0.0, 7.0, 8.0, 8.0]


def test_truth_weighs_steps_by_their_time(house_from):
    house = house_from(HOUSE)
    assert true_rms_a(house, 2, 5, 15) == pytest.approx(sqrt((5 * 2.0**2 + 5 * 6.0**2) / 10))
    assert true_charge_as(house, 2, 0, 30) == pytest.approx(10 * 2.0 + 10 * 6.0)
    assert true_rms_a(house, 2, 20, 30) == 0


def test_a_clamp_of_50_a_gives_one_volt_at_50_a(house_from):
    house = house_from("[converter]\noffset_lsb = 12\n[[clamp]]\nport = 1\ncurrent_a = 50")
    lsb = pin_lsb(house, clamp_on(house, 1), one_second())
    assert np.std(lsb) == pytest.approx(4096 / 3.3, rel=1e-9)
    assert np.mean(lsb) == pytest.approx(2048 + 12)


def test_an_input_without_clamp_sees_the_bias(house_from):
    house = house_from("")
    assert set(pin_lsb(house, clamp_on(house, 2), one_second())) == {2048.0}
    assert (true_rms_a(house, 2, 0, 1), true_power_w(house, 2, 0, 1), true_charge_as(house, 2, 0, 1)) == (0, 0, 0)


def test_an_adapter_shows_the_voltage_and_a_lead_is_early() -> None:
    house = parse_toml(
        "[mains]\nvoltage_v = 230\n[[adapter]]\nport = 1\nrating_v = 400\n"
        "[[clamp]]\nport = 2\ncurrent_a = 10\nlead_deg = 5\n[[clamp]]\nport = 3\ncurrent_a = 10\npower_factor = 0.9961946980917455",
        House,
        source="test",
    )
    volts, early, late = (pin_lsb(house, input_on(house, port), one_second()) - 2048 for port in (1, 2, 3))
    assert volts.std() == pytest.approx(230 / 400 * 4096 / 3.3, rel=1e-9)
    # cos 5 degrees to both sides of the voltage: together they are 10 degrees apart.
    for wave, behind in ((early, -5), (late, 5)):
        assert np.mean(volts * wave) / volts.std() / wave.std() == pytest.approx(np.cos(np.radians(5)), rel=1e-9), (
            behind
        )
    assert np.mean(early * late) / early.std() / late.std() == pytest.approx(np.cos(np.radians(10)), rel=1e-9)
