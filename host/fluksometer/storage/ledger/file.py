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
from .tables import Contents

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
        with self._faults_named():
            if self._db is None and self.path.exists() and not self._damaged:
                self._connect()
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
        os.close(self._lock)

    def tell_lost_block(self, error: Exception) -> None:
        """A block of points is unreadable: it was left out."""
        self._report("corrupt", f"unsent readings are lost: {error}")

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
            if isinstance(error, sqlite3.Error) and fault_of(error, self.path).condition in ("failing", "read-only"):
                self._close_writer()
            raise

    def _open(self) -> Contents:
        self._db = db = tables.connect(self.path, wal_bytes=self._wal_bytes)
        ids = tuple(db.execute(f"PRAGMA {name}").fetchone()[0] for name in ("application_id", "user_version"))
        if ids == (0, 0) and not db.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]:
            tables.create(db)
        else:
            self._check(db, *ids)
        db.execute("PRAGMA journal_mode = WAL")
        contents = tables.read_contents(db)
        db.execute("BEGIN IMMEDIATE")  # finds out whether the file can be written, and makes the write-ahead log
        tables.write_head(db, contents.last_id, contents.position)
        db.execute("COMMIT")
        self._files = _file_ids(self.path)
        self._damaged = False
        return contents

    def _connect(self) -> None:
        self._db = tables.connect(self.path, wal_bytes=self._wal_bytes)
        self._db.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        self._files = _file_ids(self.path)

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
        with self._reading:
            self._close_reader()
            losses = salvage.write_fresh(self.path, self._db, kept)
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
    for name in (path, path.with_name(path.name + "-wal")):
        try:
            status = name.stat()
        except FileNotFoundError:
            ids.append(None)
        else:
            ids.append((status.st_dev, status.st_ino))
    return tuple(ids)


def _take_lock(path: Path) -> tuple[int, bool]:
    """(descriptor of the side file, was it made just now?). The kernel frees the lock with the process, however that ends."""
    name = path.with_name(path.name + ".lock")
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
