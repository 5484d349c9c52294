"""``fluksometer calibrate``: what is known of a board's clamps, shown and changed."""

import json

import pytest

from fluksometer.cli import main

UID = "e66141040396962a"


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "meter.toml"
    path.write_text('[device]\nstate = "state"\n[[sensor]]\nport = 1\nfunction = "kitchen"\n')
    return path


def kept(config):
    return json.loads((config.parent / "state/calibration.json").read_text())["boards"]


def calibrate(config, *words):
    return main(["calibrate", "-c", str(config), *map(str, words)])


def test_nothing_is_known_at_first(config, capsys):
    assert calibrate(config) == 0
    assert "nothing is known yet" in capsys.readouterr().out


def test_numbers_are_kept_with_date_and_residual_and_forgotten(config, capsys):
    assert calibrate(config, "--board", UID, "--port", 1, "--gain", 1.0093, "--residual", 0.002, "--how", "kettle") == 0
    gain = kept(config)[UID]["1"]["gain"]
    assert (gain["value"], gain["residual"], gain["how"]) == (1.0093, 0.002, "kettle") and gain["date"].endswith("Z")
    assert "1.0093" in capsys.readouterr().out
    assert calibrate(config, "--port", 1, "--phase", -1.5, "--floor", 1.44) == 0  # the only board needs no name
    assert kept(config)[UID]["1"]["gain"] == gain
    assert kept(config)[UID]["1"]["phase_deg"]["value"] == -1.5
    assert calibrate(config, "--port", 1, "--gain", "default") == 0
    assert "gain" not in kept(config)[UID]["1"]


def test_the_uid_is_whole_on_a_narrow_terminal(config, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    assert calibrate(config, "--board", UID, "--port", 1, "--phase", 2.4, "--how", "kettle against a clamp meter") == 0
    assert UID in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["--port", 1, "--gain", 3], "--gain: '3' is not allowed"),
        (["--port", 1, "--gain", "nan"], "--gain: 'nan' is not allowed"),
        (["--port", 1, "--phase", "x"], "--phase: 'x' is not allowed"),
        (["--port", 1, "--floor", -1], "--floor: '-1' is not allowed"),
        (["--gain", 1], "--port: which clamp?"),
        (["--port", 1, "--residual", 0.1], "--residual: of which number?"),
    ],
)
def test_what_can_not_be_is_refused(config, capsys, words, why):
    assert calibrate(config, "--board", UID, *words) == 2
    assert why in capsys.readouterr().err
    assert not (config.parent / "state/calibration.json").exists()


@pytest.mark.parametrize("residual", ["nan", "inf", "-1", "x"])
def test_a_wrong_residual_is_not_blamed_on_the_number(config, capsys, residual):
    with pytest.raises(SystemExit) as left:
        calibrate(config, "--board", UID, "--port", 1, "--gain", 1.01, "--residual", residual)
    told = capsys.readouterr().err
    assert left.value.code == 2 and f"--residual: '{residual}' is not a residual" in told, told


def test_a_board_that_nobody_named_is_asked_for(config, capsys):
    assert calibrate(config, "--port", 1, "--gain", 1.1) == 2
    assert "none yet" in capsys.readouterr().err
    for uid in (UID, UID[::-1].replace("a", "b")):
        assert calibrate(config, "--board", uid, "--port", 1, "--gain", 1.1) == 0
    assert calibrate(config, "--port", 1, "--gain", 1.1) == 2
    assert UID in capsys.readouterr().err
    assert calibrate(config, "--board", "E66", "--port", 1, "--gain", 1.1) == 2


def test_a_damaged_book_is_not_overwritten(config, capsys):
    assert calibrate(config, "--board", UID, "--port", 1, "--gain", 1.1) == 0
    path = config.parent / "state/calibration.json"
    path.write_text(path.read_text().replace("1.1", "11"))
    assert calibrate(config, "--port", 1, "--phase", 1) == 1
    assert "gain.value" in capsys.readouterr().err
