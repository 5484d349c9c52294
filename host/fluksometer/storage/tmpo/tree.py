"""The files of the history: one for each block, written whole or not at all, also when the power goes."""

import contextlib
import ctypes
import fcntl
import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

from fluksometer.domain.tmpo import BlockName, block_name, is_sensor_id
from fluksometer.domain.tmpo_sync import block_path

from .faults import HistoryFault, fault_of

_BLOCKS: Final = "sensor"
_PART: Final = "part"  # files that are being written
_ASIDE: Final = "aside"  # what is no block of ours, or damaged


class Key(NamedTuple):
    """A block among all."""

    sensor_id: str
    name: BlockName

    @property
    def path(self) -> str:
        """Its file, in the tree's directory."""
        return block_path(self.sensor_id, self.name)


@dataclass(frozen=True, slots=True)
class Scan:
    """What lies in the directory."""

    sizes: dict[Key, int]  # bytes of each block's file
    foreign: list[Path]  # what is none


class Tree:
    """One directory of blocks. Many may read it; who writes takes the lock."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._lock = -1

    def lock(self) -> None:
        """Be the only one who writes, until closed. Makes the directory. Raises HistoryFault."""
        with self._faults_named():
            self.root.mkdir(parents=True, exist_ok=True)
            self._lock = os.open(self.root / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
            try:
                fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                self.close()
                raise HistoryFault(
                    f"{self.root}: another program writes this history; stop that bridge first"
                ) from error
            shutil.rmtree(self.root / _PART, ignore_errors=True)

    @property
    def locked(self) -> bool:
        """Whether this is who writes."""
        return self._lock >= 0

    def close(self) -> None:
        """Give the lock back."""
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def scan(self) -> Scan:
        """Looks at every name. Raises HistoryFault."""
        with self._faults_named():
            return scan_blocks(self.root / _BLOCKS)

    def read(self, key: Key) -> bytes:
        """A block's file. Raises FileNotFoundError, HistoryFault."""
        try:
            return (self.root / key.path).read_bytes()
        except FileNotFoundError:
            raise
        except OSError as error:
            raise fault_of(error, self.root / key.path) from error

    def put(self, files: Sequence[tuple[Key, bytes]]) -> None:
        """Writes them in this order; all are on the disk when it returns. After a HistoryFault some may be there, each whole."""
        with self._faults_named():
            part = self.root / _PART
            try:
                part.mkdir(exist_ok=True)
                for number, (_key, data) in enumerate(files):
                    (part / str(number)).write_bytes(data)
                _sync(part)  # what a name will stand for, before the name: one sync for all of them
                for number, (key, _data) in enumerate(files):
                    path = self.root / key.path
                    path.parent.mkdir(parents=True, exist_ok=True)
                    (part / str(number)).replace(path)
                _sync(part)
            except OSError:
                shutil.rmtree(part, ignore_errors=True)
                raise

    def remove(self, keys: Sequence[Key]) -> None:
        """Deletes blocks. Raises HistoryFault."""
        with self._faults_named():
            for key in keys:
                (self.root / key.path).unlink(missing_ok=True)

    def set_aside(self, path: Path) -> Path:
        """Moves something out of the tree, where a person can look at it; where to. Raises HistoryFault."""
        with self._faults_named():
            aside = self.root / _ASIDE
            aside.mkdir(exist_ok=True)
            plain = "-".join(path.relative_to(self.root).parts[1:])
            to, number = aside / plain, 1
            while os.path.lexists(to):
                number += 1
                to = aside / f"{plain}.{number}"
            path.rename(to)
            return to

    @contextlib.contextmanager
    def _faults_named(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise fault_of(error, self.root) from error


def scan_blocks(folder: Path) -> Scan:
    """What lies in a directory of sensors; nothing in one that is not there. Raises OSError."""
    found = Scan({}, [])
    _scan(folder, (), found)
    return found


def _scan(folder: Path, parts: tuple[str, ...], found: Scan) -> None:
    # Parts: sensor, rid, level, first second.
    try:
        entries = list(os.scandir(folder))
    except FileNotFoundError:
        return
    for entry in entries:
        here = (*parts, entry.name)
        name = block_name(*(*here[1:], *("0", "8", "0")[len(here) - 1 :]))
        if not is_sensor_id(here[0]) or name is None or entry.is_dir(follow_symlinks=False) != (len(here) < 4):
            found.foreign.append(folder / entry.name)
        elif len(here) < 4:
            _scan(folder / entry.name, here, found)
        elif entry.is_file(follow_symlinks=False):
            with contextlib.suppress(FileNotFoundError):  # it became part of another one meanwhile
                found.sizes[Key(here[0], name)] = entry.stat().st_size
        else:
            found.foreign.append(folder / entry.name)


_libc = ctypes.CDLL(None, use_errno=True)


def _sync(folder: Path) -> None:
    """Has the system write all of this file system, files, names and directories at once. Raises OSError."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        if not hasattr(_libc, "syncfs"):  # not Linux
            os.sync()
        elif _libc.syncfs(handle):
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))
    finally:
        os.close(handle)
