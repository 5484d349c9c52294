"""``fluksometer harmonics`` as a person uses it."""

import json

import numpy as np
import pytest

from accuracy_waves import ideal_values, table_of
from fluksometer import cli
from fluksometer.domain.linearity import render
from house.converter import HouseSource, convert
from house.housefile import House

HOUSE = House.model_validate(
    {
        "mains": {"frequency_hz": 49.9713},
        "converter": {"curve": "rp2040-b", "noise_lsb": 1.2},
        "clamp": [{"port": 2, "current_a": 10.0, "harmonics": {"3": 0.3, "7": 0.05}, "power_factor": 0.9}],
    }
)
AMPERES = 10 / np.sqrt(1 + 0.3**2 + 0.05**2)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A second of a house with a load full of harmonics on its second clamp and nothing on the first, and its board's table."""
    folder = tmp_path_factory.mktemp("harmonics")
    source, t_ns = HouseSource(HOUSE), np.arange(20_000, dtype=np.int64) * 50_000
    np.save(folder / "load.npy", np.stack([source.take(channel, t_ns) for channel in (0, 1)], axis=1))
    (folder / "table.json").write_text(render(table_of(ideal_values("rp2040-b"))))
    return folder


def harmonics(*arguments):
    return cli.main(["harmonics", *map(str, arguments)])


@pytest.mark.parametrize("with_table", [True, False])
def test_what_a_load_is_made_of(files, capsys, with_table):
    """Twelve cycles: an order to 1.23 / sqrt(4803) = 0.018 LSB, 0.7 mA; 0.2 % of 10 A without a table, and a gain 0.5 % off."""
    options = ["--linearity", files / "table.json"] if with_table else []
    arguments = (files / "load.npy", "--rate", 20_000, "--clamp", 50, "--channel", 2)
    assert harmonics(*arguments, *options) == 0
    told = capsys.readouterr().out
    assert told.count("\n") == 1
    found = json.loads(told)
    assert list(found) == [
        "frequency_hz", "cycles", "current_a", "offset_lsb", "crest_factor", "thd_percent", "noise_lsb", "orders", "flags"
    ]  # fmt: skip
    assert found["frequency_hz"] == pytest.approx(49.9713, abs=2e-3)
    assert found["cycles"] == 12
    assert found["current_a"] == pytest.approx(10, rel=0.01)
    assert found["thd_percent"] == pytest.approx(np.hypot(30, 5), abs=0.05 if with_table else 0.3)
    assert found["noise_lsb"] == pytest.approx(1.23, rel=0.1 if with_table else 0.3)
    assert found["flags"] == []
    truth = {1: 100, 3: 30, 7: 5}
    for number, order in enumerate(found["orders"], 1):
        assert order["order"] == number
        assert order["percent"] == pytest.approx(truth.get(number, 0), abs=0.05 if with_table else 0.3)
        assert order["current_a"] == pytest.approx(truth.get(number, 0) / 100 * AMPERES, rel=0.01, abs=0.03)
    assert [found["orders"][order - 1]["phase_deg"] for order in (1, 3, 7)] == pytest.approx([0, 0, 0], abs=2)


def test_help_tells_every_key(files, capsys):
    assert harmonics(files / "load.npy", "--rate", 20_000, "--clamp", 50, "--channel", 2) == 0
    found = json.loads(capsys.readouterr().out)
    with pytest.raises(SystemExit):
        harmonics("--help")
    help_text = capsys.readouterr().out
    for key in (*found, *found["orders"][0]):
        assert key in help_text


def test_a_clipped_wave_is_flagged_and_orders_above_half_the_rate_are_null(tmp_path, capsys):
    t_s = np.arange(400) / 1600
    np.save(tmp_path / "clipped.npy", convert(None, 2048 + 2200 * np.sin(2 * np.pi * 60.02 * t_s)))
    assert harmonics(tmp_path / "clipped.npy", "--rate", 1600, "--clamp", 50) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["flags"] == ["clipped"]
    assert [order["percent"] is None for order in found["orders"]] == [False] * 12 + [True] * 3
    assert found["orders"][12] == {"order": 13, "current_a": None, "percent": None, "phase_deg": None}


@pytest.mark.parametrize(
    ("make", "fault"),
    [
        (lambda path: None, "cannot be read"),
        (lambda path: path.write_text("1,2,3\n"), "is not a NumPy file"),
        (lambda path: np.savez(path.open("wb"), a=np.zeros(3)), "is an archive"),
        (lambda path: np.save(path, np.zeros(4000)), "want N x 1 to 16 of uint16"),
        (lambda path: np.save(path, np.zeros((4000, 1), np.uint16)), "no channel 2"),
        (lambda path: np.save(path, np.zeros((50, 2), np.uint16)), "50 samples are less than a cycle"),
        (lambda path: np.save(path, np.zeros((0, 2), np.uint16)), "0 samples are less than a cycle"),
        (lambda path: np.save(path, np.full((4000, 2), 5000, np.uint16)), "exceeds 4095"),
        (lambda path: np.save(path, np.full((4000, 2), 2000, np.uint16)), "silence"),
    ],
)
def test_a_wrong_file_is_refused_in_one_line(tmp_path, capsys, make, fault):
    path = tmp_path / "given.npy"
    make(path)
    assert harmonics(path, "--rate", 20_000, "--clamp", 50, "--channel", 2) == 2
    told = capsys.readouterr()
    assert told.err.startswith(f"{path}: ") and fault in told.err and told.err.count("\n") == 1, told.err
    assert told.out == ""


def test_a_wrong_table_is_refused(files, tmp_path, capsys):
    (tmp_path / "wrong.json").write_text("{}")
    assert harmonics(files / "load.npy", "--rate", 20_000, "--clamp", 50, "--linearity", tmp_path / "wrong.json") == 2
    assert "wrong.json: chip: is missing" in capsys.readouterr().err


@pytest.mark.parametrize(
    "option",
    [("--rate", "0"), ("--rate", "nan"), ("--clamp", "0"), ("--clamp", "x"), ("--clamp", "inf"), ("--channel", "0")],
)
def test_wrong_options_are_wrong_input(files, option):
    with pytest.raises(SystemExit) as left:
        harmonics(files / "load.npy", "--rate", "20000", "--clamp", "50", *option)
    assert left.value.code == 2


@pytest.mark.parametrize("missing", ["--rate", "--clamp"])
def test_rate_and_clamp_must_be_told(files, missing):
    given = [one for option in (("--rate", "20000"), ("--clamp", "50")) if option[0] != missing for one in option]
    with pytest.raises(SystemExit) as left:
        harmonics(files / "load.npy", *given)
    assert left.value.code == 2
