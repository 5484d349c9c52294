"""The cable between a virtual board and the bridge: a pseudo-terminal that can be pulled, renamed and disturbed."""

import contextlib
import os
import select
import socket
import threading
import time
import tty
from collections.abc import Callable
from pathlib import Path

_LOOK_S = 0.01
_PIECE = 512

Disturbance = Callable[[bytes], bytes]


class Cable:
    """Carries bytes between ``board`` (a socket) and a pseudo-terminal that ``link`` points to, in a thread of its own.

    As with USB: while nobody has the port open, or the cable is out, the board finds its console not writable; what is on
    the way when the cable is pulled is gone.
    """

    def __init__(self, link: Path) -> None:
        self.link = link
        self.disturb: Disturbance = bytes  # what becomes of bytes on the way to the host
        self.bytes_to_host = 0
        self._board: socket.socket | None = None
        self._master = -1
        self._lock = threading.Lock()
        self._running = True
        self._thread = threading.Thread(target=self._carry_forever, name=f"cable {link.name}", daemon=True)
        self._thread.start()

    def connect(self, board: socket.socket | None) -> None:
        """Another board (or none) at this end of the cable."""
        with self._lock:
            self._board = board

    def plug(self, *, renamed: bool = False) -> None:
        """A port appears; ``renamed``: surely under another name than the last one."""
        holder = os.openpty() if renamed else None
        master, slave = os.openpty()
        if holder:
            for one in holder:
                os.close(one)
        tty.setraw(slave)
        name = os.ttyname(slave)
        os.close(slave)  # from now on the master tells whether anybody has opened it
        os.set_blocking(master, False)
        with self._lock:
            self._master = master
        made = self.link.with_name(self.link.name + ".new")
        made.unlink(missing_ok=True)
        made.symlink_to(name)
        made.replace(self.link)

    def pull(self) -> None:
        """The port vanishes, with what is on the way."""
        with self._lock:
            self.link.unlink(missing_ok=True)
            if self._master >= 0:
                os.close(self._master)
            self._master = -1
            if self._board:
                with contextlib.suppress(OSError):
                    self._board.recv(1 << 16, socket.MSG_DONTWAIT)

    def close(self) -> None:
        """No thread, no port."""
        self._running = False
        self._thread.join()
        self.pull()

    # --- the thread ---

    def _carry_forever(self) -> None:
        while self._running:
            with self._lock:
                moved = self._carry()
            if not moved:
                time.sleep(_LOOK_S)

    def _carry(self) -> bool:
        if self._master < 0 or self._board is None:
            return False
        poll = select.poll()
        poll.register(self._master, select.POLLIN | select.POLLOUT)
        state = poll.poll(0)[0][1]
        if state & select.POLLHUP:  # nobody has opened the port
            return False
        moved = False
        with contextlib.suppress(OSError):
            if state & select.POLLIN:
                self._board.sendall(os.read(self._master, _PIECE))
                moved = True
            if state & select.POLLOUT and (data := self._receive()):
                self.bytes_to_host += len(data)
                os.write(self._master, self.disturb(data))
                moved = True
        return moved

    def _receive(self) -> bytes:
        assert self._board is not None
        try:
            return self._board.recv(_PIECE, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return b""
