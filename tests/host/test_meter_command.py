"""`fluksometer meter` over recordings whose truth is known."""

import json
import subprocess
import sys
from math import pi, sqrt

import numpy as np
import pytest
from host.rig import environment

from fluksometer.cli import main
from fluksometer.domain.linearity import default_table, render
from house.converter import convert, lower_edges

LSB_V = 3.3 / 4096


def meter(capsys, path, *arguments):
    """Exit code, records, what is told."""
    try:
        code = main(["meter", str(path), *map(str, arguments)])
    except SystemExit as ended:
        code = ended.code
    out, err = capsys.readouterr()
    return code, [json.loads(line) for line in out.splitlines()], err


def columns(*waves, rate_hz=4000, seconds=4.3, frequency_hz=50.0, in_turn=False, noise_lsb=0.8, clip=(0, 4095)):
    """Codes of sines (rms in LSB, lag in degrees, offset in LSB) with noise."""
    rng = np.random.default_rng(7)
    n = np.arange(round(rate_hz * seconds))
    made = []
    for place, (rms, lag_deg, offset) in enumerate(waves):
        late = place / len(waves) if in_turn else 0
        angle = 2 * pi * frequency_hz * (n + late) / rate_hz - np.radians(lag_deg)
        lsb = 2048 + offset + sqrt(2) * rms * np.sin(angle) + noise_lsb * rng.standard_normal(len(n))
        made.append(np.clip(np.rint(lsb), *clip))
    return np.column_stack(made).astype(np.uint16)


def saved(tmp_path, codes):
    np.save(tmp_path / "samples.npy", codes)
    return tmp_path / "samples.npy"


def amps(lsb, clamp_a=50):
    return lsb * LSB_V * clamp_a


def test_three_ports_over_four_windows(tmp_path, capsys):
    path = saved(tmp_path, columns((250, 0, 0), (1240, 0, 12), (12, 0, 0)))
    code, found, _err = meter(capsys, path, "--rate", 4000, "--clamp", 50, "--voltage", 230, "--noise", 0.85)
    assert code == 0
    assert [(record["t_s"], record["port"]) for record in found] == [
        (s, p) for s in (1.0, 2.0, 3.0, 4.0) for p in (1, 2, 3)
    ]
    for record in found:
        true_a = amps((250, 1240, 12)[record["port"] - 1])
        # Noise of 0.85 LSB: 0.1 % of 12 LSB is what sqrt(2 / 4000) of it leaves in one window.
        assert record["current_a"] == pytest.approx(true_a, rel=4e-3)
        assert record["apparent_va"] == pytest.approx(record["current_a"] * 230)
        assert record["peak_a"] == pytest.approx(true_a * sqrt(2), abs=amps(4.5))
        assert record["offset_lsb"] == pytest.approx(12 if record["port"] == 2 else 0, abs=0.1)
        assert (record["samples"], record["cycles"], record["gaps"], record["flags"]) == (4000, 50, 0, [])
        assert record["frequency_hz"] == pytest.approx(50, abs=0.002)
        assert record["assumed_voltage_v"] == 230
        assert [record[key] for key in ("voltage_v", "real_w", "reactive_var", "power_factor")] == [None] * 4


@pytest.mark.parametrize(
    ("lag_deg", "signs"), [(60, (1, 1, 1)), (-60, (1, -1, 1)), (120, (-1, 1, -1)), (-120, (-1, -1, -1)), (0, (1, 0, 1))]
)
@pytest.mark.parametrize("voltage_channel", [1, 2])
def test_a_voltage_channel_gives_power_its_signs(tmp_path, capsys, lag_deg, signs, voltage_channel):
    """Towards the load and back, late (inductive) and early."""
    waves = [(700, 10, 5), (200, 10 + lag_deg, -3)]
    path = saved(tmp_path, columns(*(waves if voltage_channel == 1 else waves[::-1]), frequency_hz=49.9))
    options = ("--rate", 4000, "--clamp", 50, "--voltage-channel", voltage_channel, "--adapter", 400)
    code, found, _err = meter(capsys, path, *options)
    volts, apparent = 700 * LSB_V * 400, 700 * LSB_V * 400 * amps(200)
    assert code == 0 and len(found) == 8
    for record in found:
        assert record["voltage_v"] == pytest.approx(volts, rel=1e-4) and record["assumed_voltage_v"] is None
        assert record["frequency_hz"] == pytest.approx(49.9, abs=0.003)
        assert record["samples"] == pytest.approx(record["cycles"] * 4000 / 49.9, abs=0.6)  # whole cycles
        if record["port"] == voltage_channel:
            assert [record[key] for key in ("current_a", "apparent_va", "peak_a", "real_w")] == [None] * 4
            continue
        assert record["apparent_va"] == pytest.approx(apparent, rel=1e-3)
        assert record["real_w"] == pytest.approx(apparent * np.cos(np.radians(lag_deg)), abs=1e-3 * apparent)
        assert record["reactive_var"] == pytest.approx(apparent * np.sin(np.radians(lag_deg)), abs=1e-3 * apparent)
        assert record["power_factor"] == pytest.approx(np.cos(np.radians(lag_deg)), abs=1e-3)
        found_signs = [record[key] for key in ("real_w", "reactive_var", "power_factor")]
        assert [np.sign(one) for one, sign in zip(found_signs, signs, strict=True) if sign] == [s for s in signs if s]


