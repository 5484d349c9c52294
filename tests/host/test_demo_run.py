"""The demo's own decisions: wrong arguments, two demos at once, a part that ends. The whole demo runs in tests/tools."""

import argparse
import signal
import subprocess
import sys
import time

import pytest
from host.rig import free_port
from places import ROOT

import demo_run
from fluksometer.config import Config, read_p1_keys
from fluksometer.faults import FileFaults, parse_toml
from house.housefile import read_house


@pytest.fixture(autouse=True)
def _folder(tmp_path, monkeypatch):
    monkeypatch.setattr(demo_run, "WORK", tmp_path / "demo")
    before = {number: signal.getsignal(number) for number in demo_run.SIGNALS}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--seconds", "-1"], "'-1' is not a number from 1 to 100000000"),
        (["--seconds", "nan"], "'nan' is not a number"),
        (["--rate", "0"], "'0' is not a number from 100 to 100000"),
        (["--rate", "1000000000"], "is not a number from 100"),
        (["--mqtt", "70000"], "'70000' is not a number from 1 to 65535"),
        (["--house", "nope.toml"], "there is no file 'nope.toml'"),
        (["--house", "."], "there is no file '.'"),
    ],
)
def test_wrong_arguments_are_told_before_anything_else(monkeypatch, capsys, arguments, says):
    monkeypatch.setattr(sys, "argv", ["demo", *arguments])
    with pytest.raises(SystemExit) as ended:
        demo_run.main()
    assert ended.value.code == 2
    assert says in capsys.readouterr().err
    assert not demo_run.WORK.exists()


def test_help_and_faults_need_no_set_up(tmp_path):
    for arguments, code in ((["--help"], 0), (["--rate", "x"], 2)):
        done = subprocess.run(
            [ROOT / "tools/demo", *arguments], cwd=tmp_path, capture_output=True, text=True, timeout=20
        )
        assert done.returncode == code
        assert "setup:" not in done.stderr
        assert "./tools/demo" in done.stdout + done.stderr


def test_a_house_is_found_from_where_the_maker_stands(tmp_path, monkeypatch):
    (tmp_path / "my.toml").touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["demo", "--house", "my.toml"])
    assert demo_run.parse_arguments().house == tmp_path / "my.toml"


def test_a_house_the_bridge_can_not_have_starts_nothing(tmp_path, monkeypatch):
    (tmp_path / "empty.toml").touch()
    monkeypatch.setattr(demo_run, "Part", None)
    arguments = argparse.Namespace(house=tmp_path / "empty.toml", mqtt=free_port(), rate=4000)
    with pytest.raises(FileFaults) as caught:
        demo_run.run(arguments)
    assert caught.value.faults == ["sensor: is missing"]


def test_two_demos_have_two_folders():
    first, first_lock = demo_run.take_folder()
    second, second_lock = demo_run.take_folder()
    assert (first.name, second.name) == ("demo", "demo-2")
    first_lock.close()
    again, again_lock = demo_run.take_folder()
    assert again == first
    second_lock.close()
    again_lock.close()


def test_a_folder_of_any_name_can_be_written_into_the_configuration(tmp_path):
    from house.housefile import read_house

    house = read_house(demo_run.HOUSES / "demo.toml")
    odd = tmp_path / 'a "quoted" \\ folder'
    config = parse_toml(demo_run.configuration(house, odd, 4000, 1883), Config, source="")
    assert config.board.port == str(odd / "pico")


def test_a_part_that_ends_ends_the_demo_with_its_words(monkeypatch):
    demo_run.WORK.mkdir()
    waiting = demo_run.WORK / "table"
    waiting.write_text("#!/bin/sh\nexec sleep 60\n")
    waiting.chmod(0o755)
    monkeypatch.setattr(demo_run, "FLUKSOMETER", waiting)
    part = demo_run.Part(demo_run.WORK, "bridge", "sh", "-c", "echo why it ended; sleep 0.3; exit 3")
    started_s = time.monotonic()
    with pytest.raises(demo_run.DemoFailed, match="bridge ended with exit code 3:\nwhy it ended"):
        demo_run.show(None, 1883, [part])
    assert time.monotonic() - started_s < 5


def test_every_house_that_comes_along_makes_a_configuration_that_is_right(tmp_path):
    for file in sorted(demo_run.HOUSES.glob("*.toml")):
        text = demo_run.configuration(read_house(file), tmp_path, 1000, 1883)
        config = parse_toml(text, Config, source=file.name)
        assert len(config.sensor) >= 3


def test_the_full_house_has_something_on_every_terminal(tmp_path):
    text = demo_run.configuration(read_house(demo_run.HOUSES / "full.toml"), tmp_path, 1000, 1883)
    config = parse_toml(text, Config, source="")
    settings = config.board_settings("0" * 32)
    assert (settings.p1, settings.radio, settings.serial_baud) == (1, 1, 115_200)
    keys = read_p1_keys(config, tmp_path / "fluksometer.toml")
    assert keys and not keys.open_to_others
    assert [meter.model for meter in config.modbus] == ["sdm120"]
