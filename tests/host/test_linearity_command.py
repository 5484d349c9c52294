"""``fluksometer linearity`` as a person uses it, and the file of a table."""

import json

import numpy as np
import pytest

from fluksometer import cli
from fluksometer.domain.linearity import CODES, Linearity, default_table, lookup, parse_table, read_table, render
from fluksometer.faults import FileFaults
from house.converter import HouseSource, lower_edges
from house.housefile import House

HOUSE = House.model_validate(
    {
        "mains": {"frequency_hz": 49.9713},
        "converter": {"curve": "rp2040-b", "noise_lsb": 0.8},
        "clamp": [{"port": 2, "current_a": 20.0}],
    }
)


@pytest.fixture(scope="module")
def kettle(tmp_path_factory):
    """Ten seconds of a house with 20 A on its second clamp and nothing on the first."""
    source, t_ns = HouseSource(HOUSE), np.arange(200_000, dtype=np.int64) * 50_000
    path = tmp_path_factory.mktemp("recording") / "kettle.npy"
    np.save(path, np.stack([source.take(channel, t_ns) for channel in (0, 1)], axis=1))
    return path


def linearity(*arguments):
    return cli.main(["linearity", *map(str, arguments)])


def test_a_recording_becomes_a_table_and_a_report(kettle, tmp_path, capsys):
    output = tmp_path / "table.json"
    assert linearity(kettle, "-o", output, "--channel", 2) == 0
    told = capsys.readouterr().out
    for text in ("49.97 Hz", "697 LSB", "residual", "40%", "written"):
        assert text in told, told
    table = read_table(output)
    assert table.chip == "rp2040"
    assert 190_000 < table.samples <= 200_000
    assert 1340 < table.visited[0] < 1370 and 2720 < table.visited[1] < 2760
    assert table.residual_lsb < 0.3
    edges = lower_edges("rp2040-b")
    seen = slice(1400, 2700)
    error = ((edges[:-1] + edges[1:]) / 2 - table.corrected()[:-1])[seen]
    line = np.polyval(np.polyfit(np.arange(1400, 2700), error, 1), np.arange(1400, 2700))
    assert np.std(error - line) < 0.25  # untouched: 2.3 LSB
    assert lookup(table).shape == (CODES,)


def test_a_contradiction_is_told_and_only_force_writes(kettle, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("fluksometer.domain.linearity_fit.RESIDUAL_LIMIT_LSB", 0.001)
    output = tmp_path / "table.json"
    assert linearity(kettle, "-o", output, "--channel", 2) == 1
    assert "no table written" in capsys.readouterr().err
    assert not output.exists()
    assert linearity(kettle, "-o", output, "--channel", 2, "--force") == 0
    assert "disagree" in capsys.readouterr().out
    assert output.exists()


@pytest.mark.parametrize("curve", ["rp2350-b", "rp2040-c"])
def test_a_chip_that_is_not_that_of_the_recording_is_doubted(tmp_path, capsys, curve):
    """The other chip's bends would stay in the table: 2 % of a small current."""
    house = HOUSE.model_copy(update={"converter": HOUSE.converter.model_copy(update={"curve": curve})})
    path, output = tmp_path / "kettle.npy", tmp_path / "table.json"
    np.save(path, HouseSource(house).take(1, np.arange(200_000, dtype=np.int64) * 50_000))
    right, wrong = ("rp2350", "rp2040") if "rp2350" in curve else ("rp2040", "rp2350")
    assert linearity(path, "-o", output, "--chip", wrong) == 1
    assert "is --chip right?" in capsys.readouterr().err
    assert not output.exists()
    assert linearity(path, "-o", output, "--chip", right) == 0


def test_a_place_that_can_not_be_written_is_a_failure(kettle, tmp_path, capsys):
    assert linearity(kettle, "-o", tmp_path / "none" / "table.json", "--channel", 2) == 1
    assert "can't be written" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("make", "fault"),
    [
        (lambda path: None, "cannot be read"),
        (lambda path: path.write_bytes(b""), "is not a NumPy file"),
        (lambda path: path.write_text("1,2,3\n"), "is not a NumPy file"),
        (lambda path: np.savez(path.open("wb"), a=np.zeros(3)), "is an archive"),
        (lambda path: np.save(path, np.array([{}, []], dtype=object)), "is not a NumPy file"),
        (lambda path: np.save(path, np.zeros(200_000)), "want N x 1 to 16 of uint16"),
        (lambda path: np.save(path, np.zeros((9, 9, 9), np.uint16)), "want N x 1 to 16 of uint16"),
        (lambda path: np.save(path, np.zeros((200_000, 1), np.uint16)), "no channel 2"),
        (lambda path: np.save(path, np.zeros((50, 2), np.uint16)), "50 samples are too few"),
        (lambda path: np.save(path, np.full((200_000, 2), 5000, np.uint16)), "exceeds 4095"),
        (lambda path: np.save(path, np.full((200_000, 2), 2000, np.uint16)), "too little swing"),
    ],
)
def test_a_wrong_file_is_refused_in_one_line(tmp_path, capsys, make, fault):
    path = tmp_path / "given.npy"
    make(path)
    assert linearity(path, "-o", tmp_path / "table.json", "--channel", 2) == 2
    told = capsys.readouterr().err
    assert told.startswith(f"{path}: ") and fault in told and told.count("\n") == 1, told
    assert not (tmp_path / "table.json").exists()


