"""Virtual boards for the load benchmark: what 3 clamps and 2 pulse inputs send in a second, as bytes, and the bridge's share of it.

Each board has a link session, an intake and a book of its own, as it would in a bridge of its own; what they publish goes into
one keeper and from there to all sinks. No serial port, and no desks: those are the parts that a bridge has once.
"""

import time
from pathlib import Path
from zlib import crc32

from fluksometer.adapters.calibration_file import CalibrationFile
from fluksometer.adapters.clock import host_time
from fluksometer.calibrator import Calibrator
from fluksometer.domain.points import Point
from fluksometer.domain.readings import BoardSettings
from fluksometer.domain.sensors import Medium, Sensor, SensorClass
from fluksometer.domain.told import ToldBook
from fluksometer.domain.topics import sensor_sections
from fluksometer.intake import Intake
from fluksometer.link_session import LinkSession
from fluksometer.shared import frame, records
from fluksometer.shared.deframer import LineDeframer

CLAMPS, PULSES = (1, 2, 3), (4, 5)
SENSORS = len(CLAMPS) + len(PULSES)
RATE_HZ, SAMPLES, MAINS_MHZ = 20_000, 20_000, 50_000
SETTINGS = BoardSettings(rate_hz=RATE_HZ, clamp_ports=0b111, pulse_ports=0b011000)
RMS_LSB = (248, 90, 31)


class VirtualBoard:
    """Number ``number``: what it sends each second."""

    def __init__(self, number: int) -> None:
        self.number, self.boot_id = number, 0x1000 + number
        self._began_s = time.time() - 100.0
        self._seq = self._seconds = 0
        self._charge = [0, 0, 0]
        self._pulses = [0, 0]
        self._table_crc = self._calibration_crc = 0
        self._lines = LineDeframer()

    def hello(self) -> bytes:
        """As after a greeting."""
        wanted = (getattr(SETTINGS, field[0]) for field in records.SETTINGS.fields)
        values = (frame.WIRE_VERSION, 0, 1, 0, 1, 26, 1, 1, 1, self.boot_id, 0xE000 + self.number, *wanted)
        crcs = (self._table_crc, self._calibration_crc)
        return self._frame(records.HELLO.kind, 0, records.HELLO.pack(*values, *crcs, self._t_us(), "Virtual Pico"))

    def obey(self, data: bytes) -> bytes:
        """What it answers to the bridge's lines when the two get to know each other."""
        answers = b""
        for kind, _seq, _prev, payload in self._lines.push(data):
            if kind == records.CALIBRATION.kind:
                self._calibration_crc = crc32(payload)
            if kind == records.TABLE.kind:
                crc, first, _value, steps = records.TABLE.unpack(payload)
                if first + len(steps) < 4095:
                    continue
                self._table_crc = crc
            if kind != records.ACK.kind:
                answers += self.hello()
        return answers

    def second(self) -> bytes:
        """Three windows and two pulses, kept records all."""
        self._seconds += 1
        t_us, sent = self._t_us(), b""
        for index, port in enumerate(CLAMPS):
            rms = RMS_LSB[index] + self._seconds % 3
            steps = 8 * rms
            self._charge[index] += rms * 1000
            values = (port, 0b111, RATE_HZ, t_us - 1000, 0, self._charge[index] * 8 * 1024, steps**2 * SAMPLES, 0)
            payload = records.CLAMP.pack(*values, SAMPLES, MAINS_MHZ, -steps, steps, 0, 50)
            sent += self._keep(records.CLAMP.kind, payload)
        for index, port in enumerate(PULSES):
            self._pulses[index] += 1
            payload = records.PULSE.pack(port, t_us, self._pulses[index], t_us - 500, 1_000_000, 0, 0)
            sent += self._keep(records.PULSE.kind, payload)
        return sent

    def _keep(self, kind: int, payload: bytes) -> bytes:
        self._seq += 1
        return self._frame(kind, self._seq, payload, self._seq - 1)

    def _frame(self, kind: int, seq: int, payload: bytes, before: int | None = None) -> bytes:
        return bytes(frame.to_host(frame.seal(kind, seq, payload, self._seq if before is None else before)))

    def _t_us(self) -> int:
        return int((time.time() - self._began_s) * 1e6)


class BoardsBridge:
    """The bridge's side of one board. Times of ``feed``: seconds of the processor in the link, and in the intake."""

    def __init__(self, board: VirtualBoard, folder: Path) -> None:
        self.board, self._told = board, ToldBook()
        self.sensors = sensors_of(board.number)
        calibrator = Calibrator(CalibrationFile(folder / str(board.number)), self.sensors, {}, mains_hz=50)
        self.session = LinkSession(SETTINGS, calibrator.for_board)
        self.intake = Intake(self.sensors, calibrator, self._told, (), states={}, wait_for_clock=False)
        self.link_s = self.intake_s = 0.0
        self.bytes = 0

    def meet(self) -> None:
        """Hello, settings, calibration, table: until nobody has anything to say."""
        self.session.open(host_time().mono_s)
        data = self.board.hello()
        for _ in range(200):
            self.feed(data)
            if not (asked := self.session.data_to_send()):
                break
            data = self.board.obey(asked)
        self.intake.state()
        self.intake.saved()
        self.link_s = self.intake_s = 0.0

    def feed(self, data: bytes) -> list[Point]:
        """What the bridge publishes of these bytes."""
        now, began_s = host_time(), time.thread_time()
        events = self.session.feed(data, now.mono_s) + self.session.tick(now.mono_s)
        read_s = time.thread_time()
        said = [one for event in events for one in self.intake.take(event, now)]
        self.intake_s += time.thread_time() - read_s
        self.link_s += read_s - began_s
        self.bytes += len(data)
        return [one for one in said if isinstance(one, Point)]

    def acknowledge(self) -> int:
        """Everything so far is stored; how many bytes go to the board."""
        if self.session.position:
            self.session.acknowledge(self.session.position)
        return len(self.session.data_to_send())

    def sections(self) -> dict[str, dict[str, object]]:
        """As published, with names of their own."""
        found = sensor_sections("load", "0.1.0", self.sensors, None)
        return {f"{self.board.number} {name}": section for name, section in found.items()}


def sensors_of(number: int) -> list[Sensor]:
    """Three clamps and two pulse inputs."""
    clamps = [_sensor(number, port, SensorClass.ANALOG, Medium.ELECTRICITY) for port in CLAMPS]
    return [
        *clamps,
        _sensor(number, 4, SensorClass.PULSE, Medium.ELECTRICITY),
        _sensor(number, 5, SensorClass.PULSE, Medium.WATER),
    ]


def _sensor(number: int, port: int, kind: SensorClass, medium: Medium) -> Sensor:
    return Sensor(
        sensor_id=f"{number:016x}{port:016x}",
        port=port,
        sensor_class=kind,
        medium=medium,
        function=f"{kind} {port}",
        enabled=True,
    )
