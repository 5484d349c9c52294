"""The air: who sends what and when, and what of it a receiver gets. Times are ns since the power came on.

A transmission is a row of bits at a bit rate; two at once spoil each other unless one is much louder; a jammer spoils all.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final

QUIET_DBM: Final = -112.0
"""What a receiver measures where nobody sends."""

CAPTURE_DB: Final = 8.0
"""A signal that is louder than another by this much is received as if it were alone."""

JAM_DBM: Final = -50.0
_CARRIER_KHZ: Final = 60.0
"""Carriers further apart than this are different channels to a receiver of 134 to 250 kHz that needs 180 kHz of them."""

_KEPT_NS: Final = 2_000_000_000


@dataclass(frozen=True, slots=True)
class Tuning:
    """How a sender sounds or a receiver listens: carrier and deviation in kHz, rate in bit/s."""

    carrier_khz: float
    bit_rate: float
    deviation_khz: float

    def hears(self, other: "Tuning") -> bool:
        """Whether bits of ``other`` come out: the carriers fit, the rates within 3 %, the deviations within a third."""
        return (
            self.same_channel(other)
            and abs(self.bit_rate / other.bit_rate - 1) < 0.03
            and abs(self.deviation_khz / other.deviation_khz - 1) < 0.34
        )

    def same_channel(self, other: "Tuning") -> bool:
        """Whether one disturbs the other."""
        return abs(self.carrier_khz - other.carrier_khz) < _CARRIER_KHZ


@dataclass(slots=True)
class Transmission:
    """Bytes on the air from ``start_ns`` on. ``end_ns`` is None while it goes on and nobody knows how long."""

    who: str
    tuning: Tuning
    dbm: float
    start_ns: float
    data: bytearray
    end_ns: float | None = None
    flipped: set[int] = field(default_factory=set)
    """Bits that arrive wrong (the house's loss rate)."""

    @property
    def bit_ns(self) -> float:
        """How long a bit lasts."""
        return 1e9 / self.tuning.bit_rate

    def bit(self, index: int) -> int:
        """A bit as it is received, the first is 0."""
        return self.data[index >> 3] >> (7 - (index & 7)) & 1 ^ (index in self.flipped)


@dataclass(frozen=True, slots=True)
class Frame:
    """What somebody sent, for a test to look at: from the group on, without preamble, sync byte and tail.

    ``start_s`` and ``end_s`` are those of the whole transmission; ``lost`` when the house made a bit of it wrong.
    """

    who: str
    start_s: float
    end_s: float
    frame: bytes
    lost: bool


class Air:
    """All transmissions. ``jams``: (from s, to s) with a carrier that drowns everything; ``loss``: share of frames that are
    damaged on their way to the board or from it."""

    def __init__(self, clock: Any, loss: float, jams: list[tuple[float, float]], seed: int) -> None:
        self.clock = clock
        self.random = Random(f"air {seed}")
        self.sent: list[Frame] = []
        self.loss = loss  # may be changed while it runs
        self._jams = jams
        self._recent: list[Transmission] = []
        self.on_begin: list[Callable[[Transmission], None]] = []
        self.on_end: list[Callable[[Transmission], None]] = []

    @property
    def now_ns(self) -> float:
        """Emulated time."""
        return float(self.clock.nanos)

    def begin(self, who: str, tuning: Tuning, dbm: float, data: bytes, *, whole: bool) -> Transmission:
        """Starts to send. ``whole``: it ends by itself behind ``data``; else the sender adds bytes and calls ``end``."""
        sending = Transmission(who, tuning, dbm, self.now_ns, bytearray(data))
        self._recent = [one for one in self._recent if one.end_ns is None or one.end_ns > self.now_ns - _KEPT_NS]
        self._recent.append(sending)
        if whole:
            self._lose(sending)
            sending.end_ns = sending.start_ns + 8 * len(data) * sending.bit_ns
            self.clock.create_alarm(lambda: self._ended(sending)).schedule(sending.end_ns - self.now_ns)
        for hear in self.on_begin:
            hear(sending)
        return sending

    def end(self, sending: Transmission) -> None:
        """The sender is silent from now on; a byte that it is in the middle of is cut."""
        sending.end_ns = self.now_ns
        del sending.data[int((sending.end_ns - sending.start_ns) / (8 * sending.bit_ns) + 1e-3) :]
        self._lose(sending)
        self._ended(sending)

    def _lose(self, sending: Transmission) -> None:
        sync = sending.data.find(b"\x2d")
        if 0 <= sync < len(sending.data) - 2 and self.random.random() < self.loss:
            sending.flipped.add(self.random.randrange(8 * sync, 8 * len(sending.data) - 8))

    def _ended(self, sending: Transmission) -> None:
        assert sending.end_ns is not None
        at = sending.data.find(b"\x2d") + 1
        framed = bytes(sending.data[at : at + 5 + sending.data[at + 2]]) if 0 < at < len(sending.data) - 2 else b""
        lost = bool(sending.flipped)
        self.sent.append(Frame(sending.who, sending.start_ns / 1e9, sending.end_ns / 1e9, framed, lost))
        for hear in self.on_end:
            hear(sending)

    def on_air(self, tuning: Tuning) -> list[Transmission]:
        """What is being sent now in the channel."""
        now = self.now_ns
        return [
            one for one in self._recent if (one.end_ns is None or one.end_ns > now) and tuning.same_channel(one.tuning)
        ]

    def level_dbm(self, tuning: Tuning, but: Transmission | None = None) -> float:
        """How loud it is now in the channel, without one's own transmission."""
        levels = [one.dbm for one in self.on_air(tuning) if one is not but]
        if self._jammed(self.now_ns, self.now_ns):
            levels.append(JAM_DBM)
        return max(levels, default=QUIET_DBM)

    def spoilt(self, sending: Transmission, begin_ns: float, end_ns: float) -> bool:
        """Whether something else made the bits of a transmission in this time unreadable."""
        if self._jammed(begin_ns, end_ns):
            return True
        return any(
            one is not sending
            and one.tuning.same_channel(sending.tuning)
            and one.start_ns < end_ns
            and (one.end_ns is None or one.end_ns > begin_ns)
            and one.dbm > sending.dbm - CAPTURE_DB
            for one in self._recent
        )

    def _jammed(self, begin_ns: float, end_ns: float) -> bool:
        return any(begin_ns <= end_s * 1e9 and end_ns >= start_s * 1e9 for start_s, end_s in self._jams)


class Receiver:
    """The bits behind a chip's antenna: looks for the sync word, then gives a byte each eight bits until it is stopped.

    After a frame's end it gives noise, as the chips do. ``noise_s``: mean time until noise looks like a sync word; 0: never.
    """

    def __init__(self, air: Air, noise_s: float, on_sync: Callable[[], None], on_byte: Callable[[int], None]) -> None:
        self._air = air
        self._random = air.random
        self._noise_s = noise_s
        self._on_sync, self._on_byte = on_sync, on_byte
        self._tuning = Tuning(1, 1, 1)
        self._sync: list[int] = []
        self._since_ns = 0.0
        self._source: Transmission | None = None
        self._at = 0  # bit of the source behind the last that was given
        self.searching = False
        self.filling = False
        self._alarm = air.clock.create_alarm(self._next)
        self._noise_alarm = air.clock.create_alarm(self._false_sync)
        air.on_begin.append(self._begins)

    def search(self, tuning: Tuning, sync: bytes) -> None:
        """From now on, with this sync word, in whatever is on the air already."""
        self.stop()
        self._tuning, self._since_ns = tuning, self._air.now_ns
        self._sync = [byte >> (7 - bit) & 1 for byte in sync for bit in range(8)]
        self.searching = True
        if self._noise_s:
            self._noise_alarm.schedule(self._random.expovariate(1 / self._noise_s) * 1e9)
        for sending in self._air.on_air(tuning):
            self._begins(sending)

    def stop(self) -> None:
        """Nothing comes any more."""
        self.searching = self.filling = False
        self._source = None
        self._alarm.cancel()
        self._noise_alarm.cancel()

    def _begins(self, sending: Transmission) -> None:
        # A second one while the first may still bring a sync word: the louder is followed.
        if not self.searching or not self._tuning.hears(sending.tuning) or sending.end_ns is None:
            return
        if (
            self._source is not None
            and self._source.dbm >= sending.dbm
            and (self._source.end_ns or 0) > self._air.now_ns
        ):
            return
        self._source = sending
        self._find(max(0, -int((sending.start_ns - self._since_ns) // sending.bit_ns)))

    def _find(self, first: int) -> None:
        """The next place in the source, from a bit on, where the sync word ends."""
        source, length = self._source, len(self._sync)
        assert source is not None
        bits = [source.bit(index) for index in range(8 * len(source.data))]
        for at in range(first, len(bits) - length + 1):
            end_ns = source.start_ns + (at + length) * source.bit_ns
            if bits[at : at + length] == self._sync and end_ns >= self._air.now_ns:
                self._at = at + length
                self._alarm.schedule(max(0.0, end_ns - self._air.now_ns))
                return

    def _next(self) -> None:
        if self.filling:
            self._on_byte_due()
            return
        source = self._source
        if not self.searching or source is None:
            return
        if self._air.spoilt(source, self._air.now_ns - len(self._sync) * source.bit_ns, self._air.now_ns):
            self._find(self._at - len(self._sync) + 1)
            return
        self._synced(source.bit_ns)

    def _false_sync(self) -> None:
        if self.searching:
            self._alarm.cancel()
            self._source = None
            self._synced(1e9 / self._tuning.bit_rate)

    def _synced(self, bit_ns: float) -> None:
        self.searching, self.filling = False, True
        self._noise_alarm.cancel()
        self._on_sync()
        if self.filling:
            self._alarm.schedule(8 * bit_ns)

    def _on_byte_due(self) -> None:
        source, bit_ns = self._source, 1e9 / self._tuning.bit_rate
        if source is not None:
            bit_ns = source.bit_ns
        byte = self._random.randrange(256)
        if source is not None and self._at + 8 <= 8 * len(source.data):
            if not self._air.spoilt(source, self._air.now_ns - 8 * bit_ns, self._air.now_ns):
                byte = sum(source.bit(self._at + bit) << (7 - bit) for bit in range(8))
            self._at += 8
        self._alarm.schedule(8 * bit_ns)
        self._on_byte(byte)
