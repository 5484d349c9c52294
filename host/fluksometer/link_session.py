"""The conversation with the sensor board: bytes in, events out, bytes to send. No clock and no port in here."""

from collections import deque
from collections.abc import Callable
from dataclasses import fields

from fluksometer.domain import wire
from fluksometer.domain.board_calibration import BoardCalibration
from fluksometer.domain.desk import Ask
from fluksometer.domain.link_events import (
    BoardAtPrompt,
    BoardLogged,
    BoardSaidHello,
    BoardSilent,
    Event,
    FramesDropped,
    HealthReported,
    LinkCounts,
    PairClosed,
    PulsesCounted,
    RawCame,
    RecordRefused,
    RecordsMissed,
    SequenceBroke,
    SettingsRefused,
    TerminalSpoke,
    TextSeen,
    UnknownKind,
    WindowClosed,
    WireVersionDiffers,
)
from fluksometer.domain.readings import (
    BoardLog,
    BoardSettings,
    ClampWindow,
    Earlier,
    Health,
    Hello,
    PairWindow,
    PulseCount,
    RawCodes,
)

GREET_EVERY_S = 2.0
ANSWER_S = 2.0  # the board answers settings or a calibration with a hello well within this
TABLE_ANSWER_S = 6.0  # ... and a linearity table, which has 7 kB
TRIES = 3
QUIET_S = 0.3  # printable bytes with nothing behind them for so long are text
SILENT_S = 10.0  # no frame for so long: the board sits at its prompt, or is not there
RESTART_FELL_US = 10_000_000  # a record stamped so long before others that came earlier is of another boot
CLOCK_FELL_US = 1_000_000  # records may be stamped a little before one that was sent earlier, but not by so much
_SEQ_MOD = 1 << 32
_SETTINGS, _CALIBRATION, _TABLE, _CONTENT = range(4)  # what the board lacks


