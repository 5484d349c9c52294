"""The virtual board: the board's own code on MicroPython for Linux, behind a cable. See tools/linux_board_main.py."""

import contextlib
import os
import socket
import subprocess
import sys
from pathlib import Path

from .cable import Cable

TOOLS = Path(__file__).resolve().parent.parent
ROOT = TOOLS.parent
MICROPYTHON = Path(sys.executable).with_name("micropython")
# The board's modules, the native ones for this machine, the truth.
PATHS = ":".join(map(str, (".frozen", ROOT / "board", ROOT / ".cache/native/x64", TOOLS)))
_CONSOLE_BYTES = 1024  # what the console takes before somebody reads: a few hundred bytes, as USB has it


class LinuxBoard:
    """One board that can lose its power; ``folder`` holds the truth, the port's link and what it prints."""

    def __init__(self, folder: Path, *, uid: int, first_boot_id: int = 1) -> None:
        self.folder = folder
        self.uid = uid
        self.boot_id = first_boot_id - 1
        self.usb_serial = uid.to_bytes(8, "little").hex()  # as MicroPython shows a chip's unique id
        self.cable = Cable(folder / f"usb-{self.usb_serial}")
        self._end: socket.socket | None = None
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def running(self) -> bool:
        """Does it work? A board that died of itself has left its reason in ``errors``."""
        return self._process is not None and self._process.poll() is None

    @property
    def errors(self) -> str:
        """What MicroPython said on its way out."""
        path = self.folder / "board.errors"
        return path.read_text(errors="replace") if path.exists() else ""

    def power_up(self) -> None:
        """Start it, as another boot."""
        self.boot_id += 1
        self._end, other = socket.socketpair()
        other.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _CONSOLE_BYTES)
        command = [MICROPYTHON, TOOLS / "linux_board_main.py", self.folder, self.boot_id, self.uid]
        environment = os.environ | {"MICROPYPATH": PATHS}
        with other, (self.folder / "board.errors").open("ab") as errors:
            self._process = subprocess.Popen(
                list(map(str, command)), stdin=other.fileno(), stdout=other.fileno(), stderr=errors, env=environment
            )
        self.cable.connect(self._end)

    def power_cut(self) -> None:
        """Everything it had in memory is gone."""
        self.cable.connect(None)
        if self._process:
            self._process.kill()
            self._process.wait()
        if self._end:
            with contextlib.suppress(OSError):
                self._end.close()

    def be_quiet(self) -> None:
        """From now on nothing flows or pulses."""
        (self.folder / "quiet").touch()

    def close(self) -> None:
        """Off, and unplugged."""
        self.power_cut()
        self.cable.close()
