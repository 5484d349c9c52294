"""What the board says becomes readings: the configured sensors, those that others tell, and the times of both."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import structlog

from fluksometer.adapters.clock import clock_facts, host_time
from fluksometer.calibrator import Calibrator
from fluksometer.domain.board_clock import WAIT_S, BoardClock, HostTime
from fluksometer.domain.clock_trust import ClockTrust
from fluksometer.domain.desk import Desk, Said
from fluksometer.domain.keeping_health import ClockState
from fluksometer.domain.link_events import (
    BoardLogged,
    BoardSaidHello,
    EarlierCame,
    Event,
    HealthReported,
    PairClosed,
    PulsesCounted,
    TerminalSpoke,
    WindowClosed,
)
from fluksometer.domain.points import Point
from fluksometer.domain.readings import Hello
from fluksometer.domain.sensor_bank import SensorBank
from fluksometer.domain.sensors import Sensor
from fluksometer.domain.told import ToldBook

_JUDGE_EVERY_S = 1.0
_log = structlog.get_logger("fluksometer")


@dataclass(slots=True)
class Latency:
    """From the end of a window (by the board's clock) to its publication, in seconds."""

    count: int = 0
    sum_s: float = 0.0
    max_s: float = 0.0

    def add(self, seconds: float) -> None:
        """One more window."""
        self.count += 1
        self.sum_s += seconds
        self.max_s = max(self.max_s, seconds)

    @property
    def mean_s(self) -> float:
        """Mean, 0 without any."""
        return self.sum_s / self.count if self.count else 0.0


class Intake:
    """Owns all that is counted. Its state survives the bridge; a record that comes once more changes nothing."""

    def __init__(
        self,
        sensors: Sequence[Sensor],
        calibrator: Calibrator,
        told: ToldBook,
        desks: Sequence[Desk],
        *,
        states: Mapping[str, Any],
        wait_for_clock: bool,
    ) -> None:
        """``states``: what an earlier run gave last."""
        self.bank = SensorBank(sensors)
        self.latency = Latency()
        self.recalibrated = False  # something was learned of a clamp since somebody set this to False
        self._calibrator, self._told, self._desks = calibrator, told, desks
        self._clock = BoardClock()
        self._begun_told = self._begun_saved = 0  # as BoardClock.begun
        self._gap_samples: dict[int, int] = {}  # by port: samples lost since the board's boot
        self._strange = 0  # records of earlier boots that were nothing to count
        self.clock_state = ClockState(trusted=False)
        self._received: HostTime = host_time()
        self._restore(states)
        self._newest_s: int | None = states.get("newest_s")  # the newest second that was published
        self._trust = ClockTrust(wait=wait_for_clock, newest_s=self._newest_s)
        self._judge_at_s = 0.0
        self._judge(self._received)

    @property
    def counts(self) -> dict[str, int]:
        """For the summary in the log."""
        return {"gap_samples": sum(self._gap_samples.values()), "earlier_ignored": self._strange}

    def state(self) -> dict[str, Any]:
        """By name, what has to be known after a restart, for JSON."""
        self._begun_told = self._clock.begun
        states = self.bank.state() | self._told.state()
        states |= {"clock": self._clock.state(), "newest_s": self._newest_s}
        for desk in self._desks:
            states |= desk.state()
        return states

    def saved(self) -> None:
        """What state() told last is stored for good."""
        self._begun_saved = self._begun_told
        for desk in self._desks:
            desk.saved()

    @property
    def clock_saved(self) -> bool:
        """Whether times of the board can be told so that a bridge which is killed now tells the same ones again."""
        return self._begun_saved == self._clock.begun

    def _restore(self, states: Mapping[str, Any]) -> None:
        if clock := states.get("clock"):
            try:
                self._clock.restore(clock)
            except ValueError as error:
                _log.warning("clock_state_ignored", reason=str(error), note="the board's clock is learned anew")
        self.bank.restore(states)
        self._told.restore(states)
        for desk in self._desks:
            desk.restore(states)

    def whole(self, hello: Hello | None) -> bool:
        """Whether no moment is open, of which some records have come and others not yet."""
        return hello is None or self.bank.whole(hello.pairs.bit_count())

    def recalibrate(self, hello: Hello) -> None:
        """The calibration that is known now counts."""
        self.bank.calibrations = self._calibrator.known(hello)

    @property
    def trusts_clock(self) -> bool:
        """Whether the host's clock tells the time; while it does not, the board has to keep its records. Looks once a second."""
        now = host_time()
        if not self._trust.trusted and now.mono_s >= self._judge_at_s:
            self._judge_at_s = now.mono_s + _JUDGE_EVERY_S
            self._judge(now)
        return self._trust.trusted

    def take(self, event: Event, received: HostTime) -> Iterator[Said]:
        """What is to be published of an event. ``received``: when its bytes came."""
        self._received = received
        for said in self._take(event):
            if isinstance(said, Point):
                self._newest_s = max(said.time_s, self._newest_s or 0)
            yield said

    def _take(self, event: Event) -> Iterator[Said]:
        match event:
            case BoardSaidHello(hello=hello, new_boot=new_boot):
                self._clock.begin_boot(hello.boot_id, hello.uid)
                self._observe(hello.t_us)
                if new_boot:
                    self.bank.begin_boot(hello.boot_id, hello.uid)
                self.recalibrate(hello)
            case EarlierCame(boot_id=boot_id, reading=reading):
                if not self.bank.take_earlier(boot_id, reading):
                    self._strange += 1
            case WindowClosed():
                yield from self._take_window(event)
            case PairClosed(pair=pair):
                yield from self.bank.take_pair(pair, self._utc_s(pair.t_us))
            case PulsesCounted(pulses=pulses):
                self._observe(pulses.t_us)
                edge_s = self._utc_s(pulses.edge_us)
                yield from self.bank.take_pulses(pulses, edge_s, self._utc_s(pulses.t_us))
            case HealthReported(health=health):
                self._observe(health.t_us)
            case BoardLogged(log=log):
                self._observe(log.t_us)
            case TerminalSpoke(hello=hello, reading=reading):
                self._observe(reading.t_us)
                time_s, now_s = self._utc_s(reading.t_us), host_time().mono_s
                for desk in self._desks:
                    yield from desk.take(hello, reading, time_s, now_s)

    def _take_window(self, event: WindowClosed) -> Iterator[Said]:
        hello, window = event.hello, event.window
        self._observe(window.t_us)
        self._gap_samples[window.port] = window.gap_samples
        now_s = host_time().mono_s
        self.bank.told_v = {line: v for desk in self._desks for line, v in desk.voltages(now_s).items()}
        end_s = self._utc_s(window.t_us)
        yield from self.bank.take_window(window, end_s)
        if end_s is not None:
            self.latency.add(max(0.0, host_time().wall_s - end_s))
        self.recalibrated = self._calibrator.learn(hello, window) or self.recalibrated

    def _utc_s(self, t_us: int) -> float | None:
        return self._clock.utc_s(t_us) if self._trust.trusted else None

    def _observe(self, t_us: int) -> None:
        step_s = self._clock.observe(t_us, self._received)
        if not step_s:
            return
        _log.warning("host_clock_stepped", seconds=round(step_s, 3))
        self.clock_state = replace(self.clock_state, steps=self.clock_state.steps + 1, step_s=step_s)
        if step_s < -WAIT_S and self._trust.trusted:
            self._clock_set_back()
        self._judge(self._received)

    def _judge(self, now: HostTime) -> None:
        verdict = self._trust.judge(now, clock_facts())
        before, reason = self.clock_state, "" if verdict.trusted and not verdict.warning else verdict.reason
        self.clock_state = replace(before, trusted=verdict.trusted, reason=reason, warning=verdict.warning)
        if reason and reason != before.reason:
            _log.warning(
                "host_clock", reason=reason, note="" if verdict.trusted else "the board keeps its records until then"
            )
        if verdict.set_back:
            self._clock_set_back()

    def _clock_set_back(self) -> None:
        self.bank.clock_set_back()
        self._told.clock_set_back()
