"""What can be wrong with the files of the history, in words that help."""

import errno
from pathlib import Path

from fluksometer.errors import StateFault

_REMEDIES = {
    errno.ENOSPC: "the disk is full: make room; the values wait in the ledger",
    errno.EDQUOT: "the disk is full for this user: make room; the values wait in the ledger",
    errno.EROFS: "the disk can't be written: mount it writable; the values wait in the ledger",
    errno.EACCES: "the directory can't be used: give it to the bridge's user",
    errno.EPERM: "the directory can't be used: give it to the bridge's user",
    errno.ENOENT: "the directory is gone: mount the disk or make it again; the values wait in the ledger",
}


class HistoryFault(StateFault):
    """The history's files can't be used at the moment. Nothing was lost: what was to be written has to be written again."""


def fault_of(error: OSError, path: Path) -> HistoryFault:
    """With what helps."""
    what = error.strerror or str(error)
    remedy = _REMEDIES.get(error.errno or 0)
    return HistoryFault(f"{path}: {remedy} ({what})" if remedy else f"{path}: {what}")
