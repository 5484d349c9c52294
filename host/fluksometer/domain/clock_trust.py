"""Whether the host's clock tells the time. Times and what is known of the clock come in as arguments (docs/time.md)."""

from dataclasses import dataclass
from datetime import UTC, datetime

from .board_clock import WAIT_S, HostTime

BUILT_S = 1_767_225_600  # 2026-01-01: nobody ran this before
PATIENCE_S = 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockFacts:
    """What the host knows of its clock."""

    synchronised: bool  # the kernel says so, or the time service
    battery_clock: bool  # the machine keeps the time while it is off


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """``set_back``: trust is given to a clock before seconds that were published; these were wrong, and begin anew."""

    trusted: bool
    reason: str
    warning: bool = False
    set_back: bool = False


class ClockTrust:
    """Readings are published only when the clock is trusted; until then they wait on the board."""

    def __init__(self, *, wait: bool = True, newest_s: int | None = None) -> None:
        """``wait``: for synchronisation, where no battery keeps the time; ``newest_s``: the newest second ever committed."""
        self._wait = wait
        self._newest_s = newest_s
        self._since_s: float | None = None
        self.trusted = False

    def judge(self, now: HostTime, facts: ClockFacts) -> Verdict:
        """Look at the clock once more. Trust stays, unless the clock falls before this program was built."""
        if self._since_s is None:
            self._since_s = now.mono_s
        if now.wall_s < BUILT_S:
            self.trusted = False
            return Verdict(trusted=False, reason=f"the host's clock shows {_date(now.wall_s)}: it has not been set")
        if self.trusted:
            return Verdict(trusted=True, reason="the host's clock was trusted before")
        verdict = self._first(now, facts, now.mono_s - self._since_s)
        self.trusted = verdict.trusted
        return verdict

    def _first(self, now: HostTime, facts: ClockFacts, waited_s: float) -> Verdict:
        behind = self._newest_s is not None and now.wall_s < self._newest_s - WAIT_S
        if facts.synchronised:
            return Verdict(trusted=True, reason="the host's clock is synchronised", set_back=behind)
        if not self._wait:
            return Verdict(trusted=True, reason='the host\'s clock is trusted: device.clock = "trust"', set_back=behind)
        if waited_s >= PATIENCE_S:
            reason = f"nobody has set the host's clock for {PATIENCE_S / 60:.0f} minutes: going on with what it shows"
            return Verdict(trusted=True, reason=reason, warning=True, set_back=behind)
        if behind:
            newest = _date(self._newest_s or 0)
            reason = f"the host's clock shows {_date(now.wall_s)}, but readings up to {newest} are stored"
            return Verdict(trusted=False, reason=f"{reason}: waiting for synchronisation")
        if facts.battery_clock:
            return Verdict(trusted=True, reason="the host's clock is kept by a battery")
        reason = "the host keeps no time while it is off: waiting until its clock is synchronised"
        return Verdict(trusted=False, reason=reason)


def _date(utc_s: float) -> str:
    try:
        return datetime.fromtimestamp(utc_s, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    except (ValueError, OverflowError, OSError):
        return f"{utc_s:.0f} s after 1970"
