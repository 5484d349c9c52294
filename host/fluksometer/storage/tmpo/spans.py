"""Stretches of a series as arrays, from as many blocks as it takes."""

import threading
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Final

import numpy as np

from fluksometer.domain.history import Samples
from fluksometer.domain.open_series import Values
from fluksometer.domain.tmpo import BlockName, overlapping

from .arrays import decode_arrays
from .faults import HistoryFault
from .store import Series, Store

_TRIES: Final = 5
_FEW: Final = 4  # blocks that are not worth a thread
_AT_ONCE: Final = 2  # blocks in memory
_QUARTER_S: Final = 900  # slots of a quarter of an hour tell those of hours, days and weeks


class Spans:
    """Reads the blocks of a store, from any thread."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._thinned = _Remembered()

    def read(self, series: Series, start_s: int, end_s: int, every_s: int, unwritten: Values | None) -> Samples:
        """As domain.history.History.read does for one series. ``unwritten``: what is in no file yet, or is there too."""
        for _ in range(_TRIES):
            names = self._store.names(series)
            parts = self._stored(series, names, start_s, end_s, every_s)
            if parts is not None:
                break
        else:
            raise HistoryFault(f"{self._store.root}: blocks come and go faster than they can be read")
        parts = [part for part in parts if len(part[0])]
        if unwritten is not None:  # without what is in the files that were read: it was written meanwhile
            times, values = (np.array(part, np.int64) for part in unwritten)
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
            if block := self._load(series, name):
                parts.insert(0, (block[0][-1:], block[1][-1:]))
                lacking = False
            else:
                unread.append(name)
        return parts if set(unread) <= set(self._store.names(series)) else None

    def _part(self, series: Series, start_s: int, end_s: int, every_s: int, name: BlockName) -> Samples | None:
        if every_s % _QUARTER_S == 0 and start_s <= name.bid and name.tail_s <= end_s:
            samples = self._quarters(series, name)
            return thinned(samples, every_s) if samples else None
        block = self._load(series, name)
        return thinned(_cut(block, start_s, end_s), every_s) if block else None

    def _quarters(self, series: Series, name: BlockName) -> Samples | None:
        """All of a block by quarters of an hour."""
        key = (series, name, self._store.size_of(series, name))
        found = self._thinned.get(key)
        if found is None and (block := self._load(series, name)):
            found = thinned(block, _QUARTER_S)
            self._thinned.put(key, found)
        return found

    def _load(self, series: Series, name: BlockName) -> Samples | None:
        return self._store.decoded(series.sensor_id, name, decode_arrays)


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
