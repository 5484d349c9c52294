"""Runs Python on an emulated Pico through its raw prompt, as mpremote does, but without a terminal and unpaced: for tests."""

from typing import Final

from house.console import MemoryConsole
from house.pico import EmulatedPico

_RAW_PROMPT: Final = b"raw REPL; CTRL-B to exit\r\n>"
_INTERRUPT: Final = b"\r\x03"
_RAW: Final = b"\x01"
_FRIENDLY: Final = b"\x02"
_RUN: Final = b"\x04"


class BoardError(Exception):
    """The board raised an exception (its traceback is the message) or did not answer in time."""


def execute(pico: EmulatedPico, source: str, timeout_s: float = 10.0) -> str:
    """What ``source`` prints on the board; a running program is interrupted first. Times are emulated."""
    console = pico.console
    assert isinstance(console, MemoryConsole)
    _converse(pico, console, _INTERRUPT + _RAW, _RAW_PROMPT, timeout_s)
    # Ctrl-D alone would restart the board, so nothing is sent as ``pass``.
    _converse(pico, console, (source or "pass").encode() + _RUN, b"OK", timeout_s)
    printed = _await(pico, console, _RUN, timeout_s)
    failed = _await(pico, console, _RUN, timeout_s)
    console.send(_FRIENDLY)
    _await(pico, console, b">>> ", timeout_s)
    if failed:
        raise BoardError(failed.decode())
    return printed.decode()


def _converse(pico: EmulatedPico, console: MemoryConsole, request: bytes, answer: bytes, timeout_s: float) -> None:
    console.written.clear()
    console.send(request)
    _await(pico, console, answer, timeout_s)


def _await(pico: EmulatedPico, console: MemoryConsole, mark: bytes, timeout_s: float) -> bytes:
    """What the board says before ``mark``; both are taken out of the console."""
    if not pico.run_until(lambda: mark in console.written, timeout_s):
        raise BoardError(f"no {mark!r} within {timeout_s:g} s; the board said {bytes(console.written)!r}")
    said, _, rest = bytes(console.written).partition(mark)
    console.written[:] = rest
    return said
