"""What is wrong with the link and the board, judged from the link's events. Pure; monotonic times come in as arguments."""

from collections.abc import Iterator, Mapping
from typing import Final

from .fault_register import Condition, Minute
from .link_events import (
    BoardAtPrompt,
    BoardLogged,
    BoardSaidHello,
    BoardSilent,
    Event,
    FramesDropped,
    HealthReported,
    PairClosed,
    PulsesCounted,
    RawCame,
    RecordRefused,
    SettingsRefused,
    TerminalSpoke,
    UnknownKind,
    WindowClosed,
    WireVersionDiffers,
)
from .readings import Health, Hello
from .terminal_readings import P1Status, RadioStatus, Terminal

HEAP_LEAST: Final = 8192
HEAP_ENOUGH: Final = 10240
WINDOWS_STALE_S: Final = 5.0
_RESET_CAUSES: Final = {1: "power on", 3: "watchdog or program"}
_WATCHDOG: Final = 3
_HOLD_S: Final = 60.0
_DROPPED_LEAST: Final = 5  # a minute
_DROPPED_SHARE: Final = 0.01
_LINES_LEAST: Final = 3  # a minute
_RESUMED_LEAST: Final = 5  # a minute
_RING_SHARE: Final = 0.8
_STALLED: Final = "converter: stopped"  # how the board's log record begins
_RESET_HELP: Final = "reset the board; if that does not help, run ./flash.sh"

_ABSENT: Final = {
    "link_down": "the board is not there",
    "board_at_prompt": "the board's firmware does not run",
    "board_silent": "the board is silent",
    "wire_differs": "the board speaks another wire version",
}
_RISES: Final = {
    "records_dropped": (
        "board_dropped_records",
        "the board had no room and threw readings away; totals stay right: keep the bridge running, and the cable in",
    ),
    "records_merged": (
        "board_merges",
        "the board puts waiting readings together for want of room: the bridge was away or is too slow; totals stay right, "
        "detail is lost: keep it running, and see whether its disk and processor keep up",
    ),
}
"""Counts since boot of health records: what it is when they rise."""


