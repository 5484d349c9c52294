"""The file of a ledger: its lock, its two connections, and how a damaged or vanished one is put right."""

import contextlib
import fcntl
import os
import sqlite3
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

from . import salvage, tables
from .conditions import Condition, DamagedRow, LedgerFault, LedgerReport, fault_of
from .salvage import beside
from .tables import Contents
from .wal import commits_lost

_Result = TypeVar("_Result")
_FileIds = tuple[tuple[int, int] | None, ...]


class LedgerFile:
    """One writer and one reader connection on a file that no other bridge has; calls of ``run`` must not overlap."""

    def __init__(self, path: Path, limit_bytes: int) -> None:
        """Takes the lock. Raises LedgerFault."""
        self.path, self._wal_bytes = path, min(4 << 20, limit_bytes // 4)
        self.most_used_bytes = limit_bytes - 2 * self._wal_bytes
        self.reports: list[LedgerReport] = []
        self._reading = threading.Lock()
        self._db: sqlite3.Connection | None = None
        self._reader: sqlite3.Connection | None = None
        self._files: _FileIds = ()
        self._damaged = False
        self._lost_blocks: set[int] = set()
        with self._faults_named():
            path.parent.mkdir(parents=True, exist_ok=True)
            self._lock, self._new = _take_lock(path)

    def start(self) -> Contents:
        """Opens the file, makes it when there is none, salvages it when it is damaged. Raises LedgerFault."""
        with self._faults_named():
            if salvage.finish_swap(self.path):
                self._report("corrupt", "the rescue that was cut off has been finished")
            elif not self.path.exists() and not self._new:
                self._report("missing", "the ledger was deleted: everything starts anew")
            try:
                return self._open()
            except (sqlite3.Error, DamagedRow) as error:
                if fault_of(error, self.path).condition != "corrupt":
                    raise
                return self._rebuild("corrupt", str(error), None)

    def run(self, work: Callable[[sqlite3.Connection], _Result], kept: Contents) -> _Result:
        """``work`` on the writer's connection, its transaction undone if it fails. Raises LedgerFault.

        ``kept``: what must be in the file; written anew when the file is gone or damaged.
        """
        self._refuse_when_closed()
        with self._faults_named():
            if self._db is None and self.path.exists() and not self._damaged:
                self._connect_again(kept)
            if self._db is None or self._damaged:
                self._rebuild("corrupt" if self._damaged else "missing", "", kept)
            elif _file_ids(self.path) != self._files:
                self._rebuild("missing", "", kept)
            try:
                return self._undone_if_failed(work)
            except sqlite3.DatabaseError as error:
                if fault_of(error, self.path).condition != "corrupt":
                    raise
                self._rebuild("corrupt", str(error), kept)
            return self._undone_if_failed(work)

    def query(self, work: Callable[[sqlite3.Connection], _Result]) -> _Result:
        """``work`` on the reader's connection; from any thread. Raises LedgerFault."""
        with self._reading, self._faults_named():
            self._refuse_when_closed()
            try:
                if self._reader is None:
                    self._reader = tables.connect(self.path, reader=True)
                return work(self._reader)
            except (sqlite3.Error, DamagedRow) as error:
                self._damaged |= fault_of(error, self.path).condition == "corrupt"
                self._close_reader()
                raise

    def close(self) -> None:
        """Ends the use of the file and gives the lock back."""
        with self._reading:
            self._close_reader()
            self._close_writer()
            if self._lock >= 0:
                os.close(self._lock)
                self._lock = -1

    def tell_lost_block(self, last_id: int, error: Exception) -> None:
        """A block of points is unreadable: it was left out. Told once."""
        if last_id not in self._lost_blocks:
            self._lost_blocks.add(last_id)
            self._report("corrupt", f"unsent readings are lost: block {last_id}: {error}")

    def _refuse_when_closed(self) -> None:
        if self._lock < 0:
            raise ValueError("the ledger is closed: another bridge may have it")

    def _report(self, condition: Condition, text: str) -> None:
        self.reports.append(LedgerReport(condition, f"{self.path}: {text}"))

    @contextlib.contextmanager
    def _faults_named(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError, DamagedRow) as error:
            raise fault_of(error, self.path) from error

    def _undone_if_failed(self, work: Callable[[sqlite3.Connection], _Result]) -> _Result:
        assert self._db is not None
        try:
            return work(self._db)
        except BaseException as error:
            try:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
            except sqlite3.Error:
                self._close_writer()
            # A connection does not recover from these by itself: the next call opens the file again.
            if getattr(error, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY):
                self._close_writer()
            raise

    def _open(self) -> Contents:
        self._db = db = tables.connect(self.path, wal_bytes=self._wal_bytes)
        ids = tuple(db.execute(f"PRAGMA {name}").fetchone()[0] for name in ("application_id", "user_version"))
        if ids == (0, 0) and not db.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]:
            tables.create(db)
            if not self._new and not self.reports:
                self._report("corrupt", "the file is empty: what was in it is lost, everything starts anew")
        else:
            self._check(db, *ids)
        db.execute("PRAGMA journal_mode = WAL")
        contents = tables.read_contents(db)
        self._look_for_lost_commits(db, contents)
        db.execute("BEGIN IMMEDIATE")  # finds out whether the file can be written, and makes the write-ahead log
        tables.write_head(db, contents.last_id, contents.position)
        db.execute("COMMIT")
        self._files = _file_ids(self.path)
        self._damaged = False
        return contents

    def _look_for_lost_commits(self, db: sqlite3.Connection, contents: Contents) -> None:
        with contextlib.suppress(sqlite3.OperationalError):  # a full disk shows at the next write
            _, frames, _ = db.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
            lost = commits_lost(beside(self.path, "-wal"), tables.PAGE_BYTES, max(0, frames))
            if lost:
                self._report("corrupt", f"the write-ahead log is damaged: the last {lost} commits are lost")
                contents.last_id += salvage.IDS_SKIPPED

    def _connect_again(self, kept: Contents) -> None:
        """After an error of the disk; what SQLite finds may be a commit further than what the caller was told."""
        db = tables.connect(self.path, wal_bytes=self._wal_bytes)
        try:
            db.execute("BEGIN IMMEDIATE")
            tables.write_contents(db, kept)
            db.execute("COMMIT")
        except sqlite3.Error:
            db.close()
            raise
        self._db, self._files = db, _file_ids(self.path)

    def _check(self, db: sqlite3.Connection, application_id: int, version: int) -> None:
        found = [row[0] for row in db.execute("PRAGMA quick_check(3)")]
        if found != ["ok"]:
            raise DamagedRow("; ".join(found))
        if application_id != tables.APPLICATION_ID:
            raise LedgerFault("foreign", self.path)
        if version > tables.SCHEMA:
            raise LedgerFault("newer", self.path, f"schema {version}, this Fluksometer knows {tables.SCHEMA}")

    def _rebuild(self, condition: Condition, why: str, kept: Contents | None) -> Contents:
        """A fresh file of what can be read from the old one and of what is in memory, which is never older."""
        if not self.path.parent.is_dir():
            raise LedgerFault("missing", self.path)
        losses = salvage.write_fresh(self.path, self._db, kept)
        with self._reading:
            self._close_reader()
            self._close_writer()
            aside = salvage.swap(self.path)
        for text in ([why] if why else []) + losses + ([f"the damaged file is kept as {aside}"] if aside else []):
            self._report(condition, text)
        if condition == "missing":
            self._report(condition, "the file was deleted or replaced while in use: it was written anew from memory")
        return self._open()

    def _close_reader(self) -> None:
        if self._reader is not None:
            self._reader.close()
            self._reader = None

    def _close_writer(self) -> None:
        if self._db is not None:
            with contextlib.suppress(sqlite3.Error):  # the last one to close folds the log in, which may fail
                self._db.close()
            self._db = None


def _file_ids(path: Path) -> _FileIds:
    """Device and inode of the file and of its write-ahead log; None: is not there."""
    ids: list[tuple[int, int] | None] = []
    for name in (path, beside(path, "-wal")):
        try:
            status = name.stat()
        except FileNotFoundError:
            ids.append(None)
        else:
            ids.append((status.st_dev, status.st_ino))
    return tuple(ids)


def _take_lock(path: Path) -> tuple[int, bool]:
    """(descriptor of the side file, was it made just now?). The kernel frees the lock with the process, however that ends."""
    name = beside(path, ".lock")
    new = not name.exists()
    lock = os.open(name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        holder = os.read(lock, 20).decode(errors="replace").strip()
        os.close(lock)
        raise LedgerFault("locked", path, f"process {holder or 'unknown'} has {name.name}") from error
    with contextlib.suppress(OSError):  # on a full disk nobody can read who has it, which is no reason not to start
        os.ftruncate(lock, 0)
        os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)
    return lock, new
