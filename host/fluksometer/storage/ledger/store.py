"""The ledger itself: what is committed together, and what is read of it."""

import json
import sqlite3
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from fluksometer.domain.link_events import Position
from fluksometer.domain.points import Point

from . import tables
from .blocks import Channel, DamagedBlock, channel_of, count_points, pack, unpack
from .conditions import DamagedRow, LedgerReport, fault_of
from .file import LedgerFile
from .tables import Contents

_TRIMMED_MOST = 5000  # blocks that one commit takes away
_DROPPED_AT_ONCE = 1000  # blocks that one step of trim takes away
_LEAST_BYTES = 1 << 20


class Ledger:
    """Position, states, cursors and unsent points in one SQLite file; safe to use from several threads.

    Writing (commit, trim, forget_sink) takes turns on one connection, reading on another: a read never waits for
    the disk of a commit. A method that raises LedgerFault has done nothing, and may be called again.
    """

    def __init__(self, file: LedgerFile) -> None:
        self._file = file
        self._writing = threading.RLock()
        self._keep(file.start())
        self._read_channels: dict[int, Channel] = {}

    @classmethod
    def open(cls, path: Path, *, limit_bytes: int) -> Self:
        """The ledger at ``path``, made when there is none; damage is salvaged and told by ``take_reports``.

        ``limit_bytes``: what file and write-ahead log may take together, at least 1 MiB. Raises LedgerFault.
        """
        if limit_bytes < _LEAST_BYTES:
            raise ValueError(f"limit_bytes: {limit_bytes} is less than {_LEAST_BYTES}")
        file = LedgerFile(path, limit_bytes)
        try:
            return cls(file)
        except BaseException:
            file.close()
            raise

    def close(self) -> None:
        """Ends the use of the file; SQLite folds the write-ahead log into it."""
        with self._writing:
            self._file.close()

    @property
    def position(self) -> Position | None:
        """The last kept record that is stored, or None."""
        return self._kept.position

    @property
    def states(self) -> dict[str, Any]:
        """A copy of what each part gave last, by its name."""
        return {name: json.loads(text) for name, text in self._kept.states.items()}

    @property
    def cursors(self) -> dict[str, int]:
        """A copy of how far each sink is: the id of the last point it has delivered."""
        return dict(self._kept.cursors)

    @property
    def last_id(self) -> int:
        """The id of the last point that is stored; 0: none ever."""
        return self._kept.last_id

    def take_reports(self) -> list[LedgerReport]:
        """What happened to the file since this was last asked, oldest first."""
        taken, self._file.reports = self._file.reports, []
        return taken

    def commit(
        self,
        position: Position | None = None,
        states: Mapping[str, Any] | None = None,
        points: Sequence[Point] = (),
        cursors: Mapping[str, int] | None = None,
    ) -> None:
        """Stores all of this or, with a LedgerFault, nothing of it; on the disk when it returns.

        ``position`` None: as before. ``states``: those that changed, any JSON; None takes one away. ``points`` get the next
        ids in this order. ``cursors``: those that moved. Points that every sink has passed are taken away with it.
        """
        texts = {name: None if value is None else _json(value) for name, value in (states or {}).items()}
        if position is None and not texts and not points and not cursors:
            return
        with self._writing:
            self._keep(self._file.run(lambda db: self._commit(db, position, texts, points, cursors or {}), self._kept))

    def read(self, after_id: int, limit: int) -> list[tuple[int, Point]]:
        """Up to ``limit`` points with ids above ``after_id``, ascending. Raises LedgerFault.

        A block whose CRC does not fit is left out and reported.
        """
        found = self._file.query(lambda db: self._points_after(db, after_id, limit))
        return found[:limit]

    def trim(self) -> dict[str, int]:
        """Takes away the oldest points, unsent ones too, until the file is within its limit. Raises LedgerFault.

        Answers how many points each sink will never get ({}: none). What every sink has passed goes with the commits anyway.
        """
        unsent: dict[str, int] = {}
        with self._writing:
            while dropped := self._file.run(self._drop_oldest, self._kept):
                for sink, at in self._kept.cursors.items():
                    missed = sum(max(0, min(count, last_id - at)) for last_id, count in dropped)
                    unsent[sink] = unsent.get(sink, 0) + missed
        return {sink: count for sink, count in unsent.items() if count}

    def forget_sink(self, name: str) -> None:
        """This sink is configured no more: nothing waits for it. Raises LedgerFault."""
        with self._writing:
            kept = self._kept
            if name in kept.cursors:
                rest = {sink: at for sink, at in kept.cursors.items() if sink != name}
                self._file.run(lambda db: tables.drop_cursor(db, name), kept)
                self._keep(Contents(kept.position, kept.last_id, kept.states, rest, kept.channels))

    def _keep(self, contents: Contents) -> None:
        """What memory has of the file, always that of the last commit."""
        self._kept = contents
        self._numbers = {channel: number for number, channel in contents.channels.items()}

    def _commit(
        self,
        db: sqlite3.Connection,
        position: Position | None,
        texts: Mapping[str, str | None],
        points: Sequence[Point],
        cursors: Mapping[str, int],
    ) -> Contents:
        """One transaction; answers what the file has after it."""
        kept = self._kept
        unknown = dict.fromkeys(one for one in map(channel_of, points) if one not in self._numbers)
        added = dict(enumerate(unknown, max(kept.channels, default=0) + 1))
        numbers = (
            {**self._numbers, **{channel: number for number, channel in added.items()}} if added else self._numbers
        )
        then = Contents(
            position=position or kept.position,
            last_id=kept.last_id + len(points),
            states={name: text for name, text in {**kept.states, **texts}.items() if text is not None},
            cursors={**kept.cursors, **cursors},
            channels={**kept.channels, **added},
        )
        db.execute("BEGIN IMMEDIATE")
        tables.write_channels(db, added)
        tables.write_states(db, texts)
        tables.write_cursors(db, cursors)
        if points:
            tables.write_block(db, then.last_id, pack(then.last_id, points, numbers.__getitem__))
        tables.drop_blocks(db, min(then.cursors.values(), default=then.last_id), _TRIMMED_MOST)
        tables.write_head(db, then.last_id, then.position)
        db.execute("COMMIT")
        return then

    def _drop_oldest(self, db: sqlite3.Connection) -> list[tuple[int, int]]:
        """One step of trim; (id, number of points) of the blocks that are gone."""
        most = self._file.most_used_bytes
        excess = tables.used_bytes(db) - most
        if excess <= 0:
            return []
        oldest, total = [], 0
        for last_id, block in tables.read_blocks(db, 0, _DROPPED_AT_ONCE):
            oldest.append((last_id, count_points(block)))
            total += len(block)
            if total > excess + most // 64:  # a little more, so that it is not done again at once
                break
        if oldest:
            db.execute("BEGIN IMMEDIATE")
            tables.drop_blocks(db, oldest[-1][0], len(oldest))
            db.execute("COMMIT")
        return oldest

    def _points_after(self, db: sqlite3.Connection, after_id: int, limit: int) -> list[tuple[int, Point]]:
        found: list[tuple[int, Point]] = []
        while len(found) < limit:
            # A block has a point at least, mostly some: half as many blocks as points are wanted are seldom too few.
            blocks = tables.read_blocks(db, after_id, max(1, (limit - len(found)) // 2))
            for last_id, block in blocks:
                points = self._unpacked(db, last_id, block)
                first_id = last_id - len(points) + 1
                found += [(one, point) for one, point in enumerate(points, first_id) if one > after_id]
                after_id = last_id
                if len(found) >= limit:
                    break
            if not blocks:
                break
        return found

    def _unpacked(self, db: sqlite3.Connection, last_id: int, block: bytes) -> list[Point]:
        for again in (False, True):
            try:
                return unpack(last_id, block, self._read_channels)
            except DamagedBlock as error:
                self._file.tell_lost_block(last_id, error)
                break
            except KeyError as error:  # a channel that came since
                if again:
                    self._file.tell_lost_block(last_id, error)
                self._read_channels = tables.read_channels(db)
        return []


def _json(value: object) -> str:
    return json.dumps(value, separators=(",", ":"), allow_nan=False)


def read_states(path: Path) -> dict[str, Any]:
    """What each part of a bridge gave last, also while the bridge runs. Raises LedgerFault."""
    try:
        db = tables.connect(path, reader=True)
        try:
            return {name: json.loads(text) for name, text in tables.read_contents(db).states.items()}
        finally:
            db.close()
    except (sqlite3.Error, DamagedRow) as error:
        raise fault_of(error, path) from error