class BoardHealth:
    """Link and board. ``absent`` says why no board is there."""

    def __init__(self) -> None:
        self.hello: Hello | None = None
        self.health: Health | None = None
        self.boots = 0  # seen by this bridge
        self._boot_id: int | None = None
        self.link_up: bool | None = None  # None: not tried yet
        self._down: Condition | None = None  # the link, or what is on it, until a record comes
        self._settings: Condition | None = None
        self._held: dict[str, tuple[float, Condition]] = {}  # events: they are wrong for a minute
        self._frames, self._records, self._lines = Minute(), Minute(), Minute()
        self._resumed, self._last_resumed = Minute(), 0
        self._bad_crc, self._last_crc = Minute(), 0
        self._heap_low = False
        self._p1: P1Status | None = None
        self._no_radio = False
        self._t_us = 0  # of the latest record
        self._record_s = self._window_s = self._hello_s = 0.0  # when the last came
        self._link_was_down = True  # since the last hello
        self._gap_samples: dict[int, int] = {}  # by port

    @property
    def absent(self) -> str:
        """Why no board is there; empty if it is."""
        if self._down:
            return _ABSENT[self._down.what]
        return "" if self.hello else "the board has not said hello yet"

    def link(self, reason: str) -> None:
        """The port was opened (an empty reason), or is closed: why, and what helps."""
        self.link_up = not reason
        if reason:
            self._link_was_down = True
            self._down = Condition(what="link_down", says=reason, grave=True, logged=True)
        elif self._down and self._down.what == "link_down":
            self._down, self.hello = None, None

    def take_counts(self, counts: Mapping[str, int], now_s: float) -> None:
        """The session's totals, by name. ``resumed``: times that the board was asked for records once more."""
        resumed = counts.get("resumed", 0)
        self._resumed.add(max(0, resumed - self._last_resumed), now_s)
        self._last_resumed = resumed

    def take(self, event: Event, now_s: float) -> None:
        """What the session told."""
        match event:
            case BoardSaidHello(hello=hello, new_boot=new_boot):
                self._take_hello(hello, new_boot, now_s)
            case WindowClosed(window=window):
                self._window_s = now_s
                self._gap_samples[window.port] = window.gap_samples
                self._heard(window.t_us, now_s)
            case HealthReported(health=health):
                self._heard(health.t_us, now_s)
                self._take_health(health, now_s)
            case TerminalSpoke(reading=reading):
                self._heard(reading.t_us, now_s)
                self._take_terminal(reading, now_s)
            case PulsesCounted(pulses=pulses):
                self._heard(pulses.t_us, now_s)
            case PairClosed(pair=pair):
                self._heard(pair.t_us, now_s)
            case RawCame(raw=raw):
                self._heard(raw.t_us, now_s)
            case BoardLogged(log=log):
                self._heard(log.t_us, now_s)
                if log.text.startswith(_STALLED):
                    says = f"the board's converter stopped by itself and was started anew; if it goes on: {_RESET_HELP}"
                    self._hold(Condition(what="converter_stalled", says=says, logged=True), now_s)
            case _:
                self._take_trouble(event, now_s)

    def _take_trouble(self, event: Event, now_s: float) -> None:
        match event:
            case FramesDropped(count=count):
                self._frames.add(count, now_s)
            case RecordRefused(reason=reason):
                says = f"the board sends a record that can't be right ({reason}): put matching firmware on it with ./flash.sh"
                self._hold(Condition(what="record_refused", says=says, logged=True), now_s)
            case UnknownKind(kind=kind):
                says = f"the board sends records of kind {kind}, which this bridge does not know: update the bridge"
                self._hold(Condition(what="unknown_record", says=says, logged=True), now_s)
            case SettingsRefused(differences=differences):
                says = f"the board does not take its settings ({differences}): {_RESET_HELP}"
                self._settings = Condition(what="settings_refused", says=says, grave=True, logged=True)
            case WireVersionDiffers(board=board, bridge=bridge):
                self._stop("wire_differs", f"the board speaks wire {board}, the bridge {bridge}: run ./flash.sh")
            case BoardAtPrompt():
                self._stop("board_at_prompt", "the board is at its prompt: reset it or run ./flash.sh")
            case BoardSilent(seconds=seconds):
                says = f"no record for {seconds:.0f} s: does the board run, and is this its port?"
                self._stop("board_silent", says)

    def conditions(self, now_s: float) -> Iterator[Condition]:
        """What is wrong now."""
        if self._down:
            yield self._down
        if self._settings:
            yield self._settings
        self._held = {what: one for what, one in self._held.items() if now_s - one[0] < _HOLD_S}
        yield from (condition for _, condition in self._held.values())
        yield from self._bytes_damaged(now_s)
        if not self.absent:
            yield from self._board_conditions(now_s)

    def section(self) -> dict[str, object]:
        """How the board fares, for people; empty before its hello."""
        if self.hello is None:
            return {}
        hello, health = self.hello, self.health
        fares: dict[str, object] = {
            "boot_id": f"{hello.boot_id:08x}",
            "uptime_s": self._t_us // 1_000_000,
            "reset_cause": _RESET_CAUSES.get(hello.reset_cause, str(hello.reset_cause)),
            "boots": self.boots,
            "gap_samples": sum(self._gap_samples.values()),
        }
        if health:
            names = ("heap_free", "kept_bytes", "records_merged", "records_dropped", "lines_dropped", "backlog_samples")
            fares |= {name: getattr(health, name) for name in names}
        return fares

    def _heard(self, t_us: int, now_s: float) -> None:
        self._t_us, self._record_s = max(self._t_us, t_us), now_s
        self._records.add(1, now_s)
        if self._down and self._down.what != "link_down":
            self._down = None

    def _take_hello(self, hello: Hello, new_boot: bool, now_s: float) -> None:
        first = self._boot_id is None  # whatever was before the bridge started is no news
        if new_boot or hello.boot_id != self._boot_id:
            self._boot_id = hello.boot_id
            self.boots += 1
            self.health, self._p1, self._last_crc, self._t_us = None, None, 0, 0
            self._gap_samples.clear()
            if not first and hello.reset_cause == _WATCHDOG:
                says = (
                    "the board was reset by its watchdog or a program; if it goes on, see its log, then run ./flash.sh"
                )
                self._hold(Condition(what="board_watchdog", says=says), now_s)
            elif not first and not self._link_was_down:
                says = "the board has started anew: check its supply, its USB cable, and its reset button"
                self._hold(Condition(what="board_restarted", says=says), now_s)
        self.hello, self._settings, self._hello_s, self._window_s = hello, None, now_s, now_s
        self._link_was_down = False
        self._heard(hello.t_us, now_s)

    def _take_health(self, health: Health, now_s: float) -> None:
        before = self.health
        for name, (what, says) in _RISES.items():
            if getattr(health, name) > (getattr(before, name) if before else 0):
                self._hold(Condition(what=what, says=f"{says} ({getattr(health, name)} since boot)"), now_s)
        self._lines.add(
            max(0, health.lines_dropped - (before.lines_dropped if before else health.lines_dropped)), now_s
        )
        least = HEAP_ENOUGH if self._heap_low else HEAP_LEAST
        self._heap_low = health.heap_free < least
        if health.backlog_samples > _RING_SHARE * health.ring_samples > 0:
            says = "the board hardly keeps up with its samples: lower board.rate_hz, or use fewer terminals"
            self._hold(Condition(what="ring_nearly_full", says=says), now_s)
        self.health = health

    def _take_terminal(self, reading: Terminal, now_s: float) -> None:
        if isinstance(reading, RadioStatus):
            self._no_radio = reading.chip == 0
        elif isinstance(reading, P1Status):
            self._bad_crc.add(max(0, reading.bad_crc - self._last_crc) if self._p1 else 0, now_s)
            self._p1, self._last_crc = reading, reading.bad_crc

    def _bytes_damaged(self, now_s: float) -> Iterator[Condition]:
        frames, records = self._frames.total(now_s), self._records.total(now_s)
        if records and frames >= _DROPPED_LEAST and frames > _DROPPED_SHARE * (frames + records):
            says = (
                f"{frames} of {frames + records} records of the last minute came damaged: use a shorter or better cable"
            )
            yield Condition(what="link_damaged", says=says)
        resumed = self._resumed.total(now_s)
        if resumed >= _RESUMED_LEAST:
            says = f"records had to be asked for {resumed} times in the last minute: use a shorter or better cable"
            yield Condition(what="link_resumes", says=says)
        lines = self._lines.total(now_s)
        if lines >= _LINES_LEAST:
            says = f"{lines} lines to the board came damaged in the last minute: use a shorter or better cable"
            yield Condition(what="link_damaged_to_board", says=says)

    def _board_conditions(self, now_s: float) -> Iterator[Condition]:
        assert self.hello
        if self.hello.clamp_ports and self._record_s - self._window_s > WINDOWS_STALE_S:
            says = f"the board measures no current any more, though it talks: {_RESET_HELP}"
            yield Condition(what="windows_missing", says=says, grave=True)
        if self._heap_low and self.health:
            says = f"the board's memory is short ({self.health.heap_free} bytes free): use fewer terminals, or a Pico 2"
            yield Condition(what="heap_low", says=says)
        if self.hello.radio and self._no_radio:
            says = "no radio answers the board: see docs/wiring.md, or leave [radio] out"
            yield Condition(what="radio_no_chip", says=says, grave=True, logged=True)
        if self.hello.p1 and self._p1 and not self._p1.telegrams and now_s - self._hello_s > _HOLD_S / 2:
            says = (
                "the smart meter has sent no telegram yet: check the P1 cable; some ports have to be switched on first"
            )
            yield Condition(what="p1_silent", says=says, grave=True, logged=True)
        crc = self._bad_crc.total(now_s)
        if crc >= _LINES_LEAST:
            says = f"{crc} telegrams of the smart meter came damaged in the last minute: use a shorter P1 cable"
            yield Condition(what="p1_damaged", says=says, logged=True)

    def _stop(self, what: str, says: str) -> None:
        if self.link_up is not False:
            self._down = Condition(what=what, says=says, grave=True, logged=True)

    def _hold(self, condition: Condition, now_s: float) -> None:
        self._held[condition.what] = now_s, condition
