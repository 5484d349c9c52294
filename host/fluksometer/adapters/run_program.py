"""Runs a program of the maker's, without a shell."""

import asyncio
import contextlib
import os
import signal
from asyncio.subprocess import DEVNULL, PIPE, STDOUT, Process

_SHOWN = 200  # characters of what it said
_READ = 4096  # bytes
_END_S = 5.0  # who is killed and does not end by then is left alone


async def run_program(words: list[str], timeout_s: float) -> tuple[int | None, str]:
    """Its exit code and the end of what it said; None with the reason when it could not be started or took too long."""
    try:
        process = await asyncio.create_subprocess_exec(
            *words, stdin=DEVNULL, stdout=PIPE, stderr=STDOUT, start_new_session=True
        )
    except (OSError, ValueError) as error:
        return None, f"can't be started: {getattr(error, 'strerror', None) or error}"
    try:
        async with asyncio.timeout(timeout_s):
            said = await _last_of(process)
            return await process.wait(), said
    except TimeoutError:
        return None, f"took longer than {timeout_s:g} s, and was ended"
    finally:
        with contextlib.suppress(ProcessLookupError, PermissionError, TimeoutError):
            if process.returncode is None:
                os.killpg(process.pid, signal.SIGKILL)  # with whatever it has started
                await asyncio.wait_for(process.wait(), _END_S)


async def _last_of(process: Process) -> str:
    assert process.stdout
    said = b""
    while piece := await process.stdout.read(_READ):
        said = (said + piece)[-_READ:]
    text = said.decode(errors="replace").strip()[-_SHOWN:]
    return "".join(one if one.isprintable() else " " for one in text)
