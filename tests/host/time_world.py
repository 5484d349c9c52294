"""A host, its clocks and some boards, whose true time is known: what the cases in tests/vectors/time.json play in."""

import json
from dataclasses import dataclass, field
from datetime import datetime
from math import cos, floor, pi
from random import Random

from fluksometer.domain.board_clock import WAIT_S, BoardClock, HostTime, SecondStamp
from fluksometer.domain.clock_trust import ClockFacts, ClockTrust

BOUND_S = 0.02
DELAYS = {
    "quick": lambda random, _now: random.uniform(0.001, 0.008),
    "even": lambda random, _now: random.uniform(0.001, 0.5),
    "usual": lambda random, _now: min(0.5, 0.001 + random.expovariate(1 / 0.02)),
    # the host takes what came only every four seconds' last half second
    "bursts": lambda random, now: 0.5 if now % 4 > 3 else random.uniform(0.001, 0.01),
}


@dataclass
class Board:
    """Its clock gains ``ppm`` and, by temperature, up to ``swing_ppm`` more or less within ``period_s``."""

    uid: int
    ppm: float = 0.0
    swing_ppm: float = 0.0
    period_s: float = 3600.0
    boot_id: int = 1
    start_us: int = 0
    booted_s: float = 0.0
    kept: list[tuple[int, int]] = field(default_factory=list)  # (boot id, t_us) of records nobody took

    def t_us(self, now_s: float) -> int:
        x = now_s - self.booted_s
        turn = 2 * pi / self.period_s
        swing_us = self.swing_ppm * (1 - cos(turn * x)) / turn
        return self.start_us + round(x * 1e6 + x * self.ppm + swing_us)

    def reboot(self, now_s: float, start_us: int = 0) -> None:
        self.boot_id, self.booted_s, self.start_us = self.boot_id + 7, now_s, start_us


