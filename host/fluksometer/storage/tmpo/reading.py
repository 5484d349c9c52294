"""Values of the history across blocks, and those that are in no file yet."""

from collections.abc import Mapping
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from fluksometer.domain.history import Samples
from fluksometer.domain.tmpo import BlockName, overlapping

from .store import Series, Store

_TRIES: Final = 5


class Unwritten(Protocol):
    """What is in no file yet. It may still answer what is written meanwhile, and never lacks what is not."""

    def sensors(self) -> list[str]:
        """Ids of those of which there is anything."""
        ...

    def samples(self, sensor_id: str) -> Mapping[int, Samples]:
        """By rid; at least one value each."""
        ...


class NothingUnwritten:
    """All is in files."""

    def sensors(self) -> list[str]:
        """None."""
        return []

    def samples(self, sensor_id: str) -> Mapping[int, Samples]:
        """None."""
        return {}


class StoredHistory:
    """See domain.history.History."""

    def __init__(self, store: Store, unwritten: Unwritten | None = None) -> None:
        self._store, self._unwritten = store, unwritten or NothingUnwritten()

    def sensors(self) -> list[str]:
        """See domain.history."""
        return sorted({series.sensor_id for series in self._store.series()} | set(self._unwritten.sensors()))

    def read(
        self, sensor_id: str, start_s: int, end_s: int, *, every_s: int = 1
    ) -> list[tuple[int, NDArray[np.int64], NDArray[np.int64]]]:
        """See domain.history. Raises StateFault when a file can't be read."""
        unwritten = self._unwritten.samples(
            sensor_id
        )  # before the files: what is written meanwhile is in both, and never in none
        found = []
        for rid in self._rids(sensor_id, unwritten):
            times, values = self._series(Series(sensor_id, rid), start_s, end_s, every_s, unwritten.get(rid))
            if len(times) and times[-1] >= start_s:
                found.append((rid, times, values))
        return found

    def last(self, sensor_id: str) -> tuple[int, int, int] | None:
        """(rid, time_s, milli) of the newest value of the highest rid."""
        unwritten = self._unwritten.samples(sensor_id)
        for rid in reversed(self._rids(sensor_id, unwritten)):
            if rid in unwritten:
                times, values = unwritten[rid]
                return rid, int(times[-1]), int(values[-1])
            if tail := self._store.tail(Series(sensor_id, rid)):
                return rid, *tail
        return None

    def blocks(self, sensor_id: str) -> list[BlockName]:
        """See domain.history."""
        return sorted(
            name
            for series in self._store.series()
            if series.sensor_id == sensor_id
            for name in self._store.names(series)
        )

    def block(self, sensor_id: str, rid: int, lvl: int, bid: int) -> bytes | None:
        """See domain.history."""
        return self._store.raw(sensor_id, BlockName(rid, lvl, bid))

    def _rids(self, sensor_id: str, unwritten: Mapping[int, Samples]) -> list[int]:
        stored = {series.rid for series in self._store.series() if series.sensor_id == sensor_id}
        return sorted(stored | unwritten.keys())

    def _series(self, series: Series, start_s: int, end_s: int, every_s: int, unwritten: Samples | None) -> Samples:
        for _ in range(_TRIES):
            names = self._store.names(series)
            parts = self._stored(series, names, start_s, end_s, every_s)
            if parts is not None:
                break
        else:
            parts = []
        if unwritten is not None:
            times, values = unwritten
            first = int(np.searchsorted(times, parts[-1][0][-1], "right")) if parts else 0
            if tail := self._store.tail(series):
                first = max(first, int(np.searchsorted(times, tail[0], "right")))
            parts.append(_cut((times[first:], values[first:]), start_s, end_s))
        parts = [part for part in parts if len(part[0])]
        if not parts:
            return np.empty(0, np.int64), np.empty(0, np.int64)
        times, values = (np.concatenate([part[at] for part in parts]) for at in (0, 1))
        first = max(0, int(np.searchsorted(times, start_s)) - 1)
        return thinned((times[first:], values[first:]), every_s)

    def _stored(
        self, series: Series, names: list[BlockName], start_s: int, end_s: int, every_s: int
    ) -> list[Samples] | None:
        """Parts, ascending, from the last value before on; None when a block is gone: it became part of another one."""
        parts: list[Samples] = []
        before = [name for name in names if name.tail_s < start_s]
        for name in overlapping(names, start_s, end_s):
            block = self._store.load(series.sensor_id, name)
            if block is None and name not in self._store.names(series):
                return None
            if block:
                parts.append(thinned(_cut(block.samples, start_s, end_s), every_s))
        while before and (not parts or not len(parts[0][0]) or parts[0][0][0] >= start_s):
            block = self._store.load(series.sensor_id, before.pop())
            if block:
                parts.insert(0, (block.time_s[-1:], block.milli[-1:]))
                break
        return parts


def _cut(samples: Samples, start_s: int, end_s: int) -> Samples:
    """Those of the interval, and the one before."""
    times, values = samples
    first = max(0, int(np.searchsorted(times, start_s)) - 1)
    last = int(np.searchsorted(times, end_s, "right"))
    return times[first:last], values[first:last]


def thinned(samples: Samples, every_s: int) -> Samples:
    """The first and the last of each slot of so many seconds."""
    times, values = samples
    if every_s <= 1 or len(times) < 3:
        return samples
    changes = np.diff(times // every_s) != 0
    kept = np.concatenate([[True], changes]) | np.concatenate([changes, [True]])
    return times[kept], values[kept]
