"""From stored values to one for each stretch of time. A total is taken as growing evenly between two readings, a present value as
staying until the next one."""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy import float64, int64
from numpy.typing import NDArray

from .history import History

Series = list[tuple[int, NDArray[int64], NDArray[int64]]]
Bins = Sequence[tuple[int, int]]
"""Begin and end of each stretch, UTC in seconds."""
_KNOWN_LEAST: Final = 0.5  # share of a stretch that must be known
_LOOK_AHEAD_S: Final = (300, 2_592_000)


def covering(
    history: History, sensor_id: str, start_s: int, end_s: int, every_s: int, most_s: int | None = None
) -> Series:
    """What is stored of ``start_s`` to ``end_s``, with a value on either side where there is one: behind the end within ``most_s``,
    None: however far. ``every_s``: as History.read."""
    newest = history.last(sensor_id)
    if newest is None:
        return []
    rest_s = max(0, newest[1] - end_s) if most_s is None else most_s
    for ahead_s in (*(max(one, every_s) for one in _LOOK_AHEAD_S), rest_s):
        series = history.read(sensor_id, start_s, end_s + min(ahead_s, max(rest_s, every_s)), every_s=every_s)
        if ahead_s >= rest_s or any(times[-1] >= end_s for _, times, _ in series):
            break
    return series


def rates(series: Series, bins: Bins, alive_s: int, *, whole: bool = True) -> NDArray[float64]:
    """Mean growth of a total in each of ``bins`` (begin, end): thousandths of its unit per second; NaN: not known.

    ``alive_s``: the newest total still stood then. ``whole``: those that end behind the newest value are not known. Each series
    counts by itself, so that one begun anew is no fall."""
    grown, known_s = _grown(series, bins, alive_s)
    return _where_known(bins, grown / np.maximum(known_s, 1e-9), known_s, _newest(series, alive_s) if whole else None)


def growths(series: Series, bins: Bins, alive_s: int) -> NDArray[float64]:
    """As rates, but all that a total grew while it was known, in thousandths of its unit."""
    grown, known_s = _grown(series, bins, alive_s)
    return _where_known(bins, grown, known_s, None)


def _grown(series: Series, bins: Bins, alive_s: int) -> tuple[NDArray[float64], NDArray[float64]]:
    grown, known_s = _nothing(bins), _nothing(bins)
    for index, (_, times, milli) in enumerate(series):
        if index == len(series) - 1 and alive_s > times[-1]:
            times, milli = np.append(times, alive_s), np.append(milli, milli[-1])
        grown += _between(bins, times, (milli - milli[0]).astype(float64))
        known_s += _between(bins, times, (times - times[0]).astype(float64))
    return grown, known_s


def means(series: Series, bins: Bins, alive_s: int, hold_s: int, *, whole: bool = True) -> NDArray[float64]:
    """Mean of a present value in each of ``bins``, by time: thousandths of its unit; NaN: not known. A value holds until the next
    one, for ``hold_s`` at most. ``whole``: as rates."""
    total, known_s = _nothing(bins), _nothing(bins)
    for index, (_, times, milli) in enumerate(series):
        until = np.append(times[1:], max(alive_s, times[-1]) if index == len(series) - 1 else times[-1])
        held_s = np.minimum(until - times, hold_s).astype(float64)
        knots = np.column_stack(
            (times, times + held_s)
        ).ravel()  # where each value begins, and where it is no longer known
        total += _between(bins, knots, _sums(milli * held_s))
        known_s += _between(bins, knots, _sums(held_s))
    return _where_known(bins, total / np.maximum(known_s, 1e-9), known_s, _newest(series, alive_s) if whole else None)


def _nothing(bins: Bins) -> NDArray[float64]:
    return np.zeros(len(bins))


def _between(bins: Bins, times: NDArray[Any], sums: NDArray[float64]) -> NDArray[float64]:
    edges = np.asarray(bins, dtype=float64).reshape(-1, 2)
    found: NDArray[float64] = np.interp(edges[:, 1], times, sums) - np.interp(edges[:, 0], times, sums)
    return found


def _sums(pieces: NDArray[Any]) -> NDArray[float64]:
    # At the begin and at the end of each piece.
    ends = np.cumsum(pieces, dtype=float64)
    return np.column_stack((ends - pieces, ends)).ravel()


def _newest(series: Series, alive_s: int) -> int:
    return max([alive_s, *(int(times[-1]) for _, times, _ in series)]) if series else 0


def _where_known(
    bins: Bins, values: NDArray[float64], known_s: NDArray[float64], newest_s: int | None
) -> NDArray[float64]:
    edges = np.asarray(bins, dtype=float64).reshape(-1, 2)
    enough = (known_s > 0) & (known_s >= _KNOWN_LEAST * (edges[:, 1] - edges[:, 0]))
    if newest_s is not None:
        enough &= edges[:, 1] <= newest_s
    return np.where(enough, values, np.nan)