def test_columns_in_turn_and_a_clamp_that_is_late_are_put_right(tmp_path, capsys):
    waves = [(200, 60 + 2.7, 0), (300, 120 + 2.7, 0), (700, 0, 0)]
    path = saved(tmp_path, columns(*waves, in_turn=True))
    options = ("--rate", 4000, "--clamp", 100, "--voltage-channel", 3, "--adapter", 400)
    _code, raw, _err = meter(capsys, path, *options)
    _code, found, _err = meter(capsys, path, *options, "--in-turn", "--phase", -2.7)
    for port, lsb, factor in ((1, 200, 0.5), (2, 300, -0.5)):
        apparent = 700 * LSB_V * 400 * amps(lsb, 100)
        wrong, right = ([one["real_w"] for one in records if one["port"] == port] for records in (raw, found))
        assert right == pytest.approx([factor * apparent] * 4, abs=1e-3 * apparent)
        assert abs(wrong[0] - factor * apparent) > 0.02 * apparent


def test_without_an_adapter_the_voltage_or_230_is_meant(tmp_path, capsys):
    path = saved(tmp_path, columns((700, 0, 0)))
    for more, adapter_v in (((), 230), (("--voltage", 400), 400), (("--voltage", 400, "--adapter", 500), 500)):
        _code, found, _err = meter(capsys, path, "--rate", 4000, "--clamp", 50, "--voltage-channel", 1, *more)
        assert found[0]["voltage_v"] == pytest.approx(700 * LSB_V * adapter_v, rel=1e-4)


def test_noise_is_taken_off(tmp_path, capsys):
    path = saved(tmp_path, columns((2.0, 0, 0), (0, 0, 0), seconds=20.3))
    read = {}
    for noise in (0, 0.85):
        _code, found, _err = meter(capsys, path, "--rate", 4000, "--clamp", 50, "--noise", noise)
        read[noise] = [np.mean([one["current_a"] for one in found if one["port"] == port]) for port in (1, 2)]
    assert read[0] == pytest.approx([amps(sqrt(4 + 0.72)), amps(0.85)], rel=0.02)
    assert read[0.85][0] == pytest.approx(amps(2), rel=0.01)
    assert read[0.85][1] < amps(0.1)  # cut at zero: half of what is left of the noise


def test_a_linearity_table_is_used(tmp_path, capsys):
    """A recording through a measured converter whose wide codes stand near the crest of the wave."""
    t = np.arange(80_000) / 20_000
    values = 2048 + 12.4 * sqrt(2) * np.sin(2 * pi * 50 * t) + np.random.default_rng(1).normal(0, 0.8, len(t))
    path = saved(tmp_path, convert(lower_edges("rp2040-a"), values)[:, np.newaxis])
    (tmp_path / "table.json").write_text(render(default_table("rp2040")))
    errors = []
    for more in ((), ("--linearity", tmp_path / "table.json")):
        _code, found, _err = meter(capsys, path, "--rate", 20_000, "--clamp", 50, "--noise", 0.8, *more)
        errors.append(abs(found[-1]["current_a"] / amps(12.4) - 1))
    assert errors[1] < errors[0] / 2
    (tmp_path / "table.json").write_text("{}")
    code, found, err = meter(capsys, path, "--rate", 20_000, "--clamp", 50, "--linearity", tmp_path / "table.json")
    assert (code, found) == (2, []) and "table.json: chip: is missing" in err


