"""What is read of the history: across files, and what is in none yet. Loads NumPy when the first values are asked for."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol

from fluksometer.domain.open_series import Values
from fluksometer.domain.tmpo import BlockName

from .store import Series, Store

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from .spans import Spans


class Unwritten(Protocol):
    """What is in no file yet. It may still answer what is written meanwhile, and never lacks what is not."""

    def sensors(self) -> list[str]:
        """Ids of those of which there is anything."""
        ...

    def samples(self, sensor_id: str) -> Mapping[int, Values]:
        """By rid; at least one value each."""
        ...


class NothingUnwritten:
    """All is in files."""

    def sensors(self) -> list[str]:
        """None."""
        return []

    def samples(self, sensor_id: str) -> Mapping[int, Values]:
        """None."""
        return {}


class StoredHistory:
    """See domain.history.History."""

    def __init__(self, store: Store, unwritten: Unwritten | None = None) -> None:
        self._store, self._unwritten = store, unwritten or NothingUnwritten()
        self._spans: Spans | None = None

    def sensors(self) -> list[str]:
        """See domain.history."""
        return sorted({series.sensor_id for series in self._store.series()} | set(self._unwritten.sensors()))

    def read(
        self, sensor_id: str, start_s: int, end_s: int, *, every_s: int = 1
    ) -> "list[tuple[int, NDArray[np.int64], NDArray[np.int64]]]":
        """See domain.history. Raises StateFault when a file can't be read."""
        from .spans import Spans

        self._spans = spans = self._spans or Spans(self._store)
        # Before the files: what is written meanwhile is in both then, and never in none.
        unwritten = self._unwritten.samples(sensor_id)
        found = []
        for rid in self._rids(sensor_id, unwritten):
            times, values = spans.read(Series(sensor_id, rid), start_s, end_s, every_s, unwritten.get(rid))
            if len(times) and times[-1] >= start_s:
                found.append((rid, times, values))
        return found

    def last(self, sensor_id: str) -> tuple[int, int, int] | None:
        """(rid, time_s, milli) of the newest value of the highest rid."""
        unwritten = self._unwritten.samples(sensor_id)
        for rid in reversed(self._rids(sensor_id, unwritten)):
            if rid in unwritten:
                times, values = unwritten[rid]
                return rid, times[-1], values[-1]
            if tail := self._store.tail(Series(sensor_id, rid)):
                return rid, *tail
        return None

    def blocks(self, sensor_id: str) -> list[BlockName]:
        """See domain.history."""
        mine = [series for series in self._store.series() if series.sensor_id == sensor_id]
        return sorted(name for series in mine for name in self._store.names(series))

    def block(self, sensor_id: str, rid: int, lvl: int, bid: int) -> bytes | None:
        """See domain.history."""
        return self._store.raw(sensor_id, BlockName(rid, lvl, bid))

    def _rids(self, sensor_id: str, unwritten: Mapping[int, Values]) -> list[int]:
        stored = {series.rid for series in self._store.series() if series.sensor_id == sensor_id}
        return sorted(stored | unwritten.keys())
