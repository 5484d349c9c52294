"""Python on the emulated chip through its raw prompt (MicroPython's docs/reference/repl.rst), for tests and benchmarks."""

from house.console import MemoryConsole
from house.pico import EmulatedPico

_INTERRUPT, _RAW, _FRIENDLY, _RUN = b"\r\x03\x03", b"\x01", b"\x02", b"\x04"
_PIECE_BYTES = 256


class PromptError(Exception):
    """The chip gave no prompt, or the program ended with a traceback (which is the text)."""


class Prompt:
    """Interrupts what runs, then executes programs one after another in the same interpreter."""

    def __init__(self, pico: EmulatedPico) -> None:
        console = pico.console
        assert isinstance(console, MemoryConsole), "a prompt needs the console in memory"
        self._pico = pico
        self._console = console
        self._mark = 0
        self._say(_INTERRUPT + _RAW)
        self._hear(b"raw REPL; CTRL-B to exit\r\n>", 5.0)

    def run(self, program: str, timeout_s: float = 30.0) -> str:
        """What the program printed. ``timeout_s`` is emulated time. Raises PromptError with the traceback."""
        text = program.encode()
        for at in range(0, len(text), _PIECE_BYTES):
            self._say(text[at : at + _PIECE_BYTES])
        self._say(_RUN)
        self._hear(b"OK", 5.0)
        printed = self._hear(b"\x04", timeout_s)
        failed = self._hear(b"\x04>", 5.0)
        if failed:
            raise PromptError(failed.decode(errors="replace"))
        return printed.decode(errors="replace")

    def reboot(self) -> None:
        """Leaves the prompt by a soft reset: boot.py and main.py start."""
        self._say(_FRIENDLY + _RUN)
        self._pico.run_for(0.05)

    def _say(self, data: bytes) -> None:
        self._console.send(data)
        if not self._pico.run_until(lambda: self._console.unsent == 0, 10.0):
            raise PromptError("the chip does not take input")

    def _hear(self, end: bytes, timeout_s: float) -> bytes:
        found = self._pico.run_until(lambda: self._console.written.find(end, self._mark) >= 0, timeout_s)
        if not found:
            tail = bytes(self._console.written[self._mark :][-300:])
            raise PromptError(f"no {end!r} within {timeout_s} s of emulated time, but {tail!r}")
        at = self._console.written.find(end, self._mark)
        heard = bytes(self._console.written[self._mark : at])
        self._mark = at + len(end)
        return heard
