"""Which times a request for history means: the v1.0 API of the original (manual, "Retrieving Sensor Time Series data";
flukso.md 5.2), and times as people write them."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final

RANGES: Final[Mapping[str, int]] = {
    "minute": 60,
    "15min": 900,
    "hour": 3600,
    "day": 86_400,
    "week": 604_800,
    "month": 2_419_200,  # 28 days
    "year": 31_536_000,
    "decade": 315_360_000,
    "night": 2_419_200,
}
"""Seconds of each time_range()."""
DEPTHS: Final[Mapping[str, int]] = {"minute": 1440, "15min": 672, "hour": 8760, "day": 365, "week": 520}
"""Each resolution, and how many values of it an interval has at most. (The original has no hour.)"""
_DEFAULTS: Final[Mapping[str, str]] = {
    "15min": "minute",
    "hour": "minute",
    "day": "15min",
    "week": "day",
    "month": "day",
    "night": "day",
    "year": "week",
    "decade": "week",
}
ROWS_MOST: Final = 20_160  # two weeks of minutes
NIGHT_H: Final = (2, 5)  # from and to, local time
TIME_MOST_S: Final = 1 << 33
_UNIX: Final = re.compile(r"[0-9]{1,10}")
_RELATIVE: Final = re.compile(r"now(?:-([0-9]{1,6})([smhdwy]))?")
_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800, "y": 31_536_000}
_MILLISECONDS_FROM: Final = 100_000_000_000  # so many seconds are the year 5138


class BadQuery(ValueError):
    """The text says what is wrong, and what would be right."""


@dataclass(frozen=True, slots=True)
class Span:
    """Values of ``step_s`` each: the first ends at ``start_s + step_s``, the last at ``end_s``, or before that at ``until_s``.
    ``night``: of each day the hours NIGHT_H instead, one value."""

    start_s: int
    end_s: int
    step_s: int
    night: bool = False
    until_s: int | None = None

    @property
    def rows(self) -> int:
        """How many values there are."""
        return (self.end_s - self.start_s) // self.step_s

    def bins(self, zone: tzinfo | None = None) -> list[tuple[int, int]]:
        """(begin, end) of each value, ascending. ``zone``: where night is; None: this host's."""
        if not self.night:
            ends = range(self.start_s + self.step_s, self.end_s + 1, self.step_s)
            return [(end - self.step_s, end if self.until_s is None else min(end, self.until_s)) for end in ends]
        first, last = (datetime.fromtimestamp(one, UTC).astimezone(zone) for one in (self.start_s, self.end_s))
        days = [first.date() + timedelta(days=n) for n in range((last.date() - first.date()).days + 1)]
        found = []
        for day in days:
            times = [datetime(day.year, day.month, day.day, hour) for hour in NIGHT_H]
            local = [one.replace(tzinfo=zone) if zone else one.astimezone() for one in times]
            found.append((int(local[0].timestamp()), int(local[1].timestamp())))
        return [(begin, end) for begin, end in found if self.start_s < end <= self.end_s]


def span_of(query: Mapping[str, str | None], now_s: int) -> Span:
    """What interval, start, end and resolution mean together, aligned as the original does. Raises BadQuery."""
    interval, start, end = (query.get(name) for name in ("interval", "start", "end"))
    resolution = query.get("resolution")
    if (interval is None) == (start is None):
        raise BadQuery("either interval or start is needed")
    if interval is not None and end is not None:
        raise BadQuery("end goes with start, not with interval")
    if interval is not None and interval not in RANGES:
        raise BadQuery(f"interval: one of {', '.join(RANGES)}")
    name = resolution or (_DEFAULTS.get(interval) if interval else "minute")
    if name is None:
        raise BadQuery(f"interval={interval} needs a resolution")
    if name not in DEPTHS:
        raise BadQuery(f"resolution: one of {', '.join(DEPTHS)}")
    if interval == "night" and name != "day":
        raise BadQuery("interval=night has the resolution day only")
    step_s = RANGES[name]
    if interval is not None:
        end_s = (now_s - 1) // step_s * step_s
        length_s = min(RANGES[interval], DEPTHS[name] * step_s)
        start_s = (end_s - length_s + step_s) // step_s * step_s
    else:
        start_s = _unix("start", start) // step_s * step_s
        end_s = (now_s if end is None else _unix("end", end)) // step_s * step_s
        if end_s < start_s:
            raise BadQuery("end lies before start")
    # As the original's round robin files answer: the value that is under way at the end comes too.
    return _bounded(Span(max(0, start_s), end_s + step_s, step_s, interval == "night"))


def _bounded(span: Span) -> Span:
    if span.rows > ROWS_MOST:
        raise BadQuery(f"{span.rows} values are more than {ROWS_MOST}: a coarser resolution, or a later start")
    return span


def _unix(name: str, text: str | None) -> int:
    if text is None or not _UNIX.fullmatch(text) or int(text) > TIME_MOST_S:
        raise BadQuery(f"{name}: seconds since 1970 are needed, as 1309478400")
    return int(text)


# --- times as people write them ---


def moment(text: str, now_s: float) -> int:
    """UTC in whole seconds: ISO 8601, seconds or milliseconds since 1970, ``now`` or ``now-1d`` (s, m, h, d, w, y). Raises
    BadQuery."""
    if relative := _RELATIVE.fullmatch(text):
        back_s = int(relative[1]) * _SECONDS[relative[2]] if relative[1] else 0
        return max(0, int(now_s) - back_s)
    if re.fullmatch(r"[0-9]{1,14}", text):
        number = int(text)
        return _possible(number // 1000 if number >= _MILLISECONDS_FROM else number, text)
    try:
        # A plus sign in an address means a space.
        found = datetime.fromisoformat(text.replace(" ", "+") if "T" in text else text)
        return _possible(int((found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()), text)
    except (ValueError, OverflowError):
        raise BadQuery(f"{text[:40]!r} is no time: 2026-11-22T05:30:00Z, seconds since 1970, now or now-1d") from None


def _possible(time_s: int, text: str) -> int:
    if not 0 <= time_s <= TIME_MOST_S:
        raise BadQuery(f"{text[:40]!r} lies before 1970 or too far away")
    return time_s


def plain_span(start_s: int, end_s: int, step_s: int | None) -> Span:
    """Of ``start_s`` to ``end_s``, in steps of so many seconds; None: so that a few hundred values come. Raises BadQuery."""
    if end_s <= start_s:
        raise BadQuery("to must lie behind from")
    if step_s is None:
        steps = [one for one in (60, 900, 3600, 86_400, 604_800) if (end_s - start_s) // one <= 1500]
        step_s = steps[0] if steps else 604_800
    if not 1 <= step_s <= 31_536_000:
        raise BadQuery("interval: 1 second to 1 year")
    return _bounded(Span(start_s // step_s * step_s, -(-end_s // step_s) * step_s, step_s, until_s=end_s))


def step_of(text: str) -> int:
    """Seconds of ``minute``, ``15min``, ``1h``, ``900``. Raises BadQuery."""
    if text in RANGES and text != "night":
        return RANGES[text]
    if found := re.fullmatch(r"([0-9]{1,6})(min|[smhdwy]?)", text):
        return int(found[1]) * (60 if found[2] == "min" else _SECONDS[found[2] or "s"])
    raise BadQuery(f"interval: {', '.join(DEPTHS)}, or a number with s, min, h, d or w, as 15min")