def test_flags_tell_what_is_wrong(tmp_path, capsys):
    clipped, dead = columns((1500, 0, 0), rate_hz=1000, seconds=3.2), np.full(3200, 2048)
    moved = columns((200, 0, 0), rate_hz=1000, seconds=3.2) + np.where(np.arange(3200) < 1500, 0, 20)[:, np.newaxis]
    path = saved(tmp_path, np.column_stack([clipped, dead, moved]).astype(np.uint16))
    _code, found, _err = meter(capsys, path, "--rate", 1000, "--clamp", 50)
    flags = [{flag for one in found if one["port"] == port for flag in one["flags"]} for port in (1, 2, 3)]
    assert flags == [{"clipped"}, {"no_signal"}, {"bias_moved"}]
    assert all(one["apparent_va"] is None for one in found)
    assert found[1]["current_a"] == 0


def test_without_mains_there_is_no_power_and_no_frequency(tmp_path, capsys):
    path = saved(tmp_path, columns((0, 0, 0), (200, 0, 0)))
    options = ("--rate", 4000, "--clamp", 50, "--voltage-channel", 1)
    _code, found, _err = meter(capsys, path, *options)
    for record in found:
        assert record["flags"] == ["no_mains"]
        assert [record[key] for key in ("frequency_hz", "cycles", "real_w", "power_factor")] == [None] * 4


@pytest.mark.parametrize("rate_hz", [1, 90, 99, 100, 101, 110, 130, 140])
def test_a_rate_too_low_for_the_mains_is_no_traceback(tmp_path, capsys, rate_hz):
    path = saved(tmp_path, columns((700, 0, 0), (200, 0, 0), rate_hz=rate_hz, seconds=60, frequency_hz=50.3))
    code, found, _err = meter(capsys, path, "--rate", rate_hz, "--clamp", 50, "--voltage-channel", 1)
    assert code == 0 and len(found) > 100


@pytest.mark.parametrize(
    ("codes", "why"),
    [
        (np.zeros((100, 4), dtype=np.uint16), "want N x 1 to 3 of uint16"),
        (np.zeros((100, 2), dtype=np.float64), "want N x 1 to 3 of uint16"),
        (np.zeros((100, 2, 2), dtype=np.uint16), "want N x 1 to 3 of uint16"),
        (np.full((2000, 1), 5000, dtype=np.uint16), "exceeds 4095"),
        (np.zeros((999, 1), dtype=np.uint16), "less than one window"),
        (np.zeros((0, 1), dtype=np.uint16), "less than one window"),
        (np.array([{"a": 1}], dtype=object), "is not a NumPy file"),
    ],
)
def test_a_file_that_is_no_recording_is_refused(tmp_path, capsys, codes, why):
    np.save(tmp_path / "bad.npy", codes, allow_pickle=True)
    code, found, err = meter(capsys, tmp_path / "bad.npy", "--rate", 1000, "--clamp", 50)
    assert (code, found) == (2, []) and why in err and err.count("\n") == 1


def test_missing_and_other_files_are_refused(tmp_path, capsys):
    (tmp_path / "text.npy").write_text("not samples")
    np.savez(tmp_path / "many.npz", a=np.zeros(3))
    for name, why in (("text.npy", "is not a NumPy"), ("none.npy", "cannot be read"), ("many.npz", "is an archive")):
        code, _found, err = meter(capsys, tmp_path / name, "--rate", 1000, "--clamp", 50)
        assert code == 2 and why in err, name


@pytest.mark.parametrize(
    ("option", "value", "why"),
    [
        ("--rate", "0", "1 to 500000"),
        ("--rate", "4000.5", "1 to 500000"),
        ("--clamp", "-1", "above 0"),
        ("--voltage", "0", "0.001 to 1000"),
        ("--voltage-channel", "0", "1 for the first"),
        ("--voltage-channel", "3", "there is no channel 3"),
        ("--adapter", "0", "1 to 10000"),
        ("--phase", "91", "-90 to 90"),
        ("--phase", "x", "-90 to 90"),
        ("--noise", "nan", "0 to 50"),
        ("--noise", "-1", "0 to 50"),
        ("--linearity", "/nowhere/table.json", "cannot be read"),
    ],
)
def test_bad_arguments_are_told_in_a_clear_line(tmp_path, capsys, option, value, why):
    path = saved(tmp_path, columns((700, 0, 0), (200, 0, 0), seconds=1.1))
    code, found, err = meter(capsys, path, "--rate", 4000, "--clamp", 50, option, value)
    assert (code, found) == (2, []) and why in err.splitlines()[-1] and "Traceback" not in err


def test_it_runs_as_a_program(tmp_path):
    path = saved(tmp_path, columns((250, 0, 0), seconds=1.1))
    command = [sys.executable, "-m", "fluksometer", "meter", path, "--rate", "4000", "--clamp", "50"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment())
    assert done.returncode == 0 and json.loads(done.stdout)["port"] == 1
