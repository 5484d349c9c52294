"""How what keeps and hands on the readings fares: sinks, ledger, the host's clock. Values that their owners fill in, and what is
wrong with them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from .fault_register import Condition

BACKLOG_S: Final = 60.0
_GATHERED_S: Final = {"tmpo": 300.0}  # the history writes blocks of 256 s; until then its cursor stays
SLOW_COMMIT_S: Final = 2.0
_HOLD_S: Final = 60.0
_RESCUE_HOLD_S: Final = 3600.0  # so that a person sees it
_MOST_REASON: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class SinkState:
    """A reader of the ledger that hands readings on."""

    up: bool
    reason: str = ""  # why it is not up, and what helps
    waiting: int = 0  # readings behind its cursor
    cursor: int = 0  # id of the last reading that it has handed on
    oldest_s: float = 0.0  # how old the oldest waiting one is
    dropped: int = 0  # readings that gave way to the ledger's limit before they were handed on


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerState:
    """The bridge's store. Any ``state`` but "ok" is a fault of its own, ``ledger_<state>``: readings can't be stored."""

    state: str = "ok"  # as the condition of a LedgerFault: "full", "read-only" ...
    reason: str = ""  # a sentence with what helps
    commit_s: float = 0.0  # what the slowest commit of the last minute took
    bytes: int = 0
    report: str = ""  # since the last look: a rescue, and what was lost in it


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockState:
    """The host's clock, and the board's against it."""

    trusted: bool = True
    reason: str = ""  # why
    warning: bool = False  # it is trusted for want of anything better
    steps: int = 0  # times that it was set by more than a second since the bridge started
    step_s: float = 0.0  # the last of them
    drift_ppm: float | None = None  # of the board's clock; None: not known yet
    held: int = 0  # readings that wait for a trustworthy time


_NOT_SET: Final = "the host's clock is not set"
_SET_IT: Final = "let it find a time server (timedatectl set-ntp true)"


class KeepingHealth:
    """Remembers the last state of each, and for how long what rose is news."""

    def __init__(self) -> None:
        self.sinks: dict[str, SinkState] = {}
        self.ledger = LedgerState()
        self.clock = ClockState()
        self._dropped_s: dict[str, float] = {}  # by sink: when that count rose
        self._stepped_s: float | None = None
        self._rescue: tuple[float, str] | None = None  # when, and what the ledger told of it

    def take_sink(self, name: str, state: SinkState, now_s: float) -> None:
        """How a sink fares."""
        before = self.sinks.get(name)
        if state.dropped > (before.dropped if before else 0):
            self._dropped_s[name] = now_s
        self.sinks[name] = state

    def take_ledger(self, state: LedgerState, now_s: float) -> None:
        """How the ledger fares."""
        if state.report:
            self._rescue = now_s, state.report
        self.ledger = state

    def take_clock(self, state: ClockState, now_s: float) -> None:
        """How the clock fares."""
        if state.steps > self.clock.steps:
            self._stepped_s = now_s
        self.clock = state

    def conditions(self, now_s: float) -> Iterator[Condition]:
        """What is wrong now."""
        for name, sink in self.sinks.items():
            yield from self._sink_conditions(name, sink, now_s)
        ledger = self.ledger
        if ledger.state != "ok":
            says = ledger.reason or f"the ledger is {ledger.state}: check the disk"
            what = f"ledger_{ledger.state.replace('-', '_')}"
            yield Condition(what=what, says=f"{says}; meanwhile the board keeps what is measured", grave=True)
        elif ledger.commit_s > SLOW_COMMIT_S:
            says = (
                f"storing takes up to {ledger.commit_s:.1f} s: the disk is slow or worn: check it, or use a better one"
            )
            yield Condition(what="ledger_slow", says=says)
        if self._rescue and now_s - self._rescue[0] < _RESCUE_HOLD_S:
            yield Condition(what="ledger_rescued", says=f"{self._rescue[1]}: check the disk")
        why = self.clock.reason or _NOT_SET
        if not self.clock.trusted:
            says = f"{why}; readings wait: {_SET_IT}"
            yield Condition(what="clock_not_trusted", says=says, grave=True, logged=True)
        elif self.clock.warning:
            yield Condition(what="clock_unsure", says=f"{why}: {_SET_IT}", logged=True)
        if self._stepped_s is not None and now_s - self._stepped_s < _HOLD_S:
            says = f"the host's clock was set by {self.clock.step_s:+.1f} s: if it goes on, check its time service"
            yield Condition(what="clock_stepped", says=says, logged=True)

    def sections(self) -> Mapping[str, object]:
        """``sinks``, ``ledger`` and ``clock``, for people."""
        ledger: dict[str, object] = {"state": self.ledger.state, "bytes": self.ledger.bytes}
        ledger |= {"commit_s": round(self.ledger.commit_s, 3)}
        if self.ledger.reason:
            ledger["reason"] = self.ledger.reason[:_MOST_REASON]
        clock: dict[str, object] = {"trusted": self.clock.trusted, "steps": self.clock.steps, "held": self.clock.held}
        clock["drift_ppm"] = None if self.clock.drift_ppm is None else round(self.clock.drift_ppm, 1)
        return {"sinks": {name: _shown(sink) for name, sink in self.sinks.items()}, "ledger": ledger, "clock": clock}

    def _sink_conditions(self, name: str, sink: SinkState, now_s: float) -> Iterator[Condition]:
        if not sink.up:
            why = sink.reason or "it can not be reached"
            says = f"{why}; {sink.waiting} readings wait: does it run? see [{name}] in the configuration"
            yield Condition(what="sink_down", of="sink", subject=name, says=says, grave=True, logged=True)
        elif sink.oldest_s > BACKLOG_S + _GATHERED_S.get(name, 0):
            says = f"{sink.waiting} readings wait, the oldest for {sink.oldest_s:.0f} s: it catches up, or takes them too slowly"
            yield Condition(what="sink_backlog", of="sink", subject=name, says=says)
        if now_s - self._dropped_s.get(name, -_HOLD_S) < _HOLD_S:
            says = f"{sink.dropped} readings gave way before they were handed on: give the ledger more room, or mend the sink"
            yield Condition(what="readings_dropped", of="sink", subject=name, says=says, grave=True)


def _shown(sink: SinkState) -> dict[str, object]:
    return {
        "up": sink.up,
        "waiting": sink.waiting,
        "cursor": sink.cursor,
        "oldest_s": round(sink.oldest_s, 1),
        "dropped": sink.dropped,
    }
