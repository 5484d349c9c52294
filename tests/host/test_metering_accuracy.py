"""The figures of `./tools/bench metering`, each within the limit that stands beside its truth in tools/accuracy_*.py."""

import json
from dataclasses import asdict

import numpy as np
import pytest

from accuracy_current import current_figures, frequency_figures, no_load_figures
from accuracy_energy import energy_figures
from accuracy_power import (
    A_PER_LSB,
    ADAPTER_V,
    BOTH,
    V_PER_LSB,
    mirrored_figures,
    moments,
    power_figures,
    starless_figures,
)
from accuracy_shapes import cut_figures, harmonics_figures, shape_figures
from accuracy_waves import RANGE_LSB, RATE_HZ, RP2040, SINE, Figure, default_without, read, times, wave
from bench_metering import figures
from fluksometer.cli import main
from fluksometer.domain.linearity import lookup, render
from fluksometer.domain.power import PairScale, electrical
from fluksometer.metering import Core

pytestmark = pytest.mark.xdist_group("accuracy")  # one worker, so that each table is derived once


def assert_held(told):
    """Each figure within its limit; those without one are only published."""
    told = list(told)
    assert any(figure.limit is not None for figure in told)
    assert [figure for figure in told if not figure.held] == []


@pytest.mark.parametrize("curve", RP2040)
def test_current(curve):
    assert_held(current_figures([curve]))


@pytest.mark.parametrize(("curve", "rate_hz"), [("ideal", RATE_HZ), ("rp2040-b", RATE_HZ), ("rp2040-b", 4000)])
def test_no_load(curve, rate_hz):
    assert_held(no_load_figures([curve], 600, rate_hz))


def test_frequency():
    assert_held(frequency_figures(RP2040, 10))


def test_real_power_at_a_power_factor_of_a_half():
    assert_held(power_figures(RP2040))


def test_export_is_the_mirror_of_import():
    assert_held(mirrored_figures(100_000))


def test_three_lines_without_a_neutral():
    assert_held(starless_figures(100_000, RP2040[1:2], 300))


def test_energy_of_a_day():
    assert_held(energy_figures())


def test_harmonics():
    assert_held(harmonics_figures(RP2040))


def test_shapes_that_are_no_sines():
    assert_held(shape_figures(RP2040))


def test_cut_waves_are_flagged():
    assert_held(cut_figures(RP2040))


def test_a_figure_beyond_its_limit_does_not_hold():
    assert not Figure(metric="high", value=1.1, unit="%", limit=1).held
    assert not Figure(metric="low", value=94.9, unit="%", limit=95, at_least=True).held
    assert Figure(metric="published", value=9, unit="%").held


def test_the_bench_tells_figures():
    first = next(iter(figures(False)))
    assert (first.metric, first.unit) == ("current_rp2040-a_none_1", "%")


def house_of_two():
    """Codes of a voltage and a clamp, converted at the same moments."""
    t_s = times(3.3)
    columns = [wave(SINE, part * RANGE_LSB, t_s, 49.97, start_rad=part) for part in (0.575, 0.3)]
    return read("rp2040-a", np.column_stack(columns), 0.8, seed=5)


def told_by_command(folder, codes, table, capsys):
    np.save(folder / "house.npy", codes)
    (folder / "table.json").write_text(render(table))
    words = ["--rate", RATE_HZ, "--clamp", 50, "--voltage-channel", 1, "--adapter", ADAPTER_V, "--in-turn"]
    words += ["--phase", 1.5, "--noise", 0.9, "--linearity", folder / "table.json"]
    assert main(["meter", str(folder / "house.npy"), *map(str, words)]) == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_the_meter_command_says_what_the_core_says(tmp_path, capsys):
    """A saved recording: the same windows, and the numbers that the core's sums make."""
    codes, table = house_of_two(), default_without("rp2040-a")
    told = told_by_command(tmp_path, codes, table, capsys)
    core = Core(2, RATE_HZ, lookup(table))
    core.watch(0)
    core.multiply(0, 1)
    closed = core.fold(codes)
    known = {"lead_b_deg": 1.5, "floor_a": 0.81, "floor_b": 0.81}
    scale = PairScale(voltage_is_a=True, a_per_lsb=V_PER_LSB, b_per_lsb=A_PER_LSB, **known, **BOTH)
    assert len(told) == 2 * len(closed) == 6
    for one, clamp in zip(closed, told[1::2], strict=True):
        window, expected = one.channels[1], electrical(moments(one), scale)
        assert (clamp["samples"], clamp["cycles"], clamp["flags"]) == (window.samples, window.cycles, [])
        assert clamp["offset_lsb"] == window.sum / window.samples / 8
        assert clamp["frequency_hz"] == window.frequency_mhz / 1000
        values = asdict(expected)
        values["real_w"] = values.pop("active_w")
        # Units per LSB are one product of floats here and another there: some roundings.
        assert {key: clamp[key] for key in values} == pytest.approx(values, rel=1e-13)
