"""Where the tools keep what they fetch and build, and how they speak and run commands. Standard library only."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NoReturn

ROOT = Path(__file__).resolve().parent.parent
CACHE = ROOT / ".cache"
LOG_TAIL_LINES = 25


class ToolError(Exception):
    """What went wrong and what mends it, in words for the maker; the tools print it and exit 1."""


def micropython_tag(root: Path = ROOT) -> str:
    """The pinned MicroPython version, as "major.minor.micro". It is written in micropython.tag and nowhere else."""
    return (root / "micropython.tag").read_text().strip()


def build_room(root: Path = ROOT, env: Mapping[str, str] = os.environ) -> Path:
    """A folder whose path has no white space, which MicroPython's make rules cannot bear: .cache where possible."""
    if not any(c.isspace() for c in str(root)):
        return root / ".cache"
    home = Path(env.get("XDG_CACHE_HOME") or Path(env.get("HOME", "~")).expanduser() / ".cache")
    room = home / "fluksometer" / hashlib.sha256(str(root).encode()).hexdigest()[:12]
    if any(c.isspace() for c in str(room)):
        raise ToolError(f"MicroPython cannot be built below {root}: its make rules cannot bear a space in a path.\n"
                        "Set XDG_CACHE_HOME to a folder without one, or move this clone.")  # fmt: skip
    return room


def say(text: str) -> None:
    """Progress, on stderr: stdout belongs to the answer."""
    print(text, file=sys.stderr, flush=True)


def run(command: Sequence[str | Path], log: Path, *, cwd: Path | None = None, env: Mapping[str, str] = {}) -> None:
    """Run with its output in the log; a failure shows the end of it."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as sink:
        sink.write(f"\n$ {' '.join(map(str, command))}\n".encode())
        sink.flush()
        done = subprocess.run(
            list(map(str, command)),
            cwd=cwd,
            env={**os.environ, **env},
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=subprocess.STDOUT,
        )
    if done.returncode:
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-LOG_TAIL_LINES:])
        raise ToolError(f"{tail}\n\n{command[0]} failed ({done.returncode}); the whole log is {log}")


def need(programs: Mapping[str, str]) -> None:
    """Refuse early when a program (name -> Debian package) is missing."""
    missing = [package for program, package in programs.items() if not shutil.which(program)]
    if missing:
        raise ToolError(f"missing: {' '.join(missing)}. Run tools/setup.sh toolchain, or apt-get install them.")


@contextlib.contextmanager
def alone(name: str, room: Path) -> Iterator[None]:
    """One builder at a time; a second one waits and then finds the work done."""
    room.mkdir(parents=True, exist_ok=True)
    with (room / f"{name}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"{name}: another build is running, waiting for it")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def scratch(room: Path, prefix: str) -> Iterator[Path]:
    """A folder for half-finished things, on the disk of the finished ones. What a killed run left is swept first."""
    room.mkdir(parents=True, exist_ok=True)
    for left_over in room.glob(f"{prefix}-*.part"):
        shutil.rmtree(left_over, ignore_errors=True)
    with tempfile.TemporaryDirectory(dir=room, prefix=f"{prefix}-", suffix=".part") as folder:
        yield Path(folder)


def put_in_place(finished: Path, target: Path) -> None:
    """Appear at once and whole, also when the target is on another disk."""
    target.parent.mkdir(parents=True, exist_ok=True)
    arriving = target.with_name(f".{target.name}.{os.getpid()}")
    shutil.copyfile(finished, arriving)
    arriving.replace(target)


def terminate_cleanly() -> None:
    """SIGTERM unwinds like Ctrl-C does, so that scratch folders go."""

    def leave(_signal: int, _frame: object) -> NoReturn:
        raise SystemExit(143)

    signal.signal(signal.SIGTERM, leave)
