"""The conversation with the sensor board: bytes in, events out, bytes to send. No clock and no port in here."""

from collections import deque
from collections.abc import Callable

from fluksometer.domain import wire
from fluksometer.domain.board_calibration import BoardCalibration
from fluksometer.domain.board_wishes import Wishes
from fluksometer.domain.desk import Ask
from fluksometer.domain.kept_order import KeptOrder, Verdict, judge
from fluksometer.domain.link_events import (
    BoardAtPrompt,
    BoardLogged,
    BoardSaidHello,
    BoardSilent,
    EarlierCame,
    Event,
    FramesDropped,
    HealthReported,
    LinkCounts,
    PairClosed,
    Position,
    PulsesCounted,
    RawCame,
    RecordRefused,
    RecordsLacking,
    SequenceBroke,
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
    Reading,
)
from fluksometer.shared.records import GREET

GREET_EVERY_S = 1.0
QUIET_S = 0.3  # printable bytes with nothing behind them for so long are text
SILENT_S = 10.0  # no frame for so long: the board sits at its prompt, or is not there
VOUCHED_S = 2.0  # behind a hello the board goes on well within this
_MOST_LINES = 64  # that wait to be sent
_SEQ_MOD = 1 << 32


class LinkSession:
    """One board at the other end of a link that may be opened again and again.

    Call open() when the link is there, close() when it is gone, feed() with what came, tick() when next_deadline_s()
    has passed, and send what data_to_send() answers.
    Records that come before a hello are held out: without boot id nobody knows what they mean. Kept records are taken in
    their order, none twice and none left out (docs/wire.md, "Kept records and their acknowledgement").
    """

    def __init__(
        self,
        wanted: BoardSettings,
        calibration_of: Callable[[Hello], BoardCalibration] = lambda _hello: BoardCalibration(),
        position: Position | None = None,
    ) -> None:
        """``position``: up to where the kept records of a board are stored already, from an earlier run."""
        self._wishes = Wishes(wanted, calibration_of, self.send)
        self.hello: Hello | None = None
        self.counts = LinkCounts()
        self._deframer = wire.make_deframer()
        self._outgoing: deque[bytes] = deque()
        self._sent_lines: deque[str] = deque(maxlen=8)  # a board at its prompt echoes them
        self._next_seq = 0
        self._order = KeptOrder(position)
        self._hold = False
        self._acknowledged: Position | None = None  # to the present boot, since its last hello
        self._vouched_to_s = (
            0.0  # a hello has just told the boot: what looks odd behind it is of this boot none the less
        )
        self._joining = True  # the first bytes of an opened link may be the rest of a frame
        self._greeted_s = -GREET_EVERY_S
        self._greet_at_s: float | None = None
        self._quiet_at_s: float | None = None
        self._silent_at_s: float | None = None
        self._prompt_seen = False
        self._wire_differs = False

    def open(self, now_s: float) -> None:
        """The link has just been opened: whatever was half received is gone, and the board has to say hello."""
        self._deframer = wire.make_deframer()
        self._outgoing.clear()
        self._wishes.forget()
        self._quiet_at_s, self._silent_at_s = None, now_s + SILENT_S
        self._prompt_seen = self._wire_differs = False
        self._joining = True
        self._ask_hello(now_s)

    def close(self) -> None:
        """The link is gone: nothing is asked, nobody is there and nobody is called silent until it is open again."""
        self.hello = None
        self._greet_at_s = self._wishes.at_s = self._quiet_at_s = self._silent_at_s = None
        self._outgoing.clear()

    @property
    def wanted(self) -> BoardSettings:
        """The settings that the board is asked for."""
        return self._wishes.wanted

    def send(self, ask: Ask) -> None:
        """Send the board a record; nothing while it is not known which board that is."""
        if self.hello is not None:
            layout, values = ask
            self._send(wire.line(self._next_seq, layout, *values))

    def recalibrate(self, now_s: float) -> list[Event]:
        """The calibration has changed: give the board the new one, also a board that refused what it was asked before."""
        if self.hello is None:
            return []
        return self._wishes.changed(self.hello, now_s)

    def feed(self, data: bytes, now_s: float) -> list[Event]:
        """Bytes from the board, cut anywhere. Never raises, whatever they are."""
        events: list[Event] = []
        records = self._join(data) if self._joining else self._deframer.push(data)
        for kind, seq, prev, payload in records:
            self._silent_at_s, self._prompt_seen = now_s + SILENT_S, False
            events += self._take_record(kind, seq, prev, payload, now_s)
        self._ask_for_kept(now_s)
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
        if _due(self._wishes.at_s, now_s) and self.hello:
            events += self._wishes.ask(self.hello, now_s)
        self._ask_for_kept(now_s)
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
        ask_at_s = None if self.hello is None or self.hold else self._order.ask_at_s
        times = (self._greet_at_s, self._wishes.at_s, self._quiet_at_s, self._silent_at_s, ask_at_s)
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

    def _take_record(self, kind: int, seq: int, prev: int, payload: bytes, now_s: float) -> list[Event]:
        if kind == wire.HELLO_KIND:
            return self._take_hello(prev, payload, now_s)
        if self.hello is None:
            self.counts.held_out += 1
            return []
        if seq:
            return self._take_kept(self.hello, kind, (seq, prev), payload, now_s)
        return self._take_passing(self.hello, kind, prev, payload, now_s)

    def _take_passing(self, hello: Hello, kind: int, prev: int, payload: bytes, now_s: float) -> list[Event]:
        reading = self._decode(kind, payload)
        t_us = _t_us(reading)
        if t_us is not None and self._order.is_passing_stale(t_us):
            return self._doubt_boot(0, now_s)
        if t_us is not None:
            self._order.mark(prev, t_us)
        if isinstance(reading, Health) and reading.kept_bytes and self._acknowledged == self.position is not None:
            self.send(wire.ack(self.position, resume=False))  # the board has not heard it
        lacking = self._reveal(prev, now_s)
        if isinstance(reading, PulseCount) and prev > self._order.last:
            self.counts.held_out += 1
            return lacking
        return lacking + self._tell(hello, reading)

    def _take_kept(self, hello: Hello, kind: int, number: tuple[int, int], payload: bytes, now_s: float) -> list[Event]:
        seq, prev = number
        if self.hold:
            self.counts.held_out += 1
            return []
        verdict = judge(self._order.last, prev, seq)
        if verdict is Verdict.HOLE:
            self.counts.held_out += 1
            return self._reveal(seq, now_s)
        reading = self._decode(kind, payload)
        t_us = _t_us(reading)
        vouched = now_s < self._vouched_to_s
        if verdict is Verdict.HAD:
            if not vouched and self._order.is_odd_duplicate(t_us, now_s):
                return self._doubt_boot(seq, now_s)
            self.counts.duplicates += 1
            return []
        if not vouched and t_us is not None and self._order.is_kept_stale(seq, t_us):
            return self._doubt_boot(seq, now_s)
        self._vouched_to_s = 0.0
        self._order.take(seq, t_us, now_s)
        return self._tell(hello, reading)

    def _decode(self, kind: int, payload: bytes) -> Reading | RecordRefused | UnknownKind:
        if not wire.is_known(kind):
            return UnknownKind(kind)
        try:
            reading = wire.decode(kind, payload)
            if isinstance(reading, Earlier):
                wire.decode_earlier(reading)
        except wire.RangeError as error:
            return RecordRefused(str(error))
        return reading

    def _tell(self, hello: Hello, reading: Reading | RecordRefused | UnknownKind) -> list[Event]:
        match reading:
            case UnknownKind():
                self.counts.unknown += 1
                return [reading]
            case RecordRefused():
                self.counts.refused += 1
                return [reading]
        self.counts.records += 1
        match reading:
            case ClampWindow():
                return [WindowClosed(hello, reading)]
            case PairWindow():
                return [PairClosed(hello, reading)]
            case RawCodes():
                return [RawCame(hello, reading)]
            case PulseCount():
                return [PulsesCounted(hello, reading)]
            case Health():
                return [HealthReported(hello, reading)]
            case BoardLog():
                return [BoardLogged(hello, reading)]
            case Earlier():
                return [EarlierCame(hello, reading.boot_id, wire.decode_earlier(reading))]
            case Hello():
                return []
        return [TerminalSpoke(hello, reading)]

    # --- kept records ---

    @property
    def position(self) -> Position | None:
        """The last kept record taken, its events answered; None: no board was met, and none is known from before."""
        return self._order.position

    @property
    def hold(self) -> bool:
        """While True no kept record is taken: the board keeps them until it becomes False."""
        return self._hold

    @hold.setter
    def hold(self, hold: bool) -> None:
        if self._hold and not hold and self.hello is not None:
            self._order.ask(0.0)
        self._hold = hold

    def acknowledge(self, stored: Position) -> None:
        """All up to ``stored``, a position that this session had, is stored for good: the board may forget it.

        Nothing is sent when it was said already, when the board has started anew since, or while it is not there.
        """
        position = self._order.position
        if self.hello is None or position is None or stored.boot_id != position.boot_id:
            return
        said = self._acknowledged.seq if self._acknowledged else 0
        if said < stored.seq <= position.seq and stored.t_us <= position.t_us:
            self._acknowledged = stored
            self.send(wire.ack(stored, resume=False))

    def _reveal(self, newest: int, now_s: float) -> list[Event]:
        return [RecordsLacking(self._order.last)] if self._order.reveal(newest, now_s) and not self.hold else []

    def _ask_for_kept(self, now_s: float) -> None:
        position = self._order.position
        if self.hello is None or self.hold or position is None or not _due(self._order.ask_at_s, now_s):
            return
        if self._order.in_vain:
            self._ask_hello_again(now_s)
            return
        self.counts.resumed += 1
        self._order.asked(now_s)
        self.send(wire.ack(position, resume=True))

    def _doubt_boot(self, seq: int, now_s: float) -> list[Event]:
        # A restart whose hello was lost: totals began at zero, so nothing counts until the board has said who it is.
        self.counts.held_out += 1
        self._ask_hello_again(now_s)
        return [SequenceBroke(seq)]

    # --- hello and settings ---

    def _take_hello(self, prev: int, payload: bytes, now_s: float) -> list[Event]:
        if payload and payload[0] != wire.WIRE_VERSION:
            return self._refuse_wire(payload[0])
        hello = self._decode(wire.HELLO_KIND, payload)
        if not isinstance(hello, Hello):
            self.counts.refused += 1
            return [RecordRefused(hello.reason)] if isinstance(hello, RecordRefused) else []
        new_boot = self._order.is_other_boot(hello.boot_id, hello.t_us)
        answers_greet, self._greet_at_s = self._greet_at_s is not None, None
        if new_boot:
            self._order.begin_boot(hello.boot_id)
            self._wishes.forget()
        self.hello, self._wire_differs = hello, False
        self.counts.records += 1
        events: list[Event] = [BoardSaidHello(hello, new_boot)]
        if new_boot or answers_greet:
            self._order.meet(prev, hello.t_us)
            self._order.ask(now_s)
            self._vouched_to_s, self._acknowledged = now_s + VOUCHED_S, None
        else:
            self._order.mark(prev, hello.t_us)
            events += self._reveal(prev, now_s)
        return events + self._wishes.hear(hello, now_s)

    def _refuse_wire(self, board_version: int) -> list[Event]:
        self.hello, self._greet_at_s, self._wishes.at_s = None, None, None
        if self._wire_differs:
            return []
        self._wire_differs = True
        return [WireVersionDiffers(board_version, wire.WIRE_VERSION)]

    def _ask_hello(self, now_s: float) -> None:
        self.hello, self._wishes.at_s = None, None
        self._greeted_s, self._greet_at_s = now_s, now_s + GREET_EVERY_S
        self._send(wire.line(self._next_seq, GREET))

    def _ask_hello_again(self, now_s: float) -> None:
        # Not sooner than a greet may be repeated, whatever the board sends.
        self.hello, self._wishes.at_s = None, None
        self._greet_at_s = max(now_s, self._greeted_s + GREET_EVERY_S)
        if _due(self._greet_at_s, now_s):
            self._ask_hello(now_s)

    def _send(self, line: bytes) -> None:
        if len(self._outgoing) >= _MOST_LINES:
            return  # whoever asked asks again when no answer comes
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


def _t_us(reading: Reading | RecordRefused | UnknownKind) -> int | None:
    # When the reading was made; None for what tells no moment of the present boot near that at which it was sent.
    return None if isinstance(reading, RawCodes | Earlier | RecordRefused | UnknownKind) else reading.t_us


def _due(time_s: float | None, now_s: float) -> bool:
    return time_s is not None and now_s >= time_s
