"""Polls Modbus RTU meters: one request at a time, its answer or what was wrong with it, and the values of a whole round."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from pymodbus.framer import FramerRTU
from pymodbus.pdu import DecodePDU, ExceptionResponse
from pymodbus.pdu.register_message import ReadHoldingRegistersRequest, ReadInputRegistersRequest

from .modbus_models import Model

_DATA_MOST = 300  # the longest answer has 256
_EXCEPTIONS = {
    1: "illegal function",
    2: "illegal address",
    3: "illegal value",
    4: "device failure",
    6: "busy",
    11: "no target",
}


@dataclass(frozen=True, slots=True)
class Meter:
    """A meter on the line."""

    address: int
    model: Model
    poll_s: float
    function: str


@dataclass(frozen=True, slots=True)
class Registers:
    """A right answer."""

    values: Sequence[int]


@dataclass(frozen=True, slots=True)
class Wrong:
    """An answer that brought nothing. ``kind``: "no_answer", "bad_crc", "exception" or "bad_answer"; ``reason``: for a person."""

    kind: str
    reason: str


def request_of(meter: Meter, read: int) -> bytes:
    """The frame that asks a meter for one of its model's reads."""
    first, count = meter.model.reads[read]
    kind = ReadInputRegistersRequest if meter.model.function == 4 else ReadHoldingRegistersRequest
    return bytes(_framer().buildFrame(kind(dev_id=meter.address, address=first, count=count)))


def answer_of(meter: Meter, read: int, data: bytes) -> Registers | Wrong | None:
    """What a meter has said. None: not whole yet, or damaged. Any bytes."""
    try:
        _used, address, _tid, frame = _framer().decode(data)
        pdu: Any = DecodePDU(False).decode(frame) if frame else None
    except Exception:  # pymodbus raises several kinds for what is no answer
        return None
    if pdu is None:
        return None
    if address != meter.address:
        return Wrong("bad_answer", f"meter {address} answered in its place")
    if isinstance(pdu, ExceptionResponse):
        code = pdu.exception_code
        return Wrong("exception", f"exception {code}: {_EXCEPTIONS.get(code, 'unknown')}")
    if pdu.function_code != meter.model.function or len(pdu.registers) != meter.model.reads[read][1]:
        return Wrong("bad_answer", "the answer is not to the question")
    return Registers(pdu.registers)


def _cut(data: bytes) -> Wrong:
    return Wrong("bad_crc", "the answer is damaged") if data else Wrong("no_answer", "no answer")


def _framer() -> FramerRTU:
    return FramerRTU(DecodePDU(False))


@dataclass(slots=True)
class Poller:
    """Whose turn it is. ``due`` answers the request to send; then ``take`` and ``ended`` until the answer is there or given up."""

    meters: Sequence[Meter]
    wrong: Counter[str] = field(init=False, default_factory=Counter)  # answers by kind
    polls: int = field(init=False, default=0)
    _due_s: list[float] = field(init=False)
    _at: tuple[int, int] | None = field(init=False, default=None)  # meter and read that are being asked
    _data: bytes = field(init=False, default=b"")
    _stray: Wrong | None = field(init=False, default=None)  # came in this turn, and was no answer to it
    _answers: dict[int, Sequence[int]] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self._due_s = [0.0] * len(self.meters)

    @property
    def asking(self) -> bool:
        """A request is under way."""
        return self._at is not None

    def next_due_s(self) -> float | None:
        """When the next round of some meter begins; None: while a request is under way, or without meters."""
        return None if self.asking else min(self._due_s, default=None)

    def due(self, now_s: float) -> bytes | None:
        """The request to send now, if any."""
        if self.asking or not self.meters or min(self._due_s) > now_s:
            return None
        index = self._due_s.index(min(self._due_s))
        next_s = self._due_s[index] + self.meters[index].poll_s
        self._due_s[index] = next_s if next_s > now_s else now_s + self.meters[index].poll_s
        self._answers = {}
        self.polls += 1
        return self._ask(index, 0)

    def take(self, data: bytes) -> tuple[Meter, Registers | Wrong] | None:
        """Bytes came, cut where the line was silent: the outcome, once it is there.

        What is no answer to the question may be a late one to another: it is put aside, and the turn goes on."""
        if self._at is None:
            return None
        index, read = self._at
        self._data = (self._data + data)[-_DATA_MOST:]
        for candidate in (self._data, data):
            outcome = answer_of(self.meters[index], read, candidate)
            if isinstance(outcome, Wrong) and outcome.kind == "bad_answer":
                self._data, self._stray = b"", outcome
            elif outcome:
                return self._outcome(outcome)
        return None

    def ended(self) -> tuple[Meter, Registers | Wrong] | None:
        """Nothing more will come; None only when nothing was asked."""
        if self._at is None:
            return None
        return self._outcome(_cut(self._data) if self._data or not self._stray else self._stray)

    def _outcome(self, outcome: Registers | Wrong) -> tuple[Meter, Registers | Wrong]:
        assert self._at is not None
        index, read = self._at
        meter = self.meters[index]
        if isinstance(outcome, Wrong):
            self.wrong[outcome.kind] += 1
        else:
            self._answers[read] = outcome.values
        return meter, outcome

    def go_on(self) -> tuple[bytes | None, dict[int, Sequence[int]]]:
        """Behind an outcome: the request that comes next in this round, or None and what the round has brought."""
        assert self._at is not None
        index, read = self._at
        if read + 1 < len(self.meters[index].model.reads) and read in self._answers:
            return self._ask(index, read + 1), {}
        self._at = None
        return None, self._answers

    def give_up(self, now_s: float) -> None:
        """The board is not there: the round brings nothing, and nobody is to blame. Not before a second is over again."""
        self._at, self._data = None, b""
        self._due_s = [max(due_s, now_s + 1) for due_s in self._due_s]

    def _ask(self, index: int, read: int) -> bytes:
        self._at, self._data, self._stray = (index, read), b"", None
        return request_of(self.meters[index], read)
