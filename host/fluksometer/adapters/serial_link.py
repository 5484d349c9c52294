"""The serial link to the board: a thread opens, reads, writes and reopens; what happens is handed to the loop."""

import asyncio
import errno
import termios
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import serial
from serial.tools import list_ports
from serial.tools.list_ports_common import ListPortInfo

from fluksometer.domain.board_clock import HostTime
from fluksometer.errors import NoBoard

USB_VENDOR = 0x2E8A  # Raspberry Pi
USB_MICROPYTHON = 0x0005
USB_SERIAL = "usb:"
_BAUD = 115200  # ignored by USB; what the console uses on a UART
_READ_TIMEOUT_S = 0.2
_WRITE_TIMEOUT_S = 1.0
_WRITE_PIECE = 256
_RETRY_LEAST_S = 0.2
_RETRY_MOST_S = 1.0
_RETRY_DUMB_S = 30.0  # most for a port that opens and breaks without a byte
_DRAIN_S = 0.1  # a full-speed port takes less than a millisecond for the 320 bytes that the board's end can hold
_MISSED_S = 10.0  # so long the known board is waited for, before another one that is there is taken for its replacement
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
    """Keeps ``port`` ("auto", a path, or "usb:" and a serial number) open as long as it runs.

    ``tell`` is called in the loop that called start(). ``known``: as prefer().
    """

    def __init__(
        self,
        port: str,
        *,
        clock: Callable[[], HostTime],
        tell: Callable[[LinkNews], None],
        known: str | None = None,
    ) -> None:
        self._clock = clock
        self._wanted = port
        self._known = known
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

    def prefer(self, known: str) -> None:
        """With "auto" the board with this USB serial number is the one, however many there are."""
        self._known = known

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
        pause_s, seen_s = _RETRY_LEAST_S, self._clock().mono_s
        while not self._stopping.is_set():
            path, self._opened, self._heard = self._wanted, False, False
            try:
                waits = self._clock().mono_s < seen_s + _MISSED_S
                path = find_port(self._wanted, list_ports.comports(), self._known, waits=waits)
                with serial.Serial(
                    path, _BAUD, timeout=_READ_TIMEOUT_S, write_timeout=_WRITE_TIMEOUT_S, exclusive=True
                ) as port:
                    self._serve(port)
            except Exception as error:  # pyserial lets many kinds through (termios.error), and none may end this thread
                self._report_down(describe(error, path))
            if self._heard:
                pause_s, seen_s = _RETRY_LEAST_S, self._clock().mono_s
            if self._stopping.wait(pause_s):
                return
            pause_s = min(2 * pause_s, _RETRY_DUMB_S if self._opened else _RETRY_MOST_S)

    def _serve(self, port: serial.Serial) -> None:
        with self._lock:
            self._port = port
            self._outgoing.clear()
        self._opened = True
        self._down_reason = ""
        self._drain(port)
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

    def _drain(self, port: serial.Serial) -> None:
        # What the board's USB had held since the port was closed. A hello among it would set the clock by a moment long past,
        # and what else was lost with it the board sends again.
        end_s = self._clock().mono_s + _DRAIN_S
        while self._clock().mono_s < end_s and not self._stopping.is_set():
            if port.in_waiting:
                port.read(port.in_waiting)
                self._heard = True
            self._stopping.wait(_DRAIN_S / 10)

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


def find_port(wanted: str, ports: Iterable[ListPortInfo], known: str | None = None, *, waits: bool = False) -> str:
    """The path to open. Looked up anew at each try, as boards and links to them come and go.

    ``known``: USB serial number of the board that was talked to before; ``waits``: no other one is taken for it yet.
    NoBoard when there is none, or no telling which.
    """
    if wanted.startswith(USB_SERIAL):
        return _by_serial(wanted.removeprefix(USB_SERIAL), ports)
    if wanted != "auto":
        return wanted
    boards = [port for port in ports if port.vid == USB_VENDOR]
    boards = [port for port in boards if port.pid == USB_MICROPYTHON] or boards
    if not boards:
        raise NoBoard('no board on USB: plug it in, or name its port: board.port = "/dev/..."')
    for port in boards:
        if known and _serial(port) == known.lower():
            return str(port.device)
    if len(boards) > 1:
        raise NoBoard(f"{len(boards)} boards on USB, name one: {_names(boards)}")
    if known and waits:
        raise NoBoard(f"the board {known} is not there; if it does not come back, another is taken: {_names(boards)}")
    return str(boards[0].device)


def _by_serial(serial: str, ports: Iterable[ListPortInfo]) -> str:
    on_usb = [port for port in ports if port.serial_number]
    for port in on_usb:
        if _serial(port) == serial.lower():
            return str(port.device)
    there = f"; there is {_names(on_usb)}" if on_usb else ""
    raise NoBoard(f"no USB device with the serial number {serial}: plug it in, or change board.port{there}")


def _serial(port: ListPortInfo) -> str:
    return str(port.serial_number or "").lower()


def _names(ports: list[ListPortInfo]) -> str:
    # As they are written in the configuration.
    found = sorted((port.device, _serial(port)) for port in ports)
    return ", ".join(
        f'board.port = "{USB_SERIAL}{number}" ({device})' if number else device for device, number in found
    )


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
