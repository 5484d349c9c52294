"""The line below all observations of one clock by another: delays only ever add, so the least of them tell the truth."""

from collections import deque
from collections.abc import Sequence
from itertools import pairwise

WINDOW_S = 1200.0  # temperature bends the line: by 1.5 ms within this time at 0.5 ppm a minute
BUCKET_S = 10.0  # of each such span the least observation is kept
LOST_S = 0.6  # a delay longer than any: the observed clock stood still, or the observer was asleep for long
SETTLED_S = 10.0
SETTLED_COUNT = 50
SLOPE_LIMIT = 0.0003  # two crystals differ by 0.0002 at most

Point = tuple[float, float]


class LeastDelay:
    """When, by the host's monotonic clock, the board's clock showed a given time.

    Observations are the points (board time, host time - board time). The answer is the straight line below all of them that
    comes nearest to them: the side of their lower convex hull at the mean of their times (Moon, Skelly, Towsley: Estimation
    and removal of clock skew from network delay measurements, INFOCOM 1999).
    """

    def __init__(self) -> None:
        self._zero: tuple[int, float] | None = None  # board us, host s: numbers stay small and exact around it
        self._points: deque[Point] = deque()  # the least of each bucket
        self._count = 0
        self._late_since_s: float | None = None  # by the host: since then all were later than LOST_S
        self._line: tuple[Point, float] | None = None

    def clear(self) -> None:
        """Begin anew."""
        self.__init__()  # type: ignore[misc]

    @property
    def settled(self) -> bool:
        """Whether there were so many observations that the least has hardly any delay."""
        return self._count >= SETTLED_COUNT and self._points[-1][0] >= SETTLED_S

    def add(self, t_us: int, mono_s: float) -> None:
        """The board's time ``t_us``, not before that of the last call, came to the host at ``mono_s``."""
        if self._zero is None:
            self._zero = t_us, mono_s
        x_s = (t_us - self._zero[0]) / 1e6
        y_s = mono_s - self._zero[1] - x_s
        if self._count and y_s > self._at(x_s) + LOST_S:
            self._late_since_s = mono_s if self._late_since_s is None else self._late_since_s
            if mono_s > self._late_since_s + BUCKET_S:  # nothing else for so long: the board's clock stood still
                self.clear()
                self.add(t_us, mono_s)
            return
        self._late_since_s = None
        self._count += 1
        if not self._points or self._points[-1][0] // BUCKET_S != x_s // BUCKET_S:
            self._points.append((x_s, y_s))
        elif y_s < self._points[-1][1]:
            self._points[-1] = x_s, y_s
        else:
            return
        while self._points[0][0] < x_s - WINDOW_S:
            self._points.popleft()
        self._line = None

    def mono_s(self, t_us: int) -> float:
        """The host's time when the board's clock shows ``t_us``; there must have been an observation."""
        assert self._zero is not None
        x_s = (t_us - self._zero[0]) / 1e6
        return self._zero[1] + x_s + self._at(x_s)

    def _at(self, x_s: float) -> float:
        if self._line is None:
            self._line = lower_line(self._points)
        (x0_s, y0_s), slope = self._line
        return y0_s + slope * (x_s - x0_s)


def lower_line(points: Sequence[Point]) -> tuple[Point, float]:
    """The line below ``points`` (x rising) with the least mean distance to them: a point of it, and its slope.

    Of less than three points it is level, for two say too little of a slope.
    """
    if len(points) < 3:
        return min(points, key=lambda point: point[1]), 0.0
    hull: list[Point] = []
    for point in points:
        while len(hull) >= 2 and _slope(hull[-2], hull[-1]) >= _slope(hull[-2], point):
            hull.pop()
        hull.append(point)
    mean_s = sum(x for x, _ in points) / len(points)
    left, right = next((left, right) for left, right in pairwise(hull) if right[0] >= mean_s)
    slope = _slope(left, right)
    if abs(slope) <= SLOPE_LIMIT:
        return left, slope
    slope = max(-SLOPE_LIMIT, min(slope, SLOPE_LIMIT))
    return min(points, key=lambda point: point[1] - slope * point[0]), slope


def _slope(left: Point, right: Point) -> float:
    return (right[1] - left[1]) / (right[0] - left[0])
