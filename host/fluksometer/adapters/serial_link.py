"""The serial link to the board: a thread opens, reads, writes and reopens; what happens is handed to the loop."""

import asyncio
import errno
import termios
import threading
from collections.abc import Callable
from dataclasses import dataclass

import serial
from serial.tools import list_ports

from fluksometer.domain.board_clock import HostTime
from fluksometer.errors import NoBoard

USB_VENDOR = 0x2E8A  # Raspberry Pi
USB_MICROPYTHON = 0x0005
_BAUD = 115200  # ignored by USB; what the console uses on a UART
_READ_TIMEOUT_S = 0.2
_WRITE_TIMEOUT_S = 1.0
_WRITE_PIECE = 256
_RETRY_LEAST_S = 0.2
_RETRY_MOST_S = 2.0
_RETRY_DUMB_S = 30.0  # most for a port that opens and breaks without a byte
_LOST = (errno.EIO, errno.ENXIO, errno.ENODEV, errno.EBADF)


@dataclass(frozen=True, slots=True)
class LinkUp:
    """The port is open."""

    port: str
    time: HostTime


@dataclass(frozen=True, slots=True)
class LinkDown:
    """The port is closed, or can't be opened. Told once for each new reason."""

    reason: str


@dataclass(frozen=True, slots=True)
class Chunk:
    """Bytes read, and when."""

    data: bytes
    time: HostTime


LinkNews = LinkUp | LinkDown | Chunk


class SerialLink:
    """Keeps ``port`` ("auto" or a path) open as long as it runs. ``tell`` is called in the loop that called start()."""

    def __init__(self, port: str, *, clock: Callable[[], HostTime], tell: Callable[[LinkNews], None]) -> None:
        self._clock = clock
        self._wanted = port
        self._tell = tell
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.Thread(target=self._run, name="serial-link", daemon=True)
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._outgoing = bytearray()
        self._port: serial.Serial | None = None
        self._down_reason = ""
        self._opened = self._heard = False  # at the last try

    def start(self) -> None:
        """Begin, from within a running loop."""
        self._loop = asyncio.get_running_loop()
        self._thread.start()

    def write(self, data: bytes) -> None:
        """Send soon. Forgotten when the link is down: the session speaks again when it is up."""
        if not data:
            return
        with self._lock:
            if self._port is None:
                return
            self._outgoing += data
            self._port.cancel_read()

    def stop(self) -> None:
        """Close the port and end the thread (within about a second)."""
        self._stopping.set()
        if self._thread.ident is not None:
            self._thread.join(timeout=_WRITE_TIMEOUT_S + 2 * _READ_TIMEOUT_S)

    # --- the thread ---

    def _run(self) -> None:
        pause_s = _RETRY_LEAST_S
        while not self._stopping.is_set():
            path, self._opened, self._heard = self._wanted, False, False
            try:
                path = find_port(self._wanted)
                with serial.Serial(
                    path, _BAUD, timeout=_READ_TIMEOUT_S, write_timeout=_WRITE_TIMEOUT_S, exclusive=True
                ) as port:
                    self._serve(port)
            except Exception as error:  # pyserial lets many kinds through (termios.error), and none may end this thread
                self._report_down(describe(error, path))
            pause_s = _RETRY_LEAST_S if self._heard else pause_s
            if self._stopping.wait(pause_s):
                return
            pause_s = min(2 * pause_s, _RETRY_DUMB_S if self._opened else _RETRY_MOST_S)

    def _serve(self, port: serial.Serial) -> None:
        with self._lock:
            self._port = port
            self._outgoing.clear()
        self._opened = True
        self._down_reason = ""
        self._hand_over(LinkUp(str(port.port), self._clock()))
        try:
            while not self._stopping.is_set():
                if data := port.read(1):
                    time, self._heard = self._clock(), True
                    self._hand_over(Chunk(data + port.read(port.in_waiting), time))
                self._write_out(port)
        finally:
            with self._lock:
                self._port = None

    def _write_out(self, port: serial.Serial) -> None:
        with self._lock:
            data = bytes(self._outgoing)
            self._outgoing.clear()
        for at in range(0, len(data), _WRITE_PIECE):
            port.write(data[at : at + _WRITE_PIECE])  # the time-out counts for each piece: a board may read slowly

    def _report_down(self, reason: str) -> None:
        if reason != self._down_reason:
            self._down_reason = reason
            self._hand_over(LinkDown(reason))

    def _hand_over(self, news: LinkNews) -> None:
        assert self._loop is not None
        if not self._stopping.is_set():
            self._loop.call_soon_threadsafe(self._tell, news)


def find_port(wanted: str) -> str:
    """The path to open. Looked up anew at each try, as boards and links to them come and go."""
    if wanted != "auto":
        return wanted
    boards = [port for port in list_ports.comports() if port.vid == USB_VENDOR]
    found = sorted(port.device for port in boards if port.pid == USB_MICROPYTHON) or sorted(
        port.device for port in boards
    )
    if not found:
        raise NoBoard('no board on USB: plug it in, or name its port: board.port = "/dev/..."')
    if len(found) > 1:
        raise NoBoard(f'{len(found)} boards on USB, name one: board.port = "/dev/..." ({", ".join(found)})')
    return found[0]


def describe(error: Exception, port: str) -> str:
    """Why the link is down and what helps, in one line."""
    if isinstance(error, NoBoard):
        return str(error)
    number = getattr(error, "errno", None)
    if number in (errno.EAGAIN, errno.EBUSY):
        return f"{port} is in use by another program (another bridge, a terminal, mpremote?): close it"
    if number == errno.ENOENT:
        return f"{port} is not there: is the board plugged in?"
    if number == errno.EACCES:
        return f"{port} may not be opened by this user: add the user to the group that owns it (dialout)"
    if isinstance(error, serial.SerialTimeoutException):
        return f"{port}: it takes no bytes: unplug the board and plug it in again"
    if number in _LOST or "readiness" in str(error) or isinstance(error, termios.error):
        return f"{port}: the connection broke: was the board unplugged, or does another program read the port too?"
    return f"{port}: {error}"
