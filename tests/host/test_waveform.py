"""One cycle of each input, cut from captures whose truth is known at any moment."""

import json

import numpy as np
import pytest

from accuracy_waves import DIMMER, RECTIFIER, SINE, wave
from fluksometer.domain.mains_wave import UnfitCapture
from fluksometer.domain.waveform import Input, waveform

CLAMP = Input(port=1, unit="A", per_lsb=0.04)
SECOND = Input(port=2, unit="A", per_lsb=0.08)
ADAPTER = Input(port=3, unit="V", per_lsb=0.3)
RATE_HZ = 20_000


class Scene:
    """Inputs (shape, peak in LSB, lag in rad), sampled in turn."""

    def __init__(self, *given, rows=4000, frequency_hz=50.0862, start_rad=1.0, noise_lsb=0.0, rate_hz=RATE_HZ):
        self.given, self.frequency_hz, self.start_rad = given, frequency_hz, start_rad
        t_s = np.arange(rows)[:, None] / rate_hz + np.arange(len(given)) / (len(given) * rate_hz)
        noise = np.random.default_rng(4).normal(0, noise_lsb, t_s.shape) if noise_lsb else np.zeros(t_s.shape)
        self.rows = 2051 + noise + np.stack([self.at(column, t_s[:, column]) for column in range(len(given))], axis=1)

    def at(self, column, t_s):
        shape, peak_lsb, lag_rad = self.given[column]
        return wave(shape, peak_lsb, t_s, self.frequency_hz, self.start_rad - lag_rad)

    def errors_lsb(self, told, inputs, reference=0):
        """The largest difference of each input to the truth, at times after the reference's crossing."""
        crossing_s = (self.given[reference][2] - self.start_rad) / (2 * np.pi * self.frequency_hz)
        errors = []
        for column, (one, given) in enumerate(zip(told["inputs"], inputs, strict=True)):
            t_s = crossing_s + one["first_s"] + told["step_s"] * np.arange(len(one["values"]))
            errors.append(float(np.abs(np.array(one["values"]) / given.per_lsb - self.at(column, t_s)).max()))
        return errors


@pytest.mark.parametrize("start_rad", np.linspace(0, 2 * np.pi, 12))
@pytest.mark.parametrize("frequency_hz", [49.5, 50.0, 50.0862, 60.0])
def test_every_value_stands_at_its_moment(start_rad, frequency_hz):
    """Without noise: the mean of whole cycles is dc to half a sample (peak x pi / 400 / 9 cycles = 0.1 %), rounding 0.05 LSB."""
    inputs = [CLAMP, SECOND, ADAPTER]
    scene = Scene(
        (SINE, 700, 0.4), (RECTIFIER, 300, 0.1), (SINE, 1100, 0), start_rad=start_rad, frequency_hz=frequency_hz
    )
    told = waveform(scene.rows, RATE_HZ, inputs)
    assert told["reference"] == 3
    assert told["frequency_hz"] == pytest.approx(frequency_hz, abs=1e-4)
    assert told["step_s"] == 1 / RATE_HZ
    assert [(one["port"], one["unit"]) for one in told["inputs"]] == [(1, "A"), (2, "A"), (3, "V")]
    for one in told["inputs"]:
        assert len(one["values"]) == round(RATE_HZ / frequency_hz)
        assert abs(one["first_s"]) <= 0.5001 / RATE_HZ
    assert all(error < limit for error, limit in zip(scene.errors_lsb(told, inputs, 2), (0.8, 0.4, 1.2), strict=True))
    assert json.loads(json.dumps(told, allow_nan=False)) == told


def test_a_captured_cycle_is_enough_when_the_frequency_is_known():
    """The end is taken from a cycle earlier, up to half a sample beside its moment: peak x pi / 400 = 0.8 %; dc as much again."""
    inputs = [CLAMP, ADAPTER]
    for frequency_hz in (49.8, 50.0, 50.0862, 50.2):
        rows = round(RATE_HZ / frequency_hz)
        for start_rad in np.linspace(0, 6.2, 9):
            scene = Scene((SINE, 700, 0.4), (SINE, 1100, 0), start_rad=start_rad, rows=rows, frequency_hz=frequency_hz)
            told = waveform(scene.rows, RATE_HZ, inputs, frequency_hz)
            assert told["frequency_hz"] == frequency_hz
            assert scene.errors_lsb(told, inputs, 1)[0] < 700 * 0.016
            assert scene.errors_lsb(told, inputs, 1)[1] < 1100 * 0.016
        with pytest.raises(UnfitCapture, match="less than a cycle"):
            waveform(scene.rows[:-2], RATE_HZ, inputs, frequency_hz)


