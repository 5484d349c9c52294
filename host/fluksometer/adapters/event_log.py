"""Puts what happens on the link into log lines. What lasts (a dead clamp, a full disk) is told by ``domain/health.py``."""

from collections import Counter
from dataclasses import replace

from structlog.typing import FilteringBoundLogger

from fluksometer.domain.link_events import (
    BoardAtPrompt,
    BoardLogged,
    BoardSaidHello,
    BoardSilent,
    EarlierCame,
    Event,
    FramesDropped,
    HealthReported,
    PairClosed,
    PulsesCounted,
    RawCame,
    RecordRefused,
    RecordsLacking,
    SequenceBroke,
    SettingsRefused,
    TerminalSpoke,
    TextSeen,
    UnknownKind,
    WindowClosed,
    WireVersionDiffers,
)
from fluksometer.domain.pulse_watch import PulseWatch
from fluksometer.domain.readings import BoardLog, Hello
from fluksometer.domain.sensors import Sensor, SensorClass
from fluksometer.domain.topics import decimal
from fluksometer.domain.units import plain

_TEXT_LINES = 20  # of the board's console a period; what is no board may send text for ever
_LOG_LINES = 60  # of the board's firmware a period
_WARNINGS = 200  # different ones a period
_CHIPS = {1: "rp2040", 2: "rp2350"}


class EventLog:
    """One line for what a person should know.

    Faults that may come by the hundred are shown once a period; their totals stand in the summary.
    """

    def __init__(self, log: FilteringBoundLogger) -> None:
        self._log = log
        self._shown: set[tuple[str, str]] = set()  # event and reason, in this period
        self._lines: Counter[str] = Counter()  # lines of the board by event in this period
        self._hello: Hello | None = None  # as last shown
        self._pulse_watch = PulseWatch()

    @property
    def pulse_counts(self) -> dict[str, int]:
        """As PulseWatch.counts."""
        return self._pulse_watch.counts

    def begin_period(self) -> None:
        """Faults may be shown again."""
        self._shown.clear()
        self._lines.clear()

    def warn(self, event: str, fields: dict[str, object]) -> None:
        """Write a warning of a desk, unless this period has the same event with the same ``reason`` already."""
        self._once(event, str(fields.get("reason", "")), **fields)

    def show_sensor(self, sensor: Sensor) -> None:
        """Write what a sensor is."""
        self._log.info("sensor", **_describe(sensor))

    def show(self, event: Event) -> None:
        """Write the line of this event, if it deserves one."""
        log = self._log
        match event:
            case BoardSaidHello():
                self._show_hello(event.hello, event.new_boot)
            case BoardLogged():
                self._show_board_log(event.log)
            case HealthReported(health=health):
                used = health.heap_free + health.heap_used
                log.debug("board_health", heap_free=health.heap_free, heap=used, backlog_samples=health.backlog_samples)
            case TextSeen(text=text):
                if self._one_more("board_text", _TEXT_LINES):
                    log.info("board_text", text=text)
            case RecordsLacking(after=after):
                self._once("records_lacking", after=after, note="asking the board for them once more")
            case FramesDropped(count=count):
                self._once("frames_dropped", count=count)
            case RecordRefused(reason=reason):
                self._once("record_refused", reason=reason)
            case UnknownKind(kind=kind):
                self._once("unknown_record", kind=kind)
            case SequenceBroke(seq=seq):
                log.warning("board_restarted", seq=seq, note="its hello was lost, asking again")
            case WireVersionDiffers(board=board, bridge=bridge):
                log.error("wire_differs", reason=f"board speaks wire {board}, bridge {bridge}: run ./flash.sh")
            case SettingsRefused(differences=differences):
                log.error("settings_refused", reason=differences)
            case BoardAtPrompt():
                log.warning("board_at_prompt", reason="the board is at its prompt: reset it or run ./flash.sh")
            case BoardSilent(seconds=seconds):
                log.warning(
                    "board_silent", seconds=seconds, reason="no record: does the board run, and is this its port?"
                )
            case PulsesCounted(hello=hello, pulses=pulses):
                if sentence := self._pulse_watch.take(hello.boot_id, pulses):
                    self._once(f"pulse_{pulses.port}_edges", reason=sentence)
            case WindowClosed() | PairClosed() | RawCame() | TerminalSpoke() | EarlierCame():
                pass

    def _once(self, event: str, which: str = "", /, **fields: object) -> None:
        if (event, which) not in self._shown and len(self._shown) < _WARNINGS:
            self._shown.add((event, which))
            self._log.warning(event, **fields)

    def _one_more(self, event: str, most: int) -> bool:
        self._lines[event] += 1
        if self._lines[event] == most + 1:
            self._log.warning(f"{event}_cut", note=f"more than {most} lines in a minute, the rest is not shown")
        return self._lines[event] <= most

    def _show_hello(self, hello: Hello, new_boot: bool) -> None:
        shown = replace(hello, t_us=0)
        if shown == self._hello and not new_boot:
            return  # the board answered a question asked twice
        self._hello = shown
        self._log.info(
            "board_hello",
            model=_printable(hello.model),
            chip=_CHIPS.get(hello.chip, hello.chip),
            firmware=hello.firmware,
            micropython=hello.micropython,
            uid=f"{hello.uid:016x}",
            usb_serial=hello.usb_serial,
            boot_id=f"{hello.boot_id:08x}",
            new_boot=new_boot,
            rate_hz=hello.rate_hz,
            clamps=_ports(hello.clamp_ports),
            pulses=_ports(hello.pulse_ports),
            table=f"{hello.table_crc:08x}" if hello.table_crc else "none",
        )

    def _show_board_log(self, log: BoardLog) -> None:
        if not self._one_more("board_log", _LOG_LINES):
            return
        write = {1: self._log.info, 2: self._log.warning}.get(log.level, self._log.error)
        write("board_log", text=_printable(log.text))


def _printable(text: str) -> str:
    return "".join(one if one.isprintable() else " " for one in text)


def _ports(mask: int) -> str:
    return ",".join(str(bit + 1) for bit in range(8) if mask >> bit & 1) or "none"


def _describe(sensor: Sensor) -> dict[str, object]:
    fields: dict[str, object] = {
        "function": sensor.function,
        "port": sensor.port,
        "kind": sensor.sensor_class.value,
        "type": sensor.medium.value,
        "id": sensor.sensor_id,
    }
    if not sensor.enabled:
        return fields | {"enabled": False}
    if sensor.sensor_class is SensorClass.VOLTAGE:
        return fields | {"adapter_v": plain(sensor.adapter_v)}
    if sensor.sensor_class is SensorClass.ANALOG:
        clamp = {"clamp_a": plain(sensor.clamp_a), "voltage_v": sensor.voltage_v}
        clamp |= {"p1_phase": sensor.p1_phase} if sensor.p1_phase else {}
        return fields | clamp | ({"phases": sensor.phases} if sensor.phases != "1p" else {})
    return fields | {"constant": f"{decimal(sensor.constant_milli)} {sensor.medium.counter_unit}"}
