"""UTC of one boot of a board: a broken line through knots, laid ahead of time."""

from itertools import pairwise
from math import isfinite
from typing import Any, NamedTuple

MOST_KNOTS = 96
MOST_EARLIER_KNOTS = 24
DRIFT_SPAN_S = 3600.0  # the drift is that of the last hour
LEAST_DRIFT_SPAN_S = 600.0  # less says too little
DETAIL_S = 60.0  # so long every knot is kept
CHORD_S = 600.0
BEND_S = 0.001
LEAST_RATE = 0.5  # the line never falls, and never stands still
DRIFT_LIMIT = 0.001


class Knot(NamedTuple):
    """A moment on both clocks. ``sure``: laid from many observations, else it may be as late as a single one."""

    t_us: int
    utc_s: float
    sure: bool


class TimeLine:
    """Maps ``t_us`` of one boot to UTC. What is laid is never moved, but by a step of the host's clock."""

    def __init__(self, board: int, drift: float | None = None) -> None:
        """``drift``: of the board in an earlier boot, in seconds a second (UTC less board); None: not known."""
        self.board = board
        self.knots: list[Knot] = []  # both clocks rising
        self._earlier_drift = drift

    @property
    def end_us(self) -> int:
        """The board's time of the last knot; there must be one."""
        return self.knots[-1].t_us

    @property
    def drift(self) -> float | None:
        """Seconds a second that UTC gains on the board's clock; None: not known yet."""
        sure = [knot for knot in self.knots if knot.sure and knot.t_us >= self.end_us - DRIFT_SPAN_S * 1e6]
        span_s = (sure[-1].t_us - sure[0].t_us) / 1e6 if sure else 0.0
        if span_s < LEAST_DRIFT_SPAN_S:
            return self._earlier_drift
        drift = (sure[-1].utc_s - sure[0].utc_s - span_s) / span_s
        return max(-DRIFT_LIMIT, min(drift, DRIFT_LIMIT))

    def utc_s(self, t_us: int) -> float | None:
        """UTC in seconds; None while there is no knot."""
        if not self.knots:
            return None
        first, last = self.knots[0], self.knots[-1]
        if t_us >= last.t_us:
            return self._beyond(last, t_us)
        if t_us < first.t_us:
            return min(self._beyond(self._first_sure(), t_us), self._beyond(first, t_us))
        left, right = next((left, right) for right, left in pairwise(reversed(self.knots)) if left.t_us <= t_us)
        return left.utc_s + (right.utc_s - left.utc_s) * ((t_us - left.t_us) / (right.t_us - left.t_us))

    def lay(self, t_us: int, utc_s: float, sure: bool) -> None:
        """One more knot, behind the last. One that would make the line fall is put where the line still rises."""
        if self.knots:
            least_s = self.knots[-1].utc_s + LEAST_RATE * (t_us - self.end_us) / 1e6
            utc_s, sure = max(utc_s, least_s), sure and utc_s >= least_s
        self.knots.append(Knot(t_us, utc_s, sure))
        self._thin()

    def shift(self, step_s: float) -> None:
        """The host's clock was stepped: what was measured before is told by the clock as it is now."""
        self.knots = [knot._replace(utc_s=knot.utc_s + step_s) for knot in self.knots]

    def state(self) -> list[Any]:
        """As JSON, for restored()."""
        return [self.board, self.drift, [list(knot) for knot in self.knots]]

    @classmethod
    def restored(cls, state: Any) -> "TimeLine":
        """The line that state() told of. ValueError, TypeError: it is something else."""
        board, drift, knots = state
        line = cls(int(board), None if drift is None else float(drift))
        line.knots = [Knot(int(t_us), float(utc_s), bool(sure)) for t_us, utc_s, sure in knots]
        if any(left.t_us >= right.t_us or left.utc_s >= right.utc_s for left, right in pairwise(line.knots)):
            raise ValueError("knots that do not rise")
        if not all(isfinite(number) for number in (line._earlier_drift or 0.0, *(knot.utc_s for knot in line.knots))):
            raise ValueError("a number that is none")
        return line

    def _first_sure(self) -> Knot:
        return next((knot for knot in self.knots if knot.sure), self.knots[0])

    def _beyond(self, knot: Knot, t_us: int) -> float:
        return knot.utc_s + (t_us - knot.t_us) / 1e6 * (1 + (self.drift or 0.0))

    def _thin(self) -> None:
        # A knot that is old enough and lies on the line of its neighbours is left out, but for the first ones.
        if len(self.knots) > MOST_KNOTS:
            del self.knots[0]
        old = len(self.knots) - 1
        while old > 0 and self.knots[old].t_us > self.end_us - DETAIL_S * 1e6:
            old -= 1
        if old < 2 or self.knots[old - 1] == self._first_sure():
            return
        left, knot, right = self.knots[old - 2 : old + 1]
        chord_s = right.utc_s - left.utc_s
        bend_s = knot.utc_s - left.utc_s - chord_s * (knot.t_us - left.t_us) / (right.t_us - left.t_us)
        if chord_s <= CHORD_S and abs(bend_s) <= BEND_S:
            del self.knots[old - 1]
