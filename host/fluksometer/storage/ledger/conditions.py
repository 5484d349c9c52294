"""What can be wrong with a ledger, each with a name and what helps."""

import errno
import os
import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from fluksometer.errors import StateFault

Condition = Literal["full", "read-only", "corrupt", "locked", "missing", "failing", "newer", "foreign"]

_REMEDIES: dict[Condition, str] = {
    "full": "the disk is full: make room; nothing of this commit was kept, the next one tries again",
    "read-only": "the disk or the directory can't be written: mount it writable and give it to the bridge's user",
    "corrupt": "the file is damaged: what can be read of it is carried over at the next start",
    "locked": "another program holds it: stop the other bridge, or end the transaction of the sqlite3 that is open on it",
    "missing": "its directory is gone: mount the disk or make the directory again; all is written anew then",
    "failing": "the disk gives errors: look at the kernel's log (dmesg), copy the directory away, replace the disk",
    "newer": "it was written by a newer Fluksometer: install that one again, or move the file away to start anew",
    "foreign": "it is the SQLite file of another program: choose another path for the ledger",
}


_LEAST_ROOM_BYTES = 64 << 10


class LedgerFault(StateFault):
    """The ledger can't be used at the moment; ``condition`` names why, the text what helps. Nothing was half done."""

    def __init__(self, condition: Condition, path: Path, detail: str = "") -> None:
        super().__init__(f"{path}: {_REMEDIES[condition]}{f' ({detail})' if detail else ''}")
        self.condition = condition


@dataclass(frozen=True, slots=True)
class LedgerReport:
    """Something a person should know although the ledger goes on: a rescue, and what was lost in it."""

    condition: Condition
    text: str


_BY_CODE: dict[int, Condition] = {
    sqlite3.SQLITE_FULL: "full",
    sqlite3.SQLITE_READONLY: "read-only",
    sqlite3.SQLITE_PERM: "read-only",
    sqlite3.SQLITE_CANTOPEN: "read-only",
    sqlite3.SQLITE_CORRUPT: "corrupt",
    sqlite3.SQLITE_NOTADB: "corrupt",
    sqlite3.SQLITE_BUSY: "locked",
    sqlite3.SQLITE_LOCKED: "locked",
}
_BY_ERRNO: dict[int, Condition] = {
    errno.ENOSPC: "full",
    errno.EDQUOT: "full",
    errno.EFBIG: "full",
    errno.EROFS: "read-only",
    errno.EACCES: "read-only",
    errno.EPERM: "read-only",
    errno.ENOENT: "missing",
    errno.ENOTDIR: "missing",
}


class DamagedRow(ValueError):
    """A row's CRC does not fit: SQLite guards its pages' structure, not what is in them."""


def fault_of(error: Exception, path: Path) -> LedgerFault:
    """The named condition of an error of SQLite, of the system or of a row."""
    if isinstance(error, OSError):
        return LedgerFault(_BY_ERRNO.get(error.errno or 0, "failing"), path, error.strerror or str(error))
    code = getattr(error, "sqlite_errorcode", None)
    if code is None:  # a row's CRC, or Python itself complains, as of text that is not UTF-8
        return LedgerFault("corrupt", path, str(error))
    condition = _BY_CODE.get(code & 0xFF, "failing")
    if condition == "read-only" and not path.parent.is_dir():
        condition = "missing"
    if condition == "failing" and _no_room(path):  # SQLite has many names for it
        condition = "full"
    return LedgerFault(condition, path, f"{getattr(error, 'sqlite_errorname', code)}: {error}")


def _no_room(path: Path) -> bool:
    try:
        status = os.statvfs(path.parent)
    except OSError:
        return False
    return status.f_bavail * status.f_frsize < _LEAST_ROOM_BYTES
