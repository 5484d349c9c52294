"""``fluksometer emulate`` as a person starts it: what it says, refuses, and leaves behind."""

import os
import signal
import subprocess
import sys
from argparse import ArgumentParser
from pathlib import Path
from types import SimpleNamespace

import pytest

import house
from house.command import COMMAND, _Report, default_image, default_link
from house.pico import Pace

HOUSES = Path(house.__file__).parent / "houses"
ROOM = Path(house.__file__).parents[2]


def start(*words: str | Path, **environment: str) -> "subprocess.Popen[str]":
    paths = os.pathsep.join(str(ROOM / name) for name in ("host", "tools"))
    return subprocess.Popen(
        [sys.executable, "-m", "house", *map(str, words)],
        env=os.environ | {"PYTHONPATH": paths} | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_every_fault_of_the_house_file_is_told_and_nothing_starts(tmp_path):
    bad = tmp_path / "bad.toml"
    bad.write_text("[mains]\nfrequency_hz = 70\nvoltage_v = -1")
    link = tmp_path / "pico"
    process = start("--house", bad, "--link", link, "--image", bad)
    said, complained = process.communicate(timeout=30)
    assert (process.returncode, said) == (2, "")
    assert [line.removeprefix(f"{bad}: ").partition(":")[0] for line in complained.splitlines()] == [
        "mains.frequency_hz",
        "mains.voltage_v",
    ]
    assert not link.is_symlink()


def test_a_missing_image_names_the_remedy(tmp_path):
    process = start("--house", HOUSES / "demo.toml", FLUKSOMETER_IMAGE=str(tmp_path / "none.uf2"))
    _, complained = process.communicate(timeout=30)
    assert process.returncode == 2 and "none.uf2" in complained and "tools/firmware" in complained


def test_a_place_that_is_taken_is_left_alone(tmp_path, image):
    place = tmp_path / "precious"
    place.write_text("mine")
    process = start("--house", HOUSES / "demo.toml", "--image", image, "--link", place)
    _, complained = process.communicate(timeout=30)
    assert process.returncode == 2 and "precious" in complained and place.read_text() == "mine"


@pytest.mark.emulated
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_says_ready_and_ends_in_order(tmp_path, image, number):
    link, flash = tmp_path / "pico", tmp_path / "pico.flash"
    process = start("--house", HOUSES / "demo.toml", "--image", image, "--link", link, "--flash", flash)
    assert process.stdout is not None and process.stdout.readline() == f"ready {link}\n"
    assert link.is_symlink()
    process.send_signal(number)
    _, complained = process.communicate(timeout=30)
    assert (process.returncode, complained) == (0, "")
    assert flash.exists() and not link.is_symlink()  # the first boot made a file system


@pytest.mark.emulated
def test_it_ends_after_the_given_time_and_warns_of_what_is_not_simulated(tmp_path, image):
    plan = tmp_path / "house.toml"
    plan.write_text("[faults]\npower_cuts_s = [9]")
    process = start("--house", plan, "--image", image, "--link", tmp_path / "pico", "--seconds", "0.2")
    said, complained = process.communicate(timeout=30)
    assert (process.returncode, said) == (0, f"ready {tmp_path / 'pico'}\n")
    assert complained == f"{plan}: warning: faults: accepted, but not simulated yet\n"


@pytest.mark.emulated
def test_something_that_is_no_image_is_refused(tmp_path):
    junk = tmp_path / "junk.uf2"
    junk.write_bytes(bytes(512))
    process = start("--house", HOUSES / "demo.toml", "--image", junk, "--link", tmp_path / "pico")
    _, complained = process.communicate(timeout=30)
    assert process.returncode == 2 and "UF2" in complained and not (tmp_path / "pico").is_symlink()


def test_the_help_teaches():
    parser = ArgumentParser(prog="fluksometer emulate", description=COMMAND.description)
    COMMAND.configure(parser)
    text = parser.format_help()
    assert "mpremote connect" in text and "XDG_RUNTIME_DIR" in text and "Exit codes" in text


def test_the_defaults_can_be_moved(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.setenv("FLUKSOMETER_IMAGE", "some.uf2")
    assert (default_link(), default_image()) == (tmp_path / "pico", Path("some.uf2"))


def test_a_machine_that_is_too_slow_is_told_once_a_minute(capsys):
    report = _Report(SimpleNamespace(nanos=0))
    for _ in range(12):
        report.tell(Pace(wall_s=10.0, emulated_s=7.1))
    for _ in range(6):
        report.tell(Pace(wall_s=10.0, emulated_s=10.0))
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2 and all("0.71 x real time" in line and "--rate" in line for line in lines)
