"""Emulated boards that carry the firmware exactly as ./flash.sh puts it on a real one."""

import fcntl
import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
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
    """A file system with the firmware on it, written by the real flash.sh and mpremote through a pseudo-terminal.

    Tests that run side by side share it: the first worker makes it, the others wait at the lock.
    """
    base = tmp_path_factory.getbasetemp()
    # A worker's own folder lies in that of the run; without workers the parent would be that of all runs.
    shared = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "flashed"
    shared.mkdir(exist_ok=True)
    done_mark, flash_file = shared / "done", shared / "pico.flash"
    with (shared / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done_mark.exists():
            with Emulator(shared) as emulator:
                done = flash(emulator.link)
                assert done.returncode == 0, done.stdout + done.stderr
            done_mark.touch()
    return flash_file


@contextmanager
def made_boards(image: Path, flashed: Path, folder: Path) -> Iterator[MakeBoard]:
    """Makes boards with the firmware in a house given as text; each has its own copy of the file system."""
    boards: list[FirmwareBoard] = []

    def make(house: str) -> FirmwareBoard:
        own = folder / f"board{len(boards)}.flash"
        own.write_bytes(flashed.read_bytes())
        boards.append(FirmwareBoard(image, parse_toml(house, House, source="house"), own))
        return boards[-1]

    yield make
    for board in boards:
        board.pico.close()


@pytest.fixture
def make_board(image: Path, flashed: Path, tmp_path: Path) -> Iterator[MakeBoard]:
    """Boards of one test."""
    with made_boards(image, flashed, tmp_path) as make:
        yield make


@pytest.fixture(scope="module")
def make_lasting_board(image: Path, flashed: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[MakeBoard]:
    """Boards of one file, whose tests run one behind the other: a boot takes some ten seconds to emulate."""
    with made_boards(image, flashed, tmp_path_factory.mktemp("boards")) as make:
        yield make
