"""A P1 cable on the host itself: a thread opens, reads and reopens the port; telegrams wait for the loop to fetch them."""

import errno
import termios
import threading
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass

import serial

from fluksometer.domain.board_clock import HostTime
from fluksometer.domain.desk import Fault
from fluksometer.domain.p1_line import FormFinder
from fluksometer.domain.p1_stream import host_parser, parser_bad
from fluksometer.shared.p1 import Frame, Telegram

_READ_TIMEOUT_S = 0.2
_QUIET_S = 0.5  # within a telegram bytes follow each other; behind such a pause it will not go on
_RETRY_S = 2.0
_MOST_WAITING = 64  # telegrams; they are fetched at once, unless the loop is stuck
_WHY = {
    errno.ENOENT: "is not there: is the cable plugged in?",
    errno.EACCES: "may not be opened by this user: add the user to the group that owns it (dialout)",
    errno.EBUSY: "is in use by another program: close it",
    errno.EAGAIN: "is in use by another program: close it",
    errno.EIO: "broke: was the cable unplugged?",
}


@dataclass(frozen=True, slots=True)
class Arrival:
    """A telegram, or an encrypted frame, and when its last byte had come."""

    said: Telegram | Frame
    time: HostTime


class P1Cable:
    """Keeps ``port`` open between start() and stop()."""

    def __init__(self, port: str, *, clock: Callable[[], HostTime], finder: FormFinder | None = None) -> None:
        self._path, self._clock = port, clock
        self._finder = finder or FormFinder()
        self._parser = host_parser()
        self._arrived: deque[Arrival] = deque(maxlen=_MOST_WAITING)
        self._faults: deque[Fault] = deque(maxlen=_MOST_WAITING)
        self._down_reason = ""
        self._wake: Callable[[], None] = lambda: None
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="p1-cable", daemon=True)

    def start(self, wake: Callable[[], None]) -> None:
        """Begin. ``wake`` is called in the cable's thread whenever there is something to fetch."""
        self._wake = wake
        self._thread.start()

    def stop(self) -> None:
        """Close the port and end the thread."""
        self._stopping.set()
        if self._thread.ident is not None:
            self._thread.join(timeout=5 * _READ_TIMEOUT_S)

    def arrived(self) -> list[Arrival]:
        """What has come since the last call, oldest first."""
        return [self._arrived.popleft() for _ in range(len(self._arrived))]

    def faults(self) -> list[Fault]:
        """What went wrong since the last call."""
        return [self._faults.popleft() for _ in range(len(self._faults))]

    @property
    def bad(self) -> Counter[str]:
        """Telegrams that were lost so far, by reason. While the form is being found, what is unreadable counts too."""
        return parser_bad(self._parser)

    # --- the thread ---

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                with serial.Serial(self._path, timeout=_READ_TIMEOUT_S, exclusive=True) as port:
                    self._down_reason = ""
                    self._set_form(port)
                    self._serve(port)
            except Exception as error:  # pyserial lets many kinds through (termios.error), and none may end this thread
                self._report_down(f"{self._path} {_WHY.get(getattr(error, 'errno', None) or 0, str(error))}")
            self._parser.pause()
            self._stopping.wait(_RETRY_S)

    def _serve(self, port: serial.Serial) -> None:
        last_s = self._clock().mono_s
        while not self._stopping.is_set():
            data = port.read(1)
            time = self._clock()
            if not data:
                if time.mono_s - last_s >= _QUIET_S:
                    self._keep(self._parser.pause(), time)
                continue
            last_s = time.mono_s
            data += port.read(port.in_waiting)
            found = self._parser.push(data)
            self._keep(found, time)
            if self._finder.heard(data, len(found), time.mono_s):
                self._set_form(port)

    def _set_form(self, port: serial.Serial) -> None:
        self._parser.pause()
        form = self._finder.form
        try:
            port.baudrate, port.bytesize, port.parity = form
            port.reset_input_buffer()
        except (OSError, termios.error) as error:  # some adapters know eight bits only: that reads most of the text
            reason = f"{self._path} can't be set to {form.baud} {form.data_bits}{form.parity}1: {error}"
            self._faults.append(("p1_cable_form", {"reason": reason}))

    def _keep(self, found: list[Telegram | Frame], time: HostTime) -> None:
        self._arrived.extend(Arrival(one, time) for one in found)
        if found:
            self._wake()

    def _report_down(self, reason: str) -> None:
        if reason != self._down_reason:
            self._down_reason = reason
            self._faults.append(("p1_cable_down", {"reason": reason, "note": "trying again"}))
            self._wake()
