"""A history whose process dies at a chosen step of its work on the disk; what was not synced yet is torn."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from fluksometer.storage.tmpo import tree


class Killed(BaseException):
    """Nothing behind this happens."""


class Disk:
    """Counts what is done to the files, and ends it before the step ``at``. With ``power`` what was not synced before is torn,
    as a power cut leaves it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, power: bool = False) -> None:
        self.steps = 0
        self.at: int | None = None
        self._power = power
        self._unsynced: list[Path] = []
        for owner, name in ((Path, "write_bytes"), (Path, "replace"), (Path, "unlink"), (tree, "_sync")):
            monkeypatch.setattr(owner, name, self._guarded(name, getattr(owner, name)))

    def _guarded(self, name: str, real):
        def guarded(*arguments, **more):
            self.steps += 1
            if self.at is not None and self.steps >= self.at:
                self._die(name, arguments)
            if name == "write_bytes":
                self._unsynced.append(arguments[0])
            elif name == "replace" and arguments[0] in self._unsynced:
                self._unsynced.append(Path(arguments[1]))
            elif name == "_sync":
                self._unsynced.clear()
            return real(*arguments, **more)

        return guarded

    def _die(self, name: str, arguments) -> None:
        if name == "write_bytes":
            with arguments[0].open("wb") as file:
                file.write(arguments[1][: len(arguments[1]) // 2])
        if self._power:
            for path in self._unsynced:
                with contextlib.suppress(FileNotFoundError), path.open("rb+") as file:
                    file.truncate(7)
        raise Killed

    @contextlib.contextmanager
    def dying_at(self, step: int) -> Iterator[None]:
        self.steps, self.at = 0, step
        self._unsynced.clear()
        try:
            yield
        finally:
            self.at = None
