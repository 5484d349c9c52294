"""The command line as a person uses it: in a process of its own."""

import argparse
import importlib.metadata
import subprocess
import sys
import time
from types import SimpleNamespace

import pytest
from host.rig import environment

from fluksometer import cli
from fluksometer.command import Command
from fluksometer.errors import Failure
from fluksometer.faults import FileFaults


def fluksometer(*arguments, cwd=None):
    return subprocess.run(
        [sys.executable, "-m", "fluksometer", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=30,
        env=environment(),
        cwd=cwd,
    )


def test_help_names_every_command_and_the_exit_codes():
    done = fluksometer("--help")
    assert done.returncode == 0
    for word in cli.words():
        assert f"\n  {word} " in done.stdout
    assert cli.EXIT_CODES in done.stdout
    assert "can't be loaded" not in done.stdout


def test_help_is_quick_because_nothing_heavy_is_imported():
    heavy = "{'pydantic', 'structlog', 'rich', 'paho', 'iotcore', 'serial', 'numpy', 'asyncio'}"
    code = (
        "import importlib.metadata, sys; importlib.metadata.entry_points = lambda group: []; "  # only our own commands
        f"from fluksometer.cli import main; main(['--help']); print({heavy} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment(), timeout=30)
    assert done.stdout.endswith("set()\n"), done.stdout + done.stderr


@pytest.mark.parametrize("word", sorted(cli.COMMANDS.keys() & cli.words().keys()))
def test_the_help_of_every_command_teaches_by_example(word):
    done = fluksometer(word, "--help")
    assert done.returncode == 0, done.stderr
    assert f"usage: fluksometer {word}" in done.stdout
    assert f"fluksometer {word}" in done.stdout.partition("example")[2]
    assert cli.EXIT_CODES[:20] in done.stdout


def test_version_tells_package_and_wire():
    assert fluksometer("--version").stdout == "fluksometer 0.1.0 (wire 4)\n"


def test_no_word_and_an_unknown_word_are_wrong_input():
    assert fluksometer().returncode == 2
    done = fluksometer("rnu")
    assert done.returncode == 2
    assert "unknown command 'rnu'; one of: run, check, init, top" in done.stderr


def test_a_wrong_option_is_wrong_input():
    assert fluksometer("check").returncode == 2


def test_init_check_and_never_overwrite(tmp_path):
    done = fluksometer("init", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (
        0,
        "fluksometer.toml: written. Next: fluksometer run -c fluksometer.toml\n",
    )
    done = fluksometer("check", "-c", "fluksometer.toml", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("fluksometer.toml: ok\n")
    for text in ("clamp 1", "50 A clamp at 230 V", "pulse 5", "0.5 L per pulse"):
        assert text in done.stdout
    (tmp_path / "fluksometer.toml").write_text("mine")
    done = fluksometer("init", "-c", "fluksometer.toml", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (2, "fluksometer.toml: is there already, and stays as it is\n")
    assert (tmp_path / "fluksometer.toml").read_text() == "mine"
    assert fluksometer("init", "-c", "none/here.toml", cwd=tmp_path).returncode == 1


@pytest.mark.parametrize("word", ["check", "run"])
def test_every_fault_stands_on_its_own_line_and_nothing_starts(word, tmp_path):
    (tmp_path / "wrong.toml").write_text('[board]\nrate_hz = 1\n[[sensor]]\nport = 9\nfunction = "a"\n')
    done = fluksometer(word, "-c", "wrong.toml", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.splitlines() == [
        "wrong.toml: board.rate_hz: 1 is not allowed: 100 to 100000",
        "wrong.toml: sensor[0].port: 9 is not allowed: 1 to 5",
    ]
    assert [one.name for one in tmp_path.iterdir()] == ["wrong.toml"]


def test_damaged_ids_stop_the_bridge(tmp_path):
    (tmp_path / "meter.toml").write_text('[device]\nstate = "."\n[[sensor]]\nport = 1\nfunction = "a"\n')
    (tmp_path / "identity.json").write_text("{")
    done = fluksometer("run", "-c", "meter.toml", cwd=tmp_path)
    assert done.returncode == 1
    assert "identity.json: the ids in it can't be understood" in done.stderr
    assert "Traceback" not in done.stderr


def played(monkeypatch, run):
    command = Command(help="", description="", configure=lambda parser: None, run=run)
    monkeypatch.setattr(cli, "COMMANDS", {"play": "fluksometer.cli:PLAYED"})
    monkeypatch.setattr(cli, "PLAYED", command, raising=False)
    return cli.main(["play"])


@pytest.mark.parametrize(
    ("error", "code"), [(FileFaults("f", ["x: y"]), 2), (Failure("why"), 1), (KeyboardInterrupt(), 130)]
)
def test_exceptions_become_exit_codes(monkeypatch, capsys, error, code):
    def run(_arguments: argparse.Namespace) -> int:
        raise error

    assert played(monkeypatch, run) == code
    assert capsys.readouterr().err == {2: "f: x: y\n", 1: "fluksometer: why\n", 130: ""}[code]


def test_a_command_of_another_package_joins_and_an_absent_one_does_not(monkeypatch):
    points = [
        SimpleNamespace(name="emulate", value="house.nowhere:COMMAND"),
        SimpleNamespace(name="other", value="nowhere.at.all:COMMAND"),
        SimpleNamespace(name="again", value="fluksometer.check_command:COMMAND"),
    ]
    monkeypatch.setattr(importlib.metadata, "entry_points", lambda group: points)
    assert "again" in cli.words()
    assert not {"emulate", "other"} & set(cli.words())


def test_output_into_a_closed_pipe_is_no_traceback(tmp_path):
    command = f"{sys.executable} -m fluksometer --help | true"
    started_s = time.monotonic()
    done = subprocess.run(command, shell=True, capture_output=True, text=True, env=environment(), timeout=30)
    assert "Traceback" not in done.stderr
    assert time.monotonic() - started_s < 10
