"""A board that keeps its records as docs/wire.md says, a bridge that stores what it took, and a bad line between them.

Time is the test's own. Records are pulse records whose ``count`` tells boot and number, so that a reading names its record.
"""

from host.link_records import WANTED, hello, pulse, record

from fluksometer.domain.link_events import BoardSaidHello, PulsesCounted
from fluksometer.link_session import LinkSession
from fluksometer.shared import records
from fluksometer.shared.deframer import LineDeframer

BOOT = 1_000_000  # a reading's count is boot id x BOOT + number


class ModelBoard:
    """Keeps records until they are acknowledged."""

    def __init__(self) -> None:
        self.boot_id = 0
        self.made: dict[int, list[int]] = {}  # numbers by boot that were never merged away
        self.restart(0.0)

    def restart(self, now_s: float) -> bytes:
        """Power was lost; what it says when it is up."""
        self.boot_id, self._started_s = self.boot_id + 1, now_s
        self.store: dict[int, int] = {}  # t_us by number
        self.newest = self._sent = 0
        self.made[self.boot_id] = []
        return self.hello(now_s)

    def t_us(self, now_s: float) -> int:
        return round((now_s - self._started_s) * 1e6) + 1_000_000

    def hello(self, now_s: float) -> bytes:
        return hello(self.newest, boot_id=self.boot_id, t_us=self.t_us(now_s))

    def passing(self, now_s: float) -> bytes:
        kept_bytes = 60 * len(self.store)
        values = (self.t_us(now_s), 0, 0, 0, 0, 0, 0, 0, kept_bytes, 0)
        return record(records.HEALTH.kind, 0, records.HEALTH.pack(*values), self.newest)

    def keep(self, now_s: float) -> None:
        self.newest += 1
        self.store[self.newest] = self.t_us(now_s)
        self.made[self.boot_id].append(self.newest)

    def merge(self, place: int) -> None:
        """Room is short: a record is put together with the next one, whose number and time the sum bears."""
        waiting = sorted(self.store)
        if len(waiting) > 1:
            number = waiting[place % (len(waiting) - 1)]
            del self.store[number]
            self.made[self.boot_id].remove(number)

    def frames(self) -> list[bytes]:
        """Kept records that are to be sent now."""
        out = []
        for number in sorted(self.store):
            if number > self._sent:
                count = self.boot_id * BOOT + number
                out.append(pulse(number, count, prev=self._sent, t_us=self.store[number]))
                self._sent = number
        return out

    def hear(self, kind: int, payload: bytes, now_s: float) -> list[bytes]:
        """The answer to a record of the host."""
        if kind == records.GREET.kind:
            return [self.hello(now_s)]
        assert kind == records.ACK.kind
        boot_id, seq, resume = records.ACK.unpack(payload)
        if boot_id == self.boot_id and resume:
            self._sent = min(seq, self.newest)
        elif boot_id == self.boot_id:
            self.store = {number: t_us for number, t_us in self.store.items() if number > seq}
        return []


class World:
    """Board, line and bridge. ``loss``: share of the records, either way, that the line damages; ``twice``: that it repeats."""

    def __init__(self, rng, *, loss: float, twice: float) -> None:
        self._rng, self.loss, self.twice = rng, loss, twice
        self.now_s = 1.0
        self.board = ModelBoard()
        self.taken: list[tuple[int, int]] = []  # (boot id, number), as the bridge has them
        self._stored = (None, 0)  # position, and how many of them
        self._in_line: list[bytes] = []
        self._connect()

    def _connect(self) -> None:
        self._in_line.clear()
        self._lines = LineDeframer()
        if not hasattr(self, "session"):
            self.session = LinkSession(WANTED, position=self._stored[0])
        self.session.open(self.now_s)

    def replug(self) -> None:
        self.session.close()
        self._connect()

    def restart_bridge(self) -> None:
        """Killed: what was not stored is forgotten."""
        del self.session
        del self.taken[self._stored[1] :]
        self._connect()

    def restart_board(self, *, hello_lost: bool) -> None:
        """After 20 s, the last of which the line was good: were the bridge still asking for what was lost, and both the hello and
        the first records of the new boot lost too, nobody could tell the two boots' records apart."""
        self.wait(18.0)
        loss, self.loss = self.loss, 0.0
        self.wait(2.0)
        self.say()
        self.turn()
        self.loss = loss
        self._in_line.clear()
        self.now_s += 1.0
        said = self.board.restart(self.now_s)
        if not hello_lost:
            self._feed([said])

    def store(self) -> None:
        """The bridge's commit, and its acknowledgement."""
        self._stored = (self.session.position, len(self.taken))
        if self.session.position:
            self.session.acknowledge(self.session.position)

    def wait(self, seconds: float) -> None:
        """The line works meanwhile, and the board says something each second."""
        for tenth in range(round(seconds * 10)):
            self.now_s += 0.1
            if tenth % 10 == 0:
                self.say()
            self.turn()

    def turn(self, share: float = 1.0) -> None:
        """Some of what waits goes over the line, both ways."""
        self._in_line += self.board.frames()
        count = round(len(self._in_line) * share)
        data, self._in_line = self._in_line[:count], self._in_line[count:]
        self._feed(data)
        for event in self.session.tick(self.now_s):
            self._take(event)
        for kind, _seq, _prev, payload in self._lines.push(self.session.data_to_send()):
            if self._rng.random() >= self.loss:
                self._in_line += self.board.hear(kind, payload, self.now_s)

    def say(self) -> None:
        """A record that passes, behind all that was kept."""
        self._in_line += self.board.frames()
        self._in_line.append(self.board.passing(self.now_s))

    def _feed(self, frames: list[bytes]) -> None:
        data = bytearray()
        for one in frames:
            if self._rng.random() < self.loss:
                bad = bytearray(one)
                bad[self._rng.randrange(len(bad))] ^= self._rng.randrange(1, 256)
                one = self._rng.choice([b"", bytes(bad), one[: len(one) // 2]])
            data += one * (2 if self._rng.random() < self.twice else 1)
        for event in self.session.feed(bytes(data), self.now_s):
            self._take(event)

    def _take(self, event: object) -> None:
        if isinstance(event, PulsesCounted):
            self.taken.append(divmod(event.pulses.count, BOOT))
        elif isinstance(event, BoardSaidHello):
            known = {boot_id for boot_id, _number in self.taken}
            assert event.new_boot or not known or event.hello.boot_id >= max(known)

    def check(self, *, whole: bool) -> None:
        """Nothing twice, nothing left out, all in its order; ``whole``: and all of the present boot is there."""
        assert self.taken == sorted(set(self.taken))
        for boot_id, made in self.board.made.items():
            taken = {number for boot, number in self.taken if boot == boot_id}
            last = max(taken, default=0) if not (whole and boot_id == self.board.boot_id) else self.board.newest
            lost = {number for number in made if number <= last} - taken
            assert not lost, f"boot {boot_id}: lost {sorted(lost)}"
