"""The host's end of the board's USB console: a pseudo-terminal for people and programs, or memory for tests."""

import os
import pty
import select
import tty
from pathlib import Path
from typing import Final

_QUEUE_BYTES: Final = 4096
"""What each direction may hold beyond the kernel's own buffer; a real host's driver keeps about as much."""


class LinkRefused(Exception):
    """The place for the link is taken by something that is not a link."""


class MemoryConsole:
    """A console for tests. ``written`` is what the board has said; ``reading`` and ``connected`` are switches of the test."""

    def __init__(self) -> None:
        self.written = bytearray()
        self.reading = True
        self.connected = True
        self._for_board = bytearray()

    def send(self, data: bytes) -> None:
        """Queues bytes for the board; they go over the bus while the chip runs."""
        self._for_board += data

    @property
    def unsent(self) -> int:
        """How many bytes the board has not taken yet."""
        return len(self._for_board)

    @property
    def accepts(self) -> bool:
        """As Console.accepts: a console that does not read has no room."""
        return self.reading

    def receive(self, data: bytes) -> None:
        """As Console.receive."""
        self.written += data

    def take(self, limit: int) -> bytes:
        """As Console.take."""
        data = bytes(self._for_board[:limit])
        del self._for_board[:limit]
        return data

    def poll(self) -> None:
        """Nothing to move: a test calls the methods itself."""

    def wait(self, timeout_s: float) -> None:
        """Nothing arrives by itself here, so this only lets the time pass."""
        select.select([], [], [], timeout_s)

    def close(self) -> None:
        """Nothing to give back."""


class PtyConsole:
    """A pseudo-terminal. Its far end is not kept open here, so that the kernel tells when a program opens or closes it."""

    def __init__(self, link: Path | None = None) -> None:
        self._master, slave = pty.openpty()
        try:
            tty.setraw(slave)
            self.path = Path(os.ttyname(slave))
        finally:
            os.close(slave)
        os.set_blocking(self._master, False)
        self._poll = select.poll()
        self._poll.register(self._master, select.POLLIN)
        self._for_board = bytearray()
        self._for_program = bytearray()
        self.connected = False
        self._link = link
        if link is not None:
            _point(link, self.path)

    @property
    def accepts(self) -> bool:
        """As Console.accepts."""
        return len(self._for_program) < _QUEUE_BYTES

    def receive(self, data: bytes) -> None:
        """As Console.receive: passed on at once as far as the kernel takes it."""
        self._for_program += data
        self._flush()

    def take(self, limit: int) -> bytes:
        """As Console.take."""
        data = bytes(self._for_board[:limit])
        del self._for_board[:limit]
        return data

    def poll(self) -> None:
        """Sees who is there and moves what can be moved, without waiting."""
        events = sum(event for _, event in self._poll.poll(0))
        if events & select.POLLIN and len(self._for_board) < _QUEUE_BYTES:
            self._read()
        self.connected = not events & select.POLLHUP
        if self.connected:
            self._flush()
        else:
            self._for_program.clear()  # a real host's driver forgets what nobody fetched

    def wait(self, timeout_s: float) -> None:
        """Waits until a program sends something, at most ``timeout_s``. With nobody there the terminal would not let us wait."""
        if self.connected:
            self._poll.poll(max(0.0, timeout_s * 1000))
        else:
            select.select([], [], [], max(0.0, timeout_s))

    def close(self) -> None:
        """Removes the link, if it is still ours, and the terminal."""
        if self._link is not None and self._link.is_symlink() and self._link.readlink() == self.path:
            self._link.unlink()
        os.close(self._master)

    def _read(self) -> None:
        try:
            self._for_board += os.read(self._master, _QUEUE_BYTES - len(self._for_board))
        except OSError:  # nothing there after all, or the last program has just left
            return

    def _flush(self) -> None:
        try:
            while self._for_program:
                del self._for_program[: os.write(self._master, self._for_program)]
        except OSError:  # the kernel's buffer is full, or the last program has just left
            return


def _point(link: Path, target: Path) -> None:
    """Makes ``link`` a symbolic link to the terminal, in one step. Raises LinkRefused if something else stands there."""
    if os.path.lexists(link) and not link.is_symlink():
        raise LinkRefused(f"{link} exists and is no symbolic link; it stays as it is")
    link.parent.mkdir(parents=True, exist_ok=True)
    fresh = link.with_name(f".{link.name}.{os.getpid()}")
    fresh.unlink(missing_ok=True)
    fresh.symlink_to(target)
    fresh.replace(link)
