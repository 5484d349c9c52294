"""An emulated board with the firmware, seen from the host's side of the wire, and the command that emulates one for programs."""

import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
import numpy.typing as npt
from places import BIN, ROOT

from fluksometer.domain.readings import BoardSettings
from fluksometer.shared import terminal_records
from fluksometer.shared.deframer import Deframer
from fluksometer.shared.frame import seal, to_board
from fluksometer.shared.records import ACK, CALIBRATION, CAPTURE, GREET, SETTINGS, TABLE, TABLE_STEPS, TO_HOST
from house.housefile import House
from house.pico import EmulatedPico

LAYOUTS = TO_HOST | terminal_records.TO_HOST


class FirmwareBoard:
    """Runs unpaced. ``records`` grows by (name, {field: value}) of each record; ``text`` by what stood between frames.
    ``on_bytes`` gets all that the board wrote in each stretch that ran, also nothing. Kept records are taken in their order and
    acknowledged after each stretch, as docs/wire.md says, while ``acknowledging``; ``kept`` has their numbers."""

    def __init__(self, image: Path, house: House, flash: Path) -> None:
        self.house = house
        self.pico = EmulatedPico(image, house, flash=flash)
        self.deframer = Deframer()
        self.records: list[tuple[str, dict[str, Any]]] = []
        self.kept: list[int] = []  # of this boot
        self.acknowledging = True
        self._last = 0  # kept number
        self._boot_id = 0
        self.text: list[bytes] = []
        self.on_bytes: Callable[[bytes], None] = lambda data: None
        self._sent = 0

    def run(self, seconds: float) -> None:
        """Lets emulated time pass and reads what the board said."""
        self.pico.run_for(seconds)
        written = bytes(self.pico.console.written)
        self.pico.console.written.clear()
        last, missing = self._last, False
        for kind, seq, prev, payload in self.deframer.push(written):
            if seq and not prev <= last < seq:
                missing = missing or prev > last
                continue
            last = seq or last
            layout = LAYOUTS[kind]
            names = [field[0] for field in layout.fields] + ([layout.tail] if layout.tail else [])
            fields = dict(zip(names, layout.unpack(payload), strict=True))
            self.records.append((layout.name, fields))
            if seq:
                self.kept.append(seq)
            elif layout.name == "hello" and fields["boot_id"] != self._boot_id:
                self._boot_id, last, missing, self.kept = fields["boot_id"], 0, True, []
        if self.acknowledging and self._boot_id and (missing or last > self._last):
            self.send(ACK.kind, ACK.pack(self._boot_id, last, missing))
        elif missing and not self._boot_id:
            self.send(GREET.kind, GREET.pack())
        self._last = last
        self.text += self.deframer.take_text()
        self.on_bytes(written)

    def send(self, kind: int, payload: bytes) -> None:
        """A record to the board."""
        self.pico.console.send(to_board(seal(kind, self._sent, payload)))
        self._sent += 1

    def nothing_missing(self) -> bool:
        """Whether all that came was whole, and of the kept records each one came by itself."""
        return self.deframer.dropped == 0 and self.kept == list(range(1, len(self.kept) + 1))

    def wait(self, done: Callable[[], Any], what: str, timeout_s: float = 5.0) -> None:
        """Runs until the board has done it; fails with what it logged."""
        for _ in range(round(timeout_s / 0.05)):
            self.run(0.05)
            if done():
                return
        raise AssertionError(f"{what}: not within {timeout_s:g} s; the board logged {self.of('log')}")

    def set(self, **given: int) -> None:
        """Sends settings (those that are not given as the bridge has them) and waits for the hello that confirms them."""
        before = len(self.of("hello"))
        wanted = BoardSettings(**({"clamp_ports": 0b00111, "pulse_ports": 0b11000} | given))
        values = tuple(getattr(wanted, field[0]) for field in SETTINGS.fields)
        self.send(SETTINGS.kind, SETTINGS.pack(*values))
        self.wait(
            lambda: len(self.of("hello")) > before and self._in_force() == values, f"settings for {wanted.rate_hz} Hz"
        )

    def _in_force(self) -> tuple[int, ...]:
        hello = self.of("hello")
        return tuple(hello[-1][field[0]] for field in SETTINGS.fields) if hello else ()

    def calibrate(self, floors: tuple[int, int, int], compensation: tuple[int, ...]) -> None:
        """Sends noise floors by port and c0, c1 by pair; waits until they are in force."""
        payload = CALIBRATION.pack(*floors, *compensation)
        self.send(CALIBRATION.kind, payload)
        self.wait(lambda: self.of("hello")[-1]["calibration_crc"] == crc32(payload), "calibration")

    def push_table(self, table: npt.NDArray[np.int16]) -> None:
        """Sends a linearity table in pieces and waits until it is in force."""
        crc, rests = crc32(table.astype("<i2").tobytes()), np.diff(table.astype(int)) - 8
        for first in range(0, len(table), TABLE_STEPS + 1):
            steps = rests[first : first + TABLE_STEPS].astype(np.int8).tobytes()
            self.send(TABLE.kind, TABLE.pack(crc, first, int(table[first]), steps))
        self.wait(lambda: self.of("hello")[-1]["table_crc"] == crc, "table")

    def capture(self, ports: int, sets: int, timeout_s: float = 5.0) -> dict[int, npt.NDArray[np.uint16]]:
        """Raw codes by port; each record's head is checked."""
        wanted = [port for port in (1, 2, 3) if ports >> (port - 1) & 1]
        before = len(self.of("raw"))
        self.send(CAPTURE.kind, CAPTURE.pack(ports, sets))
        codes: dict[int, npt.NDArray[np.uint16]] = {port: np.zeros(0, np.uint16) for port in wanted}

        def all_there() -> bool:
            return sum(len(raw["codes"]) for raw in self.of("raw")[before:]) == 2 * sets * len(wanted)

        self.wait(all_there, "capture", timeout_s)
        records = self.of("raw")[before:]
        assert len({(raw["t_us"], raw["rate_hz"], raw["total"]) for raw in records}) == 1
        for raw in records:
            assert raw["first"] == len(codes[raw["port"]]) and raw["total"] == sets
            codes[raw["port"]] = np.append(codes[raw["port"]], np.frombuffer(raw["codes"], "<u2"))
        return codes

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