class LinkSession:
    """One board at the other end of a link that may be opened again and again.

    Call open() when the link is there, close() when it is gone, feed() with what came, tick() when next_deadline_s()
    has passed, and send what data_to_send() answers.
    Records that come before a hello are held out: without boot id and rate nobody knows what they mean.
    """

    def __init__(
        self,
        wanted: BoardSettings,
        calibration_of: Callable[[Hello], BoardCalibration] = lambda _hello: BoardCalibration(),
    ) -> None:
        self.wanted = wanted
        self._calibration_of = calibration_of
        self.hello: Hello | None = None
        self.counts = LinkCounts()
        self._deframer = wire.make_deframer()
        self._outgoing: deque[bytes] = deque()
        self._sent_lines: deque[str] = deque(maxlen=8)  # a board at its prompt echoes them
        self._next_seq = 0
        self._boot_id: int | None = None
        self._latest_t_us = 0  # the board's clock, as far as it was seen in this boot
        self._joining = True  # the first bytes of an opened link may be the rest of a frame
        self._expected_seq: int | None = None
        self._greet_at_s: float | None = None
        self._wish_at_s: float | None = None  # ask again when no hello came until then
        self._wish_tries = 0
        self._wish_stage = _SETTINGS  # of the last ask
        self._wish_why = ""  # what is wrong with the answer to it
        self._quiet_at_s: float | None = None
        self._silent_at_s: float | None = None
        self._prompt_seen = False
        self._wire_differs = False

    def open(self, now_s: float) -> None:
        """The link has just been opened: whatever was half received is gone, and the board has to say hello."""
        self._deframer = wire.make_deframer()
        self._outgoing.clear()
        self._forget_wish()
        self._quiet_at_s, self._silent_at_s = None, now_s + SILENT_S
        self._prompt_seen = self._wire_differs = False
        self._joining = True
        self._ask_hello(now_s)

    def close(self) -> None:
        """The link is gone: nothing is asked, nobody is there and nobody is called silent until it is open again."""
        self.hello = None
        self._greet_at_s = self._wish_at_s = self._quiet_at_s = self._silent_at_s = None
        self._outgoing.clear()

    def send(self, ask: Ask) -> None:
        """Send the board a record; nothing while it is not known which board that is."""
        if self.hello is not None:
            layout, values = ask
            self._send(wire.line(self._next_seq, layout, *values))

    def recalibrate(self, now_s: float) -> list[Event]:
        """The calibration has changed: give the board the new one, also a board that refused what it was asked before."""
        if self.hello is None:
            return []
        if self._wish_at_s is None:
            self._forget_wish()
        return self._wish(self.hello, now_s)

    def feed(self, data: bytes, now_s: float) -> list[Event]:
        """Bytes from the board, cut anywhere. Never raises, whatever they are."""
        events: list[Event] = []
        records = self._join(data) if self._joining else self._deframer.push(data)
        for kind, seq, _prev, payload in records:
            self._silent_at_s, self._prompt_seen = now_s + SILENT_S, False
            events += self._take_record(kind, seq, payload, now_s)
        if self._deframer.dropped:
            self.counts.dropped += self._deframer.dropped
            events.append(FramesDropped(self._deframer.dropped))
            self._deframer.dropped = 0
        self._quiet_at_s = now_s + QUIET_S
        return events + self._take_text()

    def tick(self, now_s: float) -> list[Event]:
        """Time has passed."""
        events: list[Event] = []
        if _due(self._quiet_at_s, now_s):
            self._quiet_at_s = None
            self._deframer.flush_text()
            events += self._take_text()
        if _due(self._greet_at_s, now_s):
            self._ask_hello(now_s)
        if _due(self._wish_at_s, now_s) and self.hello:
            events += self._ask(self.hello, now_s)
        if _due(self._silent_at_s, now_s):
            self._silent_at_s = None
            events.append(BoardAtPrompt() if self._prompt_seen else BoardSilent(SILENT_S))
        return events

    def data_to_send(self) -> bytes:
        """Bytes for the board, taken off the queue. They never contain 0x03: Ctrl-C belongs to the maker."""
        data = b"".join(self._outgoing)
        self._outgoing.clear()
        return data

    def next_deadline_s(self) -> float | None:
        """When tick() wants to be called; None: only after the next bytes."""
        times = (self._greet_at_s, self._wish_at_s, self._quiet_at_s, self._silent_at_s)
        return min((time_s for time_s in times if time_s is not None), default=None)

    # --- records ---

    def _join(self, data: bytes) -> list[tuple[int, int, int, bytes]]:
        # Up to the first zero byte: a frame cut by the opening of the link is nobody's fault, and not counted.
        end = data.find(0) + 1
        if not end:
            return self._deframer.push(data)
        self._joining = False
        records = self._deframer.push(data[:end])
        if self._deframer.dropped:
            self._deframer.dropped = 0
            self._deframer.take_text()
        return records + self._deframer.push(data[end:])

    def _take_record(self, kind: int, seq: int, payload: bytes, now_s: float) -> list[Event]:
        if kind == wire.HELLO_KIND:
            return self._take_hello(seq, payload, now_s)
        if self.hello is None:
            self.counts.held_out += 1
            return []
        missed = self._missed_before(seq)
        if missed is None:
            return self._out_of_order(seq, now_s)
        events: list[Event] = [RecordsMissed(missed)] if missed else []
        return events + self._decode(kind, seq, payload, now_s)

    def _is_old(self, seq: int) -> bool:
        return self._expected_seq is not None and (seq - self._expected_seq) % _SEQ_MOD >= _SEQ_MOD // 2

    def _missed_before(self, seq: int) -> int | None:
        # None: not after the last one.
        if self._is_old(seq):
            return None
        missed = 0 if self._expected_seq is None else (seq - self._expected_seq) % _SEQ_MOD
        self._expected_seq = (seq + 1) % _SEQ_MOD
        self.counts.missed += missed
        return missed

    def _out_of_order(self, seq: int, now_s: float) -> list[Event]:
        if self._expected_seq is not None and (seq + 1) % _SEQ_MOD == self._expected_seq:
            self.counts.duplicates += 1
            return []
        # The board has started anew and its hello was lost: nothing counts until it has said who it is.
        self.counts.held_out += 1
        self._ask_hello(now_s)
        return [SequenceBroke(seq)]

    def _decode(self, kind: int, seq: int, payload: bytes, now_s: float) -> list[Event]:
        if not wire.is_known(kind):
            self.counts.unknown += 1
            return [UnknownKind(kind)]
        assert self.hello is not None
        try:
            reading = wire.decode(kind, payload)
        except wire.RangeError as error:
            self.counts.refused += 1
            return [RecordRefused(str(error))]
        if isinstance(reading, Earlier):
            return []
        if reading.t_us + RESTART_FELL_US < self._latest_t_us and not isinstance(reading, RawCodes):
            # A restart that no sequence number told of: its counters began at zero, so nothing counts before its hello.
            self.counts.held_out += 1
            self._ask_hello(now_s)
            return [SequenceBroke(seq)]
        self.counts.records += 1
        self._latest_t_us = max(self._latest_t_us, reading.t_us)
        match reading:
            case ClampWindow():
                return [WindowClosed(self.hello, reading)]
            case PairWindow():
                return [PairClosed(self.hello, reading)]
            case RawCodes():
                return [RawCame(self.hello, reading)]
            case PulseCount():
                return [PulsesCounted(self.hello, reading)]
            case Health():
                return [HealthReported(self.hello, reading)]
            case BoardLog():
                return [BoardLogged(self.hello, reading)]
            case Hello():
                return []
        return [TerminalSpoke(self.hello, reading)]

    # --- hello and settings ---

    def _take_hello(self, seq: int, payload: bytes, now_s: float) -> list[Event]:
        if payload and payload[0] != wire.WIRE_VERSION:
            return self._refuse_wire(payload[0])
        try:
            hello = wire.decode(wire.HELLO_KIND, payload)
        except wire.RangeError as error:
            self.counts.refused += 1
            return [RecordRefused(str(error))]
        assert isinstance(hello, Hello)
        # Clock and sequence number that fell are a new boot too, should two boots ever draw the same number.
        fell = hello.t_us + CLOCK_FELL_US < self._latest_t_us and self._is_old(seq)
        new_boot = hello.boot_id != self._boot_id or fell
        if new_boot:
            self._boot_id, self._expected_seq = hello.boot_id, None
            self._forget_wish()
        self._latest_t_us = hello.t_us
        missed = self._missed_before(seq)
        if missed is None:  # the same boot, yet an older number: go on from here
            missed, self._expected_seq = 0, (seq + 1) % _SEQ_MOD
        self.hello, self._greet_at_s, self._wire_differs = hello, None, False
        self.counts.records += 1
        events: list[Event] = [RecordsMissed(missed)] if missed else []
        events.append(BoardSaidHello(hello, new_boot))
        return events + self._wish(hello, now_s)

    # What the board still lacks is asked for one thing after the other: settings first, as a change of them starts the
    # sampling anew, then the calibration, then the linearity table.
    def _wish(self, hello: Hello, now_s: float) -> list[Event]:
        stage, self._wish_why = self._shortfall(hello)
        if stage == _CONTENT:
            self._forget_wish()
            return []
        if stage != self._wish_stage:
            self._wish_tries = 0
        elif self._wish_at_s is not None and not _due(self._wish_at_s, now_s):
            return []  # asked already, and this may be the answer to an earlier question: give it its time
        return self._ask(hello, now_s)

    def _forget_wish(self) -> None:
        self._wish_at_s, self._wish_tries, self._wish_stage = None, 0, _SETTINGS

    def _shortfall(self, hello: Hello) -> tuple[int, str]:
        if hello.settings != self.wanted:
            return _SETTINGS, _differences(self.wanted, hello.settings)
        calibration = self._calibration_of(hello)
        if calibration.rest_differs(hello):
            return _CALIBRATION, "the calibration in force is another one"
        if calibration.table_differs(hello):
            return _TABLE, "the linearity table in force is another one"
        return _CONTENT, ""

    def _refuse_wire(self, board_version: int) -> list[Event]:
        self.hello, self._greet_at_s, self._wish_at_s = None, None, None
        if self._wire_differs:
            return []
        self._wire_differs = True
        return [WireVersionDiffers(board_version, wire.WIRE_VERSION)]

    def _ask_hello(self, now_s: float) -> None:
        self.hello, self._wish_at_s = None, None
        self._greet_at_s = now_s + GREET_EVERY_S
        self._send(wire.greet_line(self._next_seq))

    def _ask(self, hello: Hello, now_s: float) -> list[Event]:
        stage, _why = self._shortfall(hello)
        if stage == _CONTENT:  # what was asked for has been taken back meanwhile
            self._forget_wish()
            return []
        if self._wish_tries >= TRIES:
            first_time = self._wish_tries == TRIES
            self._wish_tries += 1
            self._wish_at_s = None
            return [SettingsRefused(self._wish_why)] if first_time else []
        self._wish_tries += 1
        self._wish_why = "no answer"
        self._wish_stage = stage
        self._wish_at_s = now_s + (TABLE_ANSWER_S if self._wish_stage == _TABLE else ANSWER_S)
        calibration = self._calibration_of(hello)
        if self._wish_stage == _SETTINGS:
            self._send(wire.settings_line(self._next_seq, self.wanted))
        elif self._wish_stage == _CALIBRATION:
            self._send(wire.calibration_line(self._next_seq, calibration))
        else:
            for first in wire.table_pieces():
                self._send(wire.table_line(self._next_seq, calibration, first))
        return []

    def _send(self, line: bytes) -> None:
        self._next_seq = (self._next_seq + 1) % _SEQ_MOD
        self._sent_lines.append(line.decode().strip())
        self._outgoing.append(line)

    # --- text ---

    def _take_text(self) -> list[Event]:
        lines = b"\n".join(self._deframer.take_text()).decode("ascii", "replace").replace("\r", "\n").split("\n")
        events: list[Event] = []
        for line in lines:
            self._prompt_seen = self._prompt_seen or line.startswith(">>>")
            said = line.removeprefix(">>>").strip()
            if said and said not in self._sent_lines:
                events.append(TextSeen(line.rstrip()))
        return events


def _due(time_s: float | None, now_s: float) -> bool:
    return time_s is not None and now_s >= time_s


def _differences(wanted: BoardSettings, real: BoardSettings) -> str:
    pairs = ((field.name, getattr(wanted, field.name), getattr(real, field.name)) for field in fields(BoardSettings))
    return ", ".join(f"{name} is {is_now}, not {want}" for name, want, is_now in pairs if want != is_now)
