"""Runs a program of the maker's, without a shell."""

import asyncio
import contextlib
import os
import signal
from subprocess import DEVNULL, PIPE, STDOUT, Popen

_SHOWN = 200  # characters of what it said
_KEPT = 4096  # bytes
_LOOK_EVERY_S = 0.05


async def run_program(words: list[str], timeout_s: float) -> tuple[int | None, str]:
    """Its exit code and the end of what it said; None with the reason when it could not be started or took too long.

    (asyncio's own subprocesses can hang for ever when they are cancelled while they start.)
    """
    try:
        process = _start(words)
    except (OSError, ValueError) as error:
        return None, f"can't be started: {getattr(error, 'strerror', None) or error}"
    said, clock = b"", asyncio.get_running_loop().time
    end_s = clock() + timeout_s
    try:
        while process.poll() is None:
            if clock() >= end_s:
                return None, f"took longer than {timeout_s:g} s, and was ended"
            await asyncio.sleep(_LOOK_EVERY_S)
            said = (said + _read(process))[-_KEPT:]
        said += _read(process)
    finally:
        _end(process)
    text = said.decode(errors="replace").strip()[-_SHOWN:]
    return process.returncode, "".join(one if one.isprintable() else " " for one in text)


def _start(words: list[str]) -> "Popen[bytes]":
    process = Popen(words, stdin=DEVNULL, stdout=PIPE, stderr=STDOUT, start_new_session=True, bufsize=0)
    assert process.stdout
    os.set_blocking(process.stdout.fileno(), False)
    return process


def _read(process: "Popen[bytes]") -> bytes:
    # What it has said since; at most what a pipe holds, so that a program which never stops talking is slowed down.
    assert process.stdout
    return process.stdout.read(65536) or b""


def _end(process: "Popen[bytes]") -> None:
    if process.poll() is None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)  # with whatever it has started
        process.wait()
    assert process.stdout
    process.stdout.close()
