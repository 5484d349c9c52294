"""A board played by the test: a pseudo-terminal that does as docs/wire.md says, and sends what it is told.

Readings are kept until they are acknowledged, and sent once more when the host asks for them.
"""

import contextlib
import math
import os
import select
import threading
import time
import tty
from array import array
from dataclasses import astuple
from pathlib import Path
from zlib import crc32

from host.p1_vectors import p1_pieces

from fluksometer.domain.readings import BoardSettings
from fluksometer.shared import frame, records, terminal_records
from fluksometer.shared.deframer import LineDeframer

SAMPLES = 20_000


class ScriptedBoard:
    """Plug it in at ``path`` (a symbolic link to the terminal); its clock began ``up_s`` before it was plugged in."""

    def __init__(self, path: Path, *, rate_hz: int = 20_000, boot_id: int = 0xB007, up_s: float = 100.0) -> None:
        self.path = path
        self.settings = BoardSettings(rate_hz=rate_hz, clamp_ports=0b111, pulse_ports=0b011000)
        self.calibration_crc = 0
        self.table_crc = 0
        self.boot_id = boot_id
        self.obeys = True  # applies settings
        self.calibration: tuple[int, ...] = ()
        self.captures = True  # answers a capture, with sines of 50 Hz
        self.asked: list[str] = []  # names of what the host sent
        self.sent: list[tuple[str, tuple]] = []  # name and values of what it sent to the terminals
        self.on_line = lambda data: [data[::-1]]  # RS-485: what comes behind what the host sends, cut by silences
        self.spoils = lambda framed: framed  # what the line makes of each record: b"" loses it
        self.replays = True  # goes back to where the host asks it to
        self._started_s = time.time() - up_s
        self._newest = self._last_sent = 0  # kept numbers
        self._kept: dict[int, tuple[int, bytes]] = {}  # kind and payload by number, until they are acknowledged
        self._lock = threading.RLock()  # both the test and the listening thread send
        self._master = -1
        self._thread: threading.Thread | None = None
        self._running = False

    def plug(self) -> None:
        self._master, slave = os.openpty()
        tty.setraw(slave)
        self.path.unlink(missing_ok=True)
        self.path.symlink_to(os.ttyname(slave))
        os.close(slave)
        self._running = True
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def unplug(self) -> None:
        self._running = False
        self.path.unlink(missing_ok=True)
        if self._thread:
            self._thread.join()
        with contextlib.suppress(OSError):
            os.close(self._master)
        self._master = -1

    def reboot(self, boot_id: int) -> None:
        """Counters and clock start anew; says hello."""
        with self._lock:
            self.boot_id, self._started_s = boot_id, time.time()
            self._newest = self._last_sent = 0
            self._kept.clear()
        self.hello()

    @property
    def unacknowledged(self) -> int:
        """How many records it still keeps."""
        return len(self._kept)

    def t_us(self, wall_s: float | None = None) -> int:
        """The board's clock at that moment."""
        return int(((time.time() if wall_s is None else wall_s) - self._started_s) * 1e6)

    def hello(self) -> None:
        wanted = (getattr(self.settings, field[0]) for field in records.SETTINGS.fields)
        values = (frame.WIRE_VERSION, 0, 1, 0, 1, 26, 1, 1, 1, self.boot_id, 0xE66, *wanted)
        crcs = (self.table_crc, self.calibration_crc)
        self.send(records.HELLO.kind, records.HELLO.pack(*values, *crcs, self.t_us(), "Scripted Pico"))

    def clamp(self, port: int, rms_lsb: int, charge_lsb_ms: int, wall_s: float | None = None) -> None:
        steps = 8 * rms_lsb
        values = (
            port,
            self.settings.clamp_ports,
            self.settings.rate_hz,
            self.t_us(wall_s),
            0,
            charge_lsb_ms * 8 * 1024,
            steps**2 * SAMPLES,
            0,
            SAMPLES,
            50_000,
        )
        self.keep(records.CLAMP.kind, records.CLAMP.pack(*values, -steps, steps, 0, 50))

    def pair(
        self, a_port: int, b_port: int, product_lsb2: int, totals_lsb2_s: tuple[int, int], wall_s: float | None = None
    ) -> None:
        """Waves in phase: what the core tells of them at no lag; totals of import and export since boot."""
        product = product_lsb2 * 64 * 16
        lagged = round(product * math.cos(2 * math.pi * 50 / self.settings.rate_hz))
        imported, exported = (total * 16_000 for total in totals_lsb2_s)
        values = (a_port, b_port, self.t_us(wall_s), imported, exported, product, lagged, SAMPLES, 0)
        self.keep(records.PAIR.kind, records.PAIR.pack(*values))

    def pulse(self, port: int, count: int, edge_wall_s: float, interval_us: int) -> None:
        values = (port, self.t_us(), count, self.t_us(edge_wall_s), interval_us, 0, 0)
        self.keep(records.PULSE.kind, records.PULSE.pack(*values))

    def meter(self, sent: bytes, number: int, wall_s: float | None = None) -> None:
        """A smart meter's telegram or encrypted frame, in pieces."""
        t_us = self.t_us(wall_s)
        for piece in p1_pieces(sent, number, t_us):
            self.keep(terminal_records.P1_TELEGRAM.kind, terminal_records.P1_TELEGRAM.pack(*astuple(piece)))

    def log(self, text: str) -> None:
        self.send(records.LOG.kind, records.LOG.pack(records.LOG_WARNING, self.t_us(), text))

    def send(self, kind: int, payload: bytes) -> None:
        """A record that passes."""
        with self._lock:
            self._put(frame.seal(kind, 0, payload, self._newest))

    def keep(self, kind: int, payload: bytes) -> None:
        """A record that is kept until it is acknowledged, and sent when the board is plugged in."""
        with self._lock:
            self._newest += 1
            self._kept[self._newest] = (kind, payload)
            self._send_kept()

    def write(self, data: bytes) -> None:
        os.write(self._master, data)

    def _put(self, sealed: bytes) -> None:
        self.write(self.spoils(bytes(frame.to_host(sealed))))

    def _send_kept(self) -> None:
        if self._master == -1:
            return
        for seq in [seq for seq in sorted(self._kept) if seq > self._last_sent]:
            self._put(frame.seal(self._kept[seq][0], seq, self._kept[seq][1], self._last_sent))
            self._last_sent = seq

    def _acknowledge(self, boot_id: int, seq: int, resume: int) -> None:
        with self._lock:
            if boot_id != self.boot_id:
                return
            if resume and self.replays:
                self._last_sent = min(seq, self._newest)
                self._send_kept()
            elif not resume:
                self._kept = {number: one for number, one in self._kept.items() if number > seq}

    def wait_for_host(self, name: str = "greet", timeout_s: float = 10.0) -> None:
        """Until the host has sent a record of that name."""
        end_s = time.monotonic() + timeout_s
        while name not in self.asked:
            assert time.monotonic() < end_s, f"the host sent no {name}: {self.asked}"
            time.sleep(0.02)

    def _listen(self) -> None:
        lines = LineDeframer()
        while self._running:
            try:
                ready = select.select([self._master], [], [], 0.05)[0]
                data = os.read(self._master, 4096) if ready else b""
            except OSError:  # nobody has opened the other end
                time.sleep(0.02)
                continue
            assert b"\x03" not in data
            for kind, _seq, _prev, payload in lines.push(data):
                self._answer(kind, payload)

    def _answer(self, kind: int, payload: bytes) -> None:
        if kind == records.SETTINGS.kind and self.obeys:
            names = [field[0] for field in records.SETTINGS.fields]
            self.settings = BoardSettings(**dict(zip(names, records.SETTINGS.unpack(payload), strict=True)))
        if kind == records.CALIBRATION.kind:
            self.calibration = records.CALIBRATION.unpack(payload)
            self.calibration_crc = crc32(payload)
        if kind == records.ACK.kind:
            self._acknowledge(*records.ACK.unpack(payload))
            self.asked.append(records.TO_BOARD[kind].name)
            return
        if kind == records.CAPTURE.kind:
            self._capture(*records.CAPTURE.unpack(payload))
            self.asked.append(records.TO_BOARD[kind].name)
            return
        if kind in terminal_records.TO_BOARD:
            layout = terminal_records.TO_BOARD[kind]
            self.sent.append((layout.name, layout.unpack(payload)))
            if layout is terminal_records.SERIAL_OUT:
                self._serial_out(*layout.unpack(payload))
            return
        if kind == records.TABLE.kind:
            crc, first, _value, steps = records.TABLE.unpack(payload)
            self.asked.append(records.TO_BOARD[kind].name)
            if first + len(steps) < 4095:
                return
            self.table_crc = crc
        self.hello()
        self.asked.append(records.TO_BOARD[kind].name)

    def _serial_out(self, data: bytes) -> None:
        for piece in self.on_line(data):
            self.send(terminal_records.SERIAL_IN.kind, terminal_records.SERIAL_IN.pack(self.t_us(), piece))

    def _capture(self, mask: int, sets: int) -> None:
        t_us, rate_hz = self.t_us(), self.settings.rate_hz
        for port in (1, 2, 3):
            if not (mask >> (port - 1) & 1 and self.captures):
                continue
            wave = [round(2048 + 700 * math.sin(2 * math.pi * 50 * n / rate_hz)) for n in range(sets)]
            for first in range(0, sets, records.RAW_CODES):
                codes = array("H", wave[first : first + records.RAW_CODES])
                head = (port, t_us, rate_hz, first, sets)
                self.send(records.RAW.kind, records.RAW.pack(*head, codes.tobytes()))
