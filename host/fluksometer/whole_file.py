"""Files that are there whole or not at all, also when the power goes."""

import contextlib
import os
import tempfile
from pathlib import Path


def replace_file(path: Path, text: str, *, private: bool = True) -> None:
    """Write a new file, wait until it is on the disk, then rename it. Raises OSError.

    A new one may only be read by its owner if it is ``private``; one that is replaced keeps owner and mode. What root makes
    belongs to the directory's owner: the bridge runs as another user.
    """
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=path.name + ".")
    try:
        if not private:
            os.fchmod(handle, 0o644)
        owner = path.parent.stat()
        with contextlib.suppress(FileNotFoundError):
            owner = path.stat()
            os.fchmod(handle, owner.st_mode & 0o777)
        if os.geteuid() == 0:
            os.fchown(handle, owner.st_uid, owner.st_gid)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            Path(name).unlink()
        raise
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