@pytest.mark.parametrize(
    "option", [("--rate", "0"), ("--rate", "x"), ("--channel", "0"), ("--chip", "esp32"), ("--rate", "nan")]
)
def test_wrong_options_are_wrong_input(kettle, tmp_path, option):
    with pytest.raises(SystemExit) as left:
        linearity(kettle, "-o", tmp_path / "table.json", *option)
    assert left.value.code == 2


def test_a_table_survives_its_file():
    table = default_table("rp2350")
    assert parse_table(render(table), source="x") == table
    values = np.arange(CODES) + np.random.default_rng(1).normal(0, 2, CODES)
    about = {"chip": "rp2350", "date": "2025-01-31T12:00:00Z", "residual_lsb": 0.1, "samples": 5, "visited": (10, 4000)}
    table = Linearity.of(values, **about)
    assert np.abs(table.corrected() - values).max() <= 0.5 / 64 + 1e-9
    assert parse_table(render(table), source="x") == table


def test_all_faults_of_a_table_at_once(tmp_path):
    values = json.loads(render(default_table("rp2040")))
    values |= {"format": "another", "chip": "esp32", "date": "today", "residual_lsb": -1, "samples": 1.5, "more": 1}
    values |= {"visited": [9, 4], "segments": [*values["segments"][:63], [100.0, 0.0]], "rests": [5000] * CODES}
    path = tmp_path / "table.json"
    path.write_text(json.dumps(values))
    with pytest.raises(FileFaults) as caught:
        read_table(path)
    assert [fault.partition(":")[0] for fault in caught.value.faults] == sorted(values)
    assert str(path) in caught.value.lines()[0]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("segments", [[0.0, 0.0]] * 63),
        ("segments", [[0.0, 2.0]] * 64),
        ("segments", [[0.0]] * 64),
        ("segments", [[float("nan"), 0.0]] * 64),
        ("rests", [0] * 4095),
        ("rests", [0.5] * CODES),
        ("visited", [0, 4096]),
        ("visited", [1]),
        ("date", "2025-02-30T00:00:00Z"),
        ("residual_lsb", "0.1"),
    ],
)
def test_a_wrong_value_of_a_table_is_named(key, value):
    values = json.loads(render(default_table("rp2040"))) | {key: value}
    with pytest.raises(FileFaults) as caught:
        parse_table(json.dumps(values), source="x")
    assert all(fault.startswith(key) for fault in caught.value.faults)


@pytest.mark.parametrize("text", ["", "{", "[]", "1", "[" * 100_000])
def test_what_is_no_table_is_refused(text):
    with pytest.raises(FileFaults):
        parse_table(text, source="x")


def test_an_absent_and_a_binary_table_are_refused(tmp_path):
    (tmp_path / "binary.json").write_bytes(b"\xff\xfe\x00")
    for name in ("absent.json", "binary.json"):
        with pytest.raises(FileFaults, match=name):
            read_table(tmp_path / name)
