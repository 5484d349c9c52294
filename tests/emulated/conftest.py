"""Emulated boards that carry the firmware exactly as ./flash.sh puts it on a real one."""

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from emulated.board import Emulator, FirmwareBoard
from places import ROOT

from fluksometer.faults import parse_toml
from house.housefile import House

MakeBoard = Callable[..., FirmwareBoard]


def flash(port: Path | str, *options: str) -> subprocess.CompletedProcess[str]:
    """The real script on a port; what it says is in stdout and stderr."""
    return subprocess.run([ROOT / "flash.sh", str(port), *options], capture_output=True, text=True, timeout=300)


@pytest.fixture(scope="session")
def flashed(tmp_path_factory) -> Path:
    """A file system with the firmware on it, written by the real flash.sh and mpremote through a pseudo-terminal."""
    folder = tmp_path_factory.mktemp("flashed")
    with Emulator(folder) as emulator:
        done = flash(emulator.link)
        assert done.returncode == 0, done.stdout + done.stderr
    return emulator.flash


@pytest.fixture
def make_board(image: Path, flashed: Path, tmp_path: Path) -> Iterator[MakeBoard]:
    """Makes boards with the firmware in a house given as text; each has its own copy of the file system."""
    boards: list[FirmwareBoard] = []

    def make(house: str) -> FirmwareBoard:
        own = tmp_path / f"board{len(boards)}.flash"
        own.write_bytes(flashed.read_bytes())
        boards.append(FirmwareBoard(image, parse_toml(house, House, source="house"), own))
        return boards[-1]

    yield make
    for board in boards:
        board.pico.close()
