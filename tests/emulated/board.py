"""An emulated board with the firmware, seen from the host's side of the wire, and the command that emulates one for programs."""

import subprocess
import time
from pathlib import Path
from typing import Any

from places import BIN, ROOT

from fluksometer.shared.deframer import Deframer
from fluksometer.shared.frame import seal, to_board
from fluksometer.shared.records import SETTINGS, TO_HOST
from house.housefile import House
from house.pico import EmulatedPico


class FirmwareBoard:
    """Runs unpaced. ``records`` grows by (name, {field: value}) of each record; ``text`` by what stood between frames."""

    def __init__(self, image: Path, house: House, flash: Path) -> None:
        self.house = house
        self.pico = EmulatedPico(image, house, flash=flash)
        self.deframer = Deframer()
        self.records: list[tuple[str, dict[str, Any]]] = []
        self.sequence: list[int] = []
        self.text: list[bytes] = []
        self._sent = 0

    def run(self, seconds: float) -> None:
        """Lets emulated time pass and reads what the board said."""
        self.pico.run_for(seconds)
        console = self.pico.console
        for kind, seq, payload in self.deframer.push(bytes(console.written)):
            layout = TO_HOST[kind]
            names = [field[0] for field in layout.fields] + ([layout.tail] if layout.tail else [])
            self.records.append((layout.name, dict(zip(names, layout.unpack(payload), strict=True))))
            self.sequence.append(seq)
        console.written.clear()
        self.text += self.deframer.take_text()

    def send(self, kind: int, payload: bytes) -> None:
        """A record to the board."""
        self.pico.console.send(to_board(seal(kind, self._sent, payload)))
        self._sent += 1

    def set(
        self, *, rate_hz: int, clamp_ports: int = 0b00111, pulse_ports: int = 0b11000, min_width_us: int = 5000
    ) -> None:
        """Sends settings and waits for the hello that confirms them."""
        self.send(SETTINGS.kind, SETTINGS.pack(rate_hz, clamp_ports, pulse_ports, min_width_us))
        for _ in range(100):
            self.run(0.05)
            if self.of("hello") and self.of("hello")[-1]["rate_hz"] == rate_hz:
                return
        raise AssertionError(f"the board did not confirm {rate_hz} Hz: {self.of('log')}")

    def of(self, name: str, port: int | None = None) -> list[dict[str, Any]]:
        """Records of one kind so far, oldest first."""
        return [fields for kind, fields in self.records if kind == name and port in (None, fields.get("port"))]


class Emulator:
    """``fluksometer emulate`` as a program of its own, with the pseudo-terminal that mpremote and the bridge open."""

    def __init__(self, folder: Path, *options: object, house: Path = ROOT / "tools/house/houses/ideal.toml") -> None:
        self.link = folder / "pico"
        self.flash = folder / "pico.flash"
        self.log = folder / "emulate.log"
        command = [
            BIN / "fluksometer",
            "emulate",
            "--house",
            house,
            "--link",
            self.link,
            "--flash",
            self.flash,
            *options,
        ]
        self._command = [str(word) for word in command]

    def __enter__(self) -> "Emulator":
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(self._command, stdout=log, stderr=subprocess.STDOUT)
        deadline = time.monotonic() + 60
        while "ready" not in self.log.read_text():
            assert self.process.poll() is None and time.monotonic() < deadline, self.log.read_text()
            time.sleep(0.05)
        return self

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        assert self.process.wait(20) == 0, self.log.read_text()
