"""Maps the board's monotonic microseconds to UTC, and UTC to the whole seconds that are published. Times come in as arguments.
How and how well: docs/time.md."""

from dataclasses import dataclass
from math import floor
from typing import Any

from .least_delay import LeastDelay
from .time_line import MOST_EARLIER_KNOTS, TimeLine

CLOCK_SET_S = 1_234_567_890  # a host clock before this (February 2009) has not been set
STEP_S = 0.05  # a change of wall clock against monotonic clock by more than this, and what follows, is a step
STEP_RATE = 0.001  # ... and by more than this since the look before: clocks are slewed by 0.0005 at most
WAIT_S = 60.0  # set back by no more than this, seconds wait until the clock has caught up; by more, they begin anew
AHEAD_US = 5_000_000  # the line is laid so far ahead at least: it must have been saved before it is used
STRIDE_US, SETTLED_STRIDE_US = 5_000_000, 10_000_000
AWAY_US = 60_000_000  # nothing came for longer: what is observed now is not put together with what was before
DISAGREE_S = 1.0  # clocks that differ by more, and by DISAGREE_RATE of the time since, did not go on at their rate
DISAGREE_RATE = 0.0002
UNSURE_S, UNSURE_RATE, UNSURE_RATE_AT_FIRST = 0.002, 4e-6, 2e-4  # of what is foreseen from a known drift, and without
HELLO_LATE_S = 0.5
MOST_EARLIER_BOOTS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class HostTime:
    """One moment on both clocks of the host, in seconds."""

    mono_s: float
    wall_s: float