class World:
    """Each method named as in the table is what happens; the rest looks and judges. ``now_s`` is true time since the beginning."""

    def __init__(self, case: dict) -> None:
        self.now_s, self.start_s = 0.2, int(datetime.fromisoformat(case["start"]).timestamp())
        self.random, self.delay = Random(case["name"]), DELAYS[case.get("delays", "quick")]
        self.wrong_s, self.slew_ppm = case.get("wrong_s", 0.0), 0.0  # of the wall clock
        self.host_ppm, self.host_zero_s = case.get("host_ppm", 0.0), -100.0
        self.facts = ClockFacts(synchronised=case.get("synchronised", True), battery_clock=case.get("battery", False))
        self.wait = case.get("wait", True)
        self.boards = [Board(uid=n + 1, boot_id=100 * n + 1, **one) for n, one in enumerate(case.get("boards", [{}]))]
        self.made: dict[tuple[int, int], float] = {}  # true UTC less the start
        self.seconds: dict[tuple[int, int], int] = {}  # as published first
        self.run: list[int] = []  # published since the last new beginning
        self.begun_anew = 0
        self.steps: list[float] = []
        self.left_out = 0
        self.saved: list[dict] = []
        self.taken: list[tuple[int, int]] = []
        self.clock, self.stamp, self.trust = BoardClock(), SecondStamp(), ClockTrust(wait=self.wait)
        self.use(0)

    # --- what happens ---

    def use(self, number: int) -> None:
        """Another board is plugged in; it says hello and gives what it kept."""
        self.board = self.boards[number]
        self.back()

    def live(self, seconds: float) -> None:
        """A record a second, in the first half of the true second."""
        for _ in range(int(seconds)):
            self._make()
            self._observe()
            self._replay()
            self._commit()

    def slew(self, ppm: float, seconds: float) -> None:
        """The wall clock is made faster than the truth; the cases use it from a wrong clock towards the right one too."""
        self.slew_ppm = ppm
        self.live(seconds)
        self.slew_ppm = 0.0

    def away(self, seconds: float) -> None:
        """The link is cut: the board keeps what it makes."""
        for _ in range(int(seconds)):
            self._make()

    def back(self, late_s: float | None = None) -> None:
        """The link is there: a hello, then everything that was kept."""
        self.clock.begin_boot(self.board.boot_id, self.board.uid)
        self._observe(late_s)
        self._replay()
        self._commit()

    def late(self, seconds: float) -> None:
        """Records are lost on the wire and sent again later, while the later ones pass."""
        self.away(seconds)
        for _boot, t_us in self.board.kept:
            self._tell_step(self.clock.observe(t_us, self.host()))  # even if somebody takes them for new ones
        self._replay()

    def restart(self, seconds: float, uncommitted: int = 1) -> None:
        """The bridge is killed, and starts from what it committed some commits ago."""
        state = self.saved[-1 - uncommitted]
        self.board.kept = sorted({*state["board kept"], *self.board.kept})  # what was not acknowledged
        self.away(seconds)
        self.saved, self.left_out = [], self.left_out + self.stamp.left_out
        self.clock, self.stamp = BoardClock(), SecondStamp()
        self.clock.restore(json.loads(json.dumps(state["clock"])))
        self.stamp.restore(json.loads(json.dumps(state["stamp"])))
        self.run = [second for second in self.run if state["stamp"] is not None and second <= state["stamp"]]
        self.trust = ClockTrust(wait=self.wait, newest_s=state["stamp"])
        self.back()

    def host_reboot(self, seconds: float, wrong_s: float = 0.0, synchronised: bool = False) -> None:
        """The host's clocks start anew; its wall clock is wrong."""
        self.facts = ClockFacts(synchronised=synchronised, battery_clock=self.facts.battery_clock)
        self.away(seconds)
        self.wrong_s, self.host_zero_s = wrong_s, self.now_s - 20
        self.restart(0, 0)

    def board_reboot(self, start_us: int = 0) -> None:
        """Its power was cut; what it kept came through in flash."""
        self.board.reboot(self.now_s, start_us)
        self.back()

    def suspend(self, seconds: float) -> None:
        """The host sleeps: its monotonic clock stands still, its wall clock does not. The board goes on."""
        self.away(seconds)
        self.host_zero_s += seconds
        self.back()

    def pause(self, seconds: float) -> None:
        """The host is a virtual machine that is stopped: both its clocks stand still."""
        self.wrong_s -= seconds
        self.suspend(seconds)

    def step(self, seconds: float) -> None:
        """Somebody sets the wall clock by so much."""
        self.wrong_s += seconds

    def synchronise(self) -> None:
        """NTP sets the wall clock right."""
        self.wrong_s, self.facts = 0.0, ClockFacts(synchronised=True, battery_clock=self.facts.battery_clock)

    def delays(self, name: str) -> None:
        """Another manner of delays."""
        self.delay = DELAYS[name]

    # --- what is judged ---

    def check(self, *back_s: float) -> None:
        """Moments of the present boot so long ago: mapped as the wall clock tells it now, within the bound."""
        for back in back_s:
            found_s = self.clock.utc_s(self.board.t_us(self.now_s - back))
            assert found_s is not None, f"nothing for {back} s ago"
            off_s = found_s - self.start_s - (self.now_s - back + self.wrong_s)
            assert abs(off_s) <= BOUND_S, f"{back} s ago: wrong by {off_s * 1000:.1f} ms"

    def unknown(self) -> None:
        """No time is known of the present moment."""
        assert self.clock.utc_s(self.board.t_us(self.now_s)) is None

    def published(self, count: int) -> None:
        """So many seconds, since the last new beginning."""
        assert len(self.run) == count, f"{len(self.run)} published: {self.run[:3]} to {self.run[-3:]}"

    def held(self, count: int) -> None:
        """So many records wait on the board."""
        assert len(self.board.kept) == count

    def left(self, count: int) -> None:
        """So many gauges were left out until the clock had caught up."""
        assert self.left_out + self.stamp.left_out == count, self.left_out + self.stamp.left_out

    def anew(self, count: int) -> None:
        """The seconds began anew so many times."""
        assert self.begun_anew == count

    def stepped(self, *seconds: float) -> None:
        """These steps were told since the last look, within the bound."""
        assert len(self.steps) == len(seconds), self.steps
        assert all(abs(found - right) <= BOUND_S for found, right in zip(self.steps, seconds, strict=True)), self.steps
        self.steps.clear()

    def right(self, wrong_s: float = 0.0) -> None:
        """Each published second is that in which the record was made, by a clock that is wrong by so much."""
        for record, second in self.seconds.items():
            assert second == self.start_s + floor(self.made[record] + wrong_s), (record, second - self.start_s)

    # --- the works ---

    def host(self) -> HostTime:
        mono_s = (self.now_s - self.host_zero_s) * (1 + self.host_ppm / 1e6)
        return HostTime(mono_s=mono_s, wall_s=self.start_s + self.now_s + self.wrong_s)

    def _pass(self, seconds: float) -> None:
        self.now_s += seconds
        self.wrong_s += seconds * self.slew_ppm / 1e6

    def _make(self) -> None:
        record = self.board.boot_id, self.board.t_us(self.now_s)
        self.made[record] = self.now_s
        self.board.kept.append(record)
        self._pass(floor(self.now_s) + 1 + self.random.uniform(0.1, 0.4) - self.now_s)

    def _observe(self, late_s: float | None = None) -> None:
        t_us = self.board.t_us(self.now_s)
        self._pass(self.delay(self.random, self.now_s) if late_s is None else late_s)
        self._tell_step(self.clock.observe(t_us, self.host()))

    def _tell_step(self, step_s: float) -> None:
        if step_s:
            self.steps.append(step_s)
        if step_s < -WAIT_S and self.trust.trusted:
            self._begin_anew()

    def _begin_anew(self) -> None:
        self.stamp.reset()
        self.begun_anew += 1
        self.run.clear()
        self.seconds.clear()

    def _replay(self) -> None:
        verdict = self.trust.judge(self.host(), self.facts)
        if verdict.set_back:
            self._begin_anew()
        if not verdict.trusted:
            return
        for boot_id, t_us in self.board.kept:
            present = boot_id == self.board.boot_id
            utc_s = self.clock.utc_s(t_us) if present else self.clock.earlier_utc_s(boot_id, t_us)
            second = None if utc_s is None else self.stamp.take(utc_s)
            if second is not None:
                assert not self.run or second > self.run[-1]
                self.run.append(second)
                assert self.seconds.setdefault((boot_id, t_us), second) == second, "another second than before"
        self.taken += self.board.kept
        self.board.kept = []

    def _commit(self) -> None:
        # What the bridge and the board would go on with if the bridge were killed before its next commit.
        for state in self.saved:
            state["board kept"] += self.taken
        self.taken = []
        state = {"clock": self.clock.state(), "stamp": self.stamp.state(), "board kept": list(self.board.kept)}
        self.saved = [*self.saved[-5:], state]