def test_the_reference_is_a_voltage_or_else_the_largest():
    inputs = [CLAMP, SECOND, ADAPTER]
    loud = Scene((SINE, 300, 0.5), (DIMMER, 900, 0), (SINE, 200, 1.0), noise_lsb=1.2)
    assert waveform(loud.rows, RATE_HZ, inputs)["reference"] == 3
    unplugged = Scene((SINE, 300, 0.5), (DIMMER, 900, 0), (SINE, 0, 0), noise_lsb=1.2)
    told = waveform(unplugged.rows, RATE_HZ, inputs)
    assert told["reference"] == 2
    assert max(unplugged.errors_lsb(told, inputs, 1)[0:3:2]) < 8  # five times the noise, and the rest as above
    assert waveform(loud.rows[:, :1], RATE_HZ, [CLAMP])["reference"] == 1


def test_the_crossing_is_the_fundamentals_whatever_the_wave_does():
    """A dimmed wave rests at zero for half the time; its fundamental lags by 32.5 degrees (shapes begin there)."""
    scene = Scene((DIMMER, 500, 0), noise_lsb=1.2)
    told = waveform(scene.rows, RATE_HZ, [CLAMP])
    angle = np.angle(np.array(told["inputs"][0]["values"]) @ np.exp(-2j * np.pi * np.arange(399) / 399.312)) + np.pi / 2
    assert angle - 2 * np.pi * 50.0862 * told["inputs"][0]["first_s"] == pytest.approx(0, abs=0.01)


def test_silence_has_no_reference():
    silent = Scene((SINE, 0, 0), (SINE, 0, 0), noise_lsb=1.2)
    told = waveform(silent.rows, RATE_HZ, [CLAMP, SECOND], 50.0)
    assert told["reference"] is None
    assert [len(one["values"]) for one in told["inputs"]] == [400, 400]
    assert max(map(abs, told["inputs"][0]["values"])) < 6 * 1.2 * 0.04
    with pytest.raises(UnfitCapture, match="silence"):
        waveform(silent.rows, RATE_HZ, [CLAMP, SECOND])


def test_a_clamp_the_other_way_round_and_decimals():
    scene = Scene((SINE, 700, 0))
    given = Input(port=1, unit="A", per_lsb=-0.4)
    values = waveform(scene.rows, RATE_HZ, [given])["inputs"][0]["values"]
    assert values[100] == pytest.approx(-280, abs=0.3)
    assert all(round(value, 2) == value for value in values) and any(round(value, 1) != value for value in values)


@pytest.mark.parametrize(
    ("rows", "inputs", "frequency_hz", "why"),
    [
        (np.zeros((0, 1)), [CLAMP], 50.0, "less than a cycle"),
        (np.zeros((400, 0)), [], 50.0, "want rows"),
        (np.zeros(400), [CLAMP], 50.0, "want rows of 1 inputs"),
        (np.zeros((400, 2)), [CLAMP], 50.0, "want rows of 1 inputs"),
        (np.full((400, 1), np.nan), [CLAMP], 50.0, "finite"),
        (np.zeros((400, 1)), [CLAMP], 5.0, "no frequency of the mains"),
        (Scene((SINE, 500, 0), rows=500).rows, [CLAMP], None, "less than 2 cycles"),
        (np.zeros((400, 1)), [Input(port=1, unit="A", per_lsb=0.0)], 50.0, "an LSB can't be 0 A"),
        (np.zeros((400, 1)), [Input(port=1, unit="A", per_lsb=float("nan"))], 50.0, "an LSB can't be nan A"),
    ],
)
def test_what_can_not_be_cut_is_refused(rows, inputs, frequency_hz, why):
    with pytest.raises(ValueError, match=why):
        waveform(rows, RATE_HZ, inputs, frequency_hz)