class BoardClock:
    """The board's clock of the present boot and of some before it.

    What comes live (a hello, a record that was just made) is observed; whatever was ever measured can be mapped.
    """

    def __init__(self) -> None:
        self.changed = False  # state() tells something else since somebody set this to False
        self.begun = (
            0  # times that the line had to be used from a knot on which was not laid ahead, and so is not saved yet
        )
        self._boot_id: int | None = None
        self._lines: dict[int, TimeLine] = {}  # by boot id, the present one last
        self._seen: set[int] = set()  # boots observed since the bridge started: steps of its clock are theirs
        self._delays = LeastDelay()
        self._newest_us: int | None = None  # of what was observed of the present boot
        self._host: HostTime | None = None
        self._before: tuple[int, float, float | None] | None = (
            None  # where the line ended (and its drift) before it was away
        )
        self._aligning = False  # a step was measured by a single record, which may have been late

    def begin_boot(self, boot_id: int, board: int = 0) -> None:
        """The board (its unique id) said which boot this is. It is no other than before: nothing changes."""
        if boot_id == self._boot_id:
            return
        drifts = [line.drift for line in self._lines.values() if line.board == board and line.drift is not None]
        line = self._lines.pop(boot_id, None) or TimeLine(board, drifts[-1] if drifts else None)
        if self._boot_id is not None:
            del self._lines[self._boot_id].knots[:-MOST_EARLIER_KNOTS]
        self._lines[boot_id] = line
        while len(self._lines) > 1 + MOST_EARLIER_BOOTS:
            del self._lines[next(iter(self._lines))]
        self._boot_id, self._newest_us, self.changed = boot_id, None, True
        self._seen &= set(self._lines)
        self._go_on_anew()

    def observe(self, t_us: int, host: HostTime) -> float:
        """A record that was made just now, stamped ``t_us``, was received at ``host``; begin_boot() came before.

        A record older than one observed before is no news and is left alone. Answers by how many seconds the host's wall
        clock was found stepped (0.0: not).
        """
        jump_s = self._jump_s(host)
        line = self._line
        if self._newest_us is not None and t_us < self._newest_us:
            return self._step(jump_s)
        if self._newest_us is not None and t_us - self._newest_us > AWAY_US:
            self._go_on_anew()
        step_s = self._step(self._step_s(line, t_us, host, jump_s))
        self._newest_us = t_us
        self._delays.add(t_us, host.mono_s)
        if self._delays.settled:
            self._aligning, self._before = False, None
        elif self._aligning and (expected_s := line.utc_s(t_us)) is not None and host.wall_s < expected_s:
            step_s += self._step(host.wall_s - expected_s)
        self._lay(line, t_us)
        return step_s

    def utc_s(self, t_us: int) -> float | None:
        """UTC in seconds of a moment of the present boot; None before any record, and while the host's clock is not set."""
        if self._host is None or self._host.wall_s < CLOCK_SET_S or self._boot_id is None:
            return None
        return self._line.utc_s(t_us)

    def earlier_utc_s(self, boot_id: int, t_us: int) -> float | None:
        """UTC in seconds of a moment of another boot; None when nobody knows."""
        line = self._lines.get(boot_id)
        utc_s = line.utc_s(t_us) if line else None
        return utc_s if utc_s is not None and utc_s >= CLOCK_SET_S else None

    def error_s(self, t_us: int) -> float | None:
        """How wrong utc_s() may be, in seconds, as long as no delay was above half a second."""
        if self._boot_id is None or not self._line.knots:
            return None
        line = self._line
        rate = UNSURE_RATE_AT_FIRST if line.drift is None else UNSURE_RATE
        outside_s = max(line.knots[0][0] - t_us, t_us - line.end_us, 0) / 1e6
        return (0.02 if self._delays.settled else HELLO_LATE_S) + rate * outside_s

    # --- over a restart ---

    def state(self) -> dict[str, Any]:
        """All that has to be kept, as JSON: about 5 kB."""
        return {"boot": self._boot_id, "boots": [[boot_id, *line.state()] for boot_id, line in self._lines.items()]}

    def restore(self, state: Any) -> None:
        """Go on where state() was asked. ValueError: this is no such state; then nothing has changed."""
        try:
            lines = {int(boot_id): TimeLine.restored(line) for boot_id, *line in state["boots"]}
            boot_id = state["boot"]
            if boot_id is not None and boot_id != next(reversed(lines), None):
                raise ValueError("the present boot is not the last")
        except (ValueError, TypeError, KeyError, OverflowError) as error:
            raise ValueError(f"no state of the board's clock: {error}") from error
        self._lines, self._boot_id, self._newest_us, self._seen = lines, boot_id, None, set()
        self._go_on_anew()

    # --- steps ---

    @property
    def _line(self) -> TimeLine:
        assert self._boot_id is not None, "begin_boot() comes first"
        return self._lines[self._boot_id]

    def _jump_s(self, host: HostTime) -> float:
        # By how much the wall clock jumped against the monotonic one since the last look.
        before, self._host = self._host, host
        if before is None:
            return 0.0
        jump_s = (host.wall_s - host.mono_s) - (before.wall_s - before.mono_s)
        return jump_s if abs(jump_s) > STEP_S + STEP_RATE * (host.mono_s - before.mono_s) else 0.0

    def _step_s(self, line: TimeLine, t_us: int, host: HostTime, jump_s: float) -> float:
        # By how much UTC was stepped. The board is the witness: its clock goes on while the host is suspended or away.
        expected_s = line.utc_s(t_us)
        if expected_s is None:
            return jump_s
        first = self._boot_id not in self._seen  # whatever happened since the state was saved
        off_s = host.wall_s - expected_s
        slack_s = DISAGREE_S + DISAGREE_RATE * max(0.0, (t_us - line.end_us) / 1e6)
        if -slack_s <= off_s - jump_s and (not first or off_s - jump_s <= slack_s):
            return jump_s
        self._go_on_anew()
        if abs(off_s) <= slack_s:  # the monotonic clock stood still: the host was suspended, and nothing was stepped
            return 0.0
        self._aligning = True
        return off_s

    def _step(self, step_s: float) -> float:
        if step_s:
            assert self._boot_id is not None
            for boot_id in self._seen | {self._boot_id}:
                self._lines[boot_id].shift(step_s)
            if self._before:
                self._before = self._before[0], self._before[1] + step_s, self._before[2]
            self.changed = True
        return step_s

    # --- the line ---

    def _go_on_anew(self) -> None:
        # What was observed is over; until the new observations have settled, what was before says how late they may be.
        self._delays.clear()
        self._before, self._aligning = None, False
        if self._boot_id is not None and self._line.knots:
            last = self._line.knots[-1]
            self._before = last.t_us, last.utc_s, self._line.drift

    def _lay(self, line: TimeLine, t_us: int) -> None:
        assert self._boot_id is not None
        self._seen.add(self._boot_id)
        stride_us = SETTLED_STRIDE_US if self._delays.settled else STRIDE_US
        if not line.knots or line.end_us < t_us:
            line.lay(t_us, self._estimate_s(t_us), self._delays.settled)
            self.begun += 1
            self.changed = True
        while line.end_us < t_us + AHEAD_US:
            next_us = line.end_us + stride_us
            line.lay(next_us, self._estimate_s(next_us), self._delays.settled)
            self.changed = True

    def _estimate_s(self, t_us: int) -> float:
        assert self._host is not None
        utc_s = self._delays.mono_s(t_us) + (self._host.wall_s - self._host.mono_s)
        if self._before is None:
            return utc_s
        end_us, end_s, drift = self._before
        away_s = max(0.0, (t_us - end_us) / 1e6)
        expected_s = end_s + (t_us - end_us) / 1e6 * (1 + (drift or 0.0))
        unsure_s = UNSURE_S + away_s * (UNSURE_RATE_AT_FIRST if drift is None else UNSURE_RATE)
        return min(utc_s, expected_s + unsure_s) if utc_s - expected_s <= DISAGREE_S else utc_s


class SecondStamp:
    """Whole seconds for one topic, each later than the one before.

    Readings come about once a second; so that a little jitter around the full second does not cost one of them, a reading at
    most ``early_s`` before a full second may carry that second when its own is taken.
    """

    def __init__(self, early_s: float = 0.0) -> None:
        self.left_out = 0  # readings of seconds before the last one: the clock was set back, and has to catch up first
        self._early_s = early_s
        self._last: int | None = None

    def take(self, utc_s: float) -> int | None:
        """The second to publish under, or None when this topic already had it."""
        second = floor(utc_s)
        if self._last is not None and second <= self._last:
            second = floor(utc_s + self._early_s)
            if second <= self._last:
                self.left_out += second < self._last
                return None
        self._last = second
        return second

    def reset(self) -> None:
        """The clock was set back by more than WAIT_S: later seconds were wrong, so they no longer bar the right ones."""
        self._last = None

    def state(self) -> int | None:
        """The last second, for restore()."""
        return self._last

    def restore(self, state: int | None) -> None:
        """Go on behind this second."""
        self._last = state
