"""Values of the history across blocks, and those that are in no file yet."""

import threading
from collections import OrderedDict
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from fluksometer.domain.history import Samples
from fluksometer.domain.tmpo import BlockName, overlapping

from .faults import HistoryFault
from .store import Series, Store

_TRIES: Final = 5
_FEW: Final = 4  # blocks that are not worth a thread
_AT_ONCE: Final = 2  # blocks in memory
_QUARTER_S: Final = 900  # slots of a quarter of an hour tell those of hours, days and weeks


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
        self._thinned = _Remembered()

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
            raise HistoryFault(f"{self._store.root}: blocks come and go faster than they can be read")
        parts = [part for part in parts if len(part[0])]
        if unwritten is not None:  # without what is in the files that were read: it was written meanwhile
            times, values = unwritten
            first = int(np.searchsorted(times, parts[-1][0][-1], "right")) if parts else 0
            parts += [part for part in [_cut((times[first:], values[first:]), start_s, end_s)] if len(part[0])]
        if not parts:
            return np.empty(0, np.int64), np.empty(0, np.int64)
        times, values = (np.concatenate([part[at] for part in parts]) for at in (0, 1))
        first = max(0, int(np.searchsorted(times, start_s)) - 1)
        return thinned((times[first:], values[first:]), every_s)

    def _stored(
        self, series: Series, names: list[BlockName], start_s: int, end_s: int, every_s: int
    ) -> list[Samples] | None:
        """Parts, ascending, from the last value before on; None when a block is gone: it became part of another one."""
        inside = overlapping(names, start_s, end_s)
        cut = partial(self._part, series, start_s, end_s, every_s)
        if len(inside) < _FEW:
            found = list(map(cut, inside))
        else:  # unpacking and adding up leave the other cores to others
            with ThreadPoolExecutor(_AT_ONCE) as pool:
                found = list(pool.map(cut, inside))
        parts = [samples for samples in found if samples is not None]
        before = [name for name in names if name.tail_s < start_s]
        lacking = not any(len(times) and times[0] < start_s for times, _values in parts[:1])
        unread = [name for name, samples in zip(inside, found, strict=True) if samples is None]
        while before and lacking:
            name = before.pop()
            if block := self._store.load(series.sensor_id, name):
                parts.insert(0, (block.time_s[-1:], block.milli[-1:]))
                lacking = False
            else:
                unread.append(name)
        return parts if set(unread) <= set(self._store.names(series)) else None

    def _part(self, series: Series, start_s: int, end_s: int, every_s: int, name: BlockName) -> Samples | None:
        if every_s % _QUARTER_S == 0 and start_s <= name.bid and name.tail_s <= end_s:
            samples = self._quarters(series, name)
            return thinned(samples, every_s) if samples else None
        block = self._store.load(series.sensor_id, name)
        return thinned(_cut(block.samples, start_s, end_s), every_s) if block else None

    def _quarters(self, series: Series, name: BlockName) -> Samples | None:
        """All of a block by quarters of an hour."""
        key = (series, name, self._store.size_of(series, name))
        found = self._thinned.get(key)
        if found is None and (block := self._store.load(series.sensor_id, name)):
            found = thinned(block.samples, _QUARTER_S)
            self._thinned.put(key, found)
        return found


class _Remembered:
    """What whole blocks were thinned to, lately used ones last: who looks at a year looks again. At most some 5 MB."""

    _VALUES, _EACH = 300_000, 5_000

    def __init__(self) -> None:
        self._found: OrderedDict[object, Samples] = OrderedDict()
        self._values = 0
        self._lock = threading.Lock()

    def get(self, key: object) -> Samples | None:
        with self._lock:
            if key in self._found:
                self._found.move_to_end(key)
            return self._found.get(key)

    def put(self, key: object, samples: Samples) -> None:
        if len(samples[0]) > self._EACH:
            return
        with self._lock:
            if key not in self._found:
                self._found[key] = samples
                self._values += len(samples[0])
            while self._values > self._VALUES:
                self._values -= len(self._found.popitem(last=False)[1][0])


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
    borders = np.arange(int(times[0]) // every_s + 1, int(times[-1]) // every_s + 1) * every_s
    if len(borders) > len(times):
        slots = times // every_s
        after = np.flatnonzero(np.diff(slots)) + 1
    else:
        after = np.searchsorted(times, borders)
    kept = np.unique(np.concatenate([[0, len(times) - 1], after, after - 1]))
    return times[kept], values[kept]
