"""The store of the history: series of blocks, each value once, no block over another."""

import threading
from array import array
from bisect import bisect_right, insort
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from operator import attrgetter
from pathlib import Path
from typing import Final, NamedTuple, TypeVar

from fluksometer.domain.tmpo import LEVELS, BlockName, begin_of, overlapping, ripe

from .codec import BadBlock, Block, decode, encode
from .tree import Key, Tree

_MERGED_AT_ONCE: Final = 64  # parents whose files are written with one sync
_begin = attrgetter("bid")
_T = TypeVar("_T")


class Series(NamedTuple):
    """Values of one sensor under one recycle id."""

    sensor_id: str
    rid: int


@dataclass(frozen=True, slots=True)
class Growth:
    """Values that a series gets, all later than what it has."""

    series: Series
    cfg: Mapping[str, object]
    samples: tuple[Sequence[int], Sequence[int]]  # seconds, thousandths


@dataclass(frozen=True, slots=True)
class Written:
    """A block that is in the store since just now."""

    sensor_id: str
    name: BlockName
    data: bytes  # gzip


class Store:
    """Blocks of all series. Methods that change something are for one thread; reading is for all."""

    def __init__(self, root: Path) -> None:
        """Of the directory ``root``, which is looked at by ``begin`` or ``look``; empty until then."""
        self._tree = Tree(root)
        self._lock = threading.Lock()
        self._names: dict[Series, list[BlockName]] = {}  # ascending
        self._sizes: dict[Key, int] = {}
        self._tails: dict[Series, tuple[int, int]] = {}  # second and value of the newest
        self._bad: dict[Key, str] = {}  # found by a reader: not set aside yet
        self._reports: list[str] = []

    def begin(self) -> None:
        """Be the only one who writes, and put it in order: what a kill has left of a compaction is finished, what is foreign or
        damaged is set aside and told by ``take_reports``. The directory is made when there is none. Raises HistoryFault."""
        self._tree.lock()
        try:
            self._put_in_order()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Give the lock back."""
        self._tree.close()

    def take_reports(self) -> list[str]:
        """What a person should know, since last asked: what was set aside or dropped."""
        taken, self._reports = self._reports, []
        return taken

    # --- reading ---

    @property
    def root(self) -> Path:
        """Its directory."""
        return self._tree.root

    @property
    def size_bytes(self) -> int:
        """Of all files."""
        with self._lock:
            return sum(self._sizes.values())

    def series(self) -> list[Series]:
        """All of which there are blocks, by sensor and rid."""
        with self._lock:
            return sorted(series for series, names in self._names.items() if names)

    def size_of(self, series: Series, name: BlockName) -> int | None:
        """Bytes of a block's file; None when there is none. Another number: it is another block."""
        with self._lock:
            return self._sizes.get(Key(series.sensor_id, name))

    def path(self, series: Series, name: BlockName) -> Path:
        """The file of a block."""
        return self._tree.root / Key(series.sensor_id, name).path

    def covered(self) -> list[Path]:
        """Files of blocks that lie under one of a higher level: of a compaction that was cut off."""
        with self._lock:
            indexed = {Key(series.sensor_id, name) for series, names in self._names.items() for name in names}
            return [self._tree.root / key.path for key in sorted(self._sizes.keys() - indexed)]

    def names(self, series: Series) -> list[BlockName]:
        """Its blocks, ascending."""
        with self._lock:
            return list(self._names.get(series, ()))

    def raw(self, sensor_id: str, name: BlockName) -> bytes | None:
        """The file of a block; None when there is none. Raises HistoryFault."""
        key = Key(sensor_id, name)
        with self._lock:
            if key not in self._sizes:
                return None
        try:
            return self._tree.read(key)
        except FileNotFoundError:  # it became part of another one, or somebody has deleted it
            if self._tree.locked:
                with self._lock:
                    self._bad[key] = "it is gone"
            else:
                self.look()
            return None

    def load(self, sensor_id: str, name: BlockName) -> Block | None:
        """A block; None when there is none, or when it is damaged. Raises HistoryFault."""
        return self.decoded(sensor_id, name, decode)

    def decoded(self, sensor_id: str, name: BlockName, decoder: Callable[[bytes, BlockName], _T]) -> _T | None:
        """The same by another decoder, which raises BadBlock."""
        data = self.raw(sensor_id, name)
        if data is None:
            return None
        try:
            return decoder(data, name)
        except BadBlock as error:
            with self._lock:
                self._bad[Key(sensor_id, name)] = str(error)
            return None

    def tail(self, series: Series) -> tuple[int, int] | None:
        """Second and value of its newest sample. Raises HistoryFault."""
        if series not in self._tails:
            for name in reversed(self.names(series)):
                if block := self.load(series.sensor_id, name):
                    self._tails[series] = int(block.time_s[-1]), int(block.milli[-1])
                    break
        return self._tails.get(series)

    def cfg(self, sensor_id: str) -> Mapping[str, object] | None:
        """What the newest block knows of a sensor. Raises HistoryFault."""
        for series in reversed(self.series()):
            names = self.names(series) if series.sensor_id == sensor_id else []
            if names and (block := self.load(sensor_id, names[-1])):
                return block.cfg
        return None

    def look(self) -> list[Path]:
        """Looks at the directory anew, as somebody who does not write it must; what is foreign in it. Raises HistoryFault."""
        scan = self._tree.scan()
        names: dict[Series, list[BlockName]] = {}
        for key in sorted(scan.sizes, key=lambda key: (key.name.bid, -key.name.lvl)):
            known = names.setdefault(Series(key.sensor_id, key.name.rid), [])
            if not known or key.name.bid > known[-1].tail_s:
                known.append(key.name)
        with self._lock:
            self._names, self._sizes = names, scan.sizes
        return scan.foreign

    # --- changing ---

    def put(self, files: Sequence[tuple[Key, bytes, Block]]) -> list[Written]:
        """Writes blocks, each with its gzip, in place of all those that they cover; they are on the disk when it returns.
        Raises HistoryFault."""
        if not files:
            return []
        self._tree.put([(key, data) for key, data, _block in files])
        gone = []
        with self._lock:
            for key, data, block in files:
                series = Series(key.sensor_id, key.name.rid)
                names = self._names.get(series, ())
                gone += [Key(series.sensor_id, one) for one in names if key.name.covers(one) and one != key.name]
                self._names[series] = [one for one in names if not key.name.covers(one)]
                insort(self._names[series], key.name, key=_begin)
                self._sizes[key] = len(data)
                newest = int(block.time_s[-1]), int(block.milli[-1])
                self._tails[series] = max(newest, self._tails.get(series, newest))
        self._tree.remove(gone)  # after a kill between, the next begin() does it
        self._forget(gone)
        return [Written(key.sensor_id, key.name, data) for key, data, _block in files]

    def append(self, growths: Iterable[Growth]) -> list[Written]:
        """Writes values, to new blocks of level 8 or to the newest block where they fall into it; they are on the disk when it
        returns. Raises HistoryFault: then all of it has to be written again."""
        blocks = [(Key(one.series.sensor_id, name), block) for one in growths for name, block in self._grown(one)]
        self.tidy()
        return self.put([(key, encode(block), block) for key, block in blocks])

    def compact(self, now_s: float) -> Iterator[list[Written]]:
        """Makes parents of children, a handful at each step, until nothing is ripe. Raises HistoryFault."""
        while True:
            due = [(series, found) for series in self.series() if (found := ripe(self.names(series), now_s))]
            if not due:
                return
            for at in range(0, len(due), _MERGED_AT_ONCE):
                yield self._merge(due[at : at + _MERGED_AT_ONCE])

    def drop_oldest(self, most_bytes: int) -> None:
        """Deletes the oldest blocks until the files take no more than this; told by ``take_reports``. Raises HistoryFault."""
        excess = self.size_bytes - most_bytes
        if excess <= 0:
            return
        gone = []
        for key in sorted(self._sizes, key=lambda key: (key.name.tail_s, key)):
            if excess <= most_bytes // -64:  # a little more, so that it is not done again at once
                break
            gone.append(key)
            excess -= self._sizes[key]
        self._tree.remove(gone)
        self._forget(gone)
        until = datetime.fromtimestamp(max(key.name.tail_s for key in gone) + 1, UTC).isoformat()
        self._reports.append(
            f"{self.root}: {len(gone)} oldest blocks dropped, up to {until}: the history may take {most_bytes >> 20} MB"
        )

    def tidy(self) -> None:
        """Sets aside what readers found damaged. Raises HistoryFault."""
        with self._lock:
            bad, self._bad = self._bad, {}
        for key, reason in bad.items():
            path = self._tree.root / key.path
            if key in self._sizes:
                if path.exists():
                    self._set_aside(path, reason)
                else:
                    self._reports.append(f"{path}: {reason}")
                self._forget([key])
                self._tails.pop(Series(key.sensor_id, key.name.rid), None)

    def _put_in_order(self) -> None:
        for path in self.look():
            self._set_aside(path, "no block of ours")
        indexed = {Key(series.sensor_id, name) for series in self.series() for name in self.names(series)}
        for key in sorted(self._sizes.keys() - indexed):
            if key in self._sizes and key.name not in self.names(Series(key.sensor_id, key.name.rid)):
                self._settle(key)
        for series in self.series():  # the newest has to be right: what comes is compared with it
            while self.names(series) and self.tail(series) is None:
                self.tidy()
        self.tidy()

    def _settle(self, child: Key) -> None:
        """A block under one of a higher level: a compaction was cut off, or somebody has put it there."""
        names = self.names(Series(child.sensor_id, child.name.rid))
        (over,) = overlapping(names, child.name.bid, child.name.tail_s)
        below, above = self.load(child.sensor_id, child.name), self.load(child.sensor_id, over)
        if above is None:  # the lower ones still have all of it
            self.tidy()
            self.look()
        elif below is not None and above.contains(below):
            self._tree.remove([child])
            self._forget([child])
        elif below is not None:
            self._set_aside(
                self._tree.root / child.path, f"not the same values as in {Key(child.sensor_id, over).path}"
            )
            self._forget([child])
        else:
            self.tidy()

    def _grown(self, growth: Growth) -> Iterator[tuple[BlockName, Block]]:
        series = growth.series
        tail = self.tail(series)
        first = (
            bisect_right(growth.samples[0], tail[0]) if tail else 0
        )  # a second that is there already stays what it is
        times, values = (array("q", part[first:]) for part in growth.samples)
        names = self.names(series)
        if names and times and times[0] <= names[-1].tail_s and (newest := self.load(series.sensor_id, names[-1])):
            inside = bisect_right(times, names[-1].tail_s)
            late = Block(growth.cfg, times[:inside], values[:inside])
            yield names[-1], Block.joined([newest, late])
            times, values = times[inside:], values[inside:]
        while times:
            name = BlockName(series.rid, LEVELS[0], begin_of(times[0], LEVELS[0]))
            inside = bisect_right(times, name.tail_s)
            yield name, Block(growth.cfg, times[:inside], values[:inside])
            times, values = times[inside:], values[inside:]

    def _merge(self, due: Sequence[tuple[Series, list[BlockName]]]) -> list[Written]:
        parents = []
        for series, names in due:
            blocks = [block for name in names if (block := self.load(series.sensor_id, name))]
            if blocks:
                parents.append((Key(series.sensor_id, names[0].parent), Block.joined(blocks)))
        self.tidy()
        return self.put([(key, encode(block), block) for key, block in parents])

    def _forget(self, keys: Iterable[Key]) -> None:
        with self._lock:
            for key in keys:
                self._sizes.pop(key, None)
                series = Series(key.sensor_id, key.name.rid)
                self._names[series] = [name for name in self._names.get(series, ()) if name != key.name]

    def _set_aside(self, path: Path, reason: str) -> None:
        to = self._tree.set_aside(path)
        self._reports.append(f"{path}: {reason}; set aside as {to}")
