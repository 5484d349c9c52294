"""The board's file system in a file of this machine, so that what was copied to the emulated Pico is there the next time."""

import os
from pathlib import Path
from typing import Any, Final

FS_START: Final = 0xA0000
FS_BLOCKS: Final = 352
FS_BLOCK_BYTES: Final = 4096
FS_BYTES: Final = FS_BLOCKS * FS_BLOCK_BYTES
"""MicroPython's layout of the Pico's 2 MB: the file system takes the last 1408 KB."""

_QUIET_NS: Final = 300e6
_PATIENCE_NS: Final = 3e9


class FlashFault(Exception):
    """The flash file can't be used: the message says why."""


class FlashFile:
    """Loads the file system once and saves it after changes, at a quiet moment, in one step: a reader never sees half of it."""

    def __init__(self, path: Path, mcu: Any) -> None:
        self._path, self._mcu = path, mcu
        self._first_ns: float | None = None
        self._last_ns = 0.0
        if path.exists():
            self._load()

    def _load(self) -> None:
        try:
            image = self._path.read_bytes()
        except OSError as error:
            raise FlashFault(f"{self._path}: cannot be read: {error.strerror}") from error
        if len(image) != FS_BYTES:
            raise FlashFault(
                f"{self._path}: {len(image)} bytes, a flash file has {FS_BYTES}; remove it to begin with an empty one"
            )
        self._mcu.flash[FS_START : FS_START + FS_BYTES] = image

    def changed(self) -> None:
        """The firmware has erased or programmed flash."""
        self._last_ns = self._mcu.clock.nanos
        if self._first_ns is None:
            self._first_ns = self._last_ns

    def save_if_quiet(self) -> None:
        """Saves when the last change is 0.3 s ago or the first unsaved one 3 s (emulated time)."""
        if self._first_ns is None:
            return
        now_ns = self._mcu.clock.nanos
        if now_ns - self._last_ns >= _QUIET_NS or now_ns - self._first_ns >= _PATIENCE_NS:
            self.save()

    def save(self) -> None:
        """Saves now, if anything has changed."""
        if self._first_ns is None:
            return
        fresh = self._path.with_name(f".{self._path.name}.{os.getpid()}")
        fresh.write_bytes(self._mcu.flash[FS_START : FS_START + FS_BYTES])
        fresh.replace(self._path)
        self._first_ns = None
