"""Bridges that start fast: a process that has imported everything forks one child for each run of the bridge.

Lines in on stdin: the configuration and the log, as JSON; out on stdout: the child's process id. The children are the same as
``fluksometer run`` in all but the time that the imports take; they can be killed like any process.
"""

import ctypes
import gc
import json
import os
import signal
import subprocess
import sys
import threading
import time
from argparse import Namespace
from pathlib import Path

from serial.tools import list_ports
from serial.tools.list_ports_common import ListPortInfo

from fluksometer.adapters.serial_link import USB_MICROPYTHON, USB_VENDOR

_PR_SET_PDEATHSIG = 1


class BridgeForks:
    """The side that asks."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process = subprocess.Popen(
            [sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        )

    def start(self, config: Path, log: Path) -> int:
        """A new bridge; its process id."""
        assert self._process.stdin and self._process.stdout
        with self._lock:
            print(json.dumps([str(config), str(log)]), file=self._process.stdin, flush=True)
            return int(self._process.stdout.readline())

    def close(self) -> None:
        """No more bridges; those that still run end too."""
        assert self._process.stdin
        self._process.stdin.close()
        self._process.wait(10)


def kill(pid: int, signum: int = signal.SIGKILL, timeout_s: float = 10.0) -> None:
    """End a bridge and wait until it is gone."""
    end_s = time.monotonic() + timeout_s
    try:
        os.kill(pid, signum)
        while time.monotonic() < end_s:
            os.kill(pid, 0)
            time.sleep(0.002)
    except ProcessLookupError:
        return
    raise TimeoutError(f"process {pid} does not end")


def is_running(pid: int) -> bool:
    """Whether it has not ended by itself."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def boards_on_usb(sites: Path) -> list[ListPortInfo]:
    """The virtual boards that are plugged in, as list_ports.comports() would show them: links usb-SERIAL in the sites' folders."""
    found = []
    for link in sorted(sites.glob("*/usb-*")):
        try:
            info = ListPortInfo(str(link.readlink()), skip_link_detection=True)
        except OSError:  # just pulled
            continue
        info.vid, info.pid, info.serial_number = USB_VENDOR, USB_MICROPYTHON, link.name.removeprefix("usb-")
        found.append(info)
    return found


def _run(config: str, log: str) -> None:
    # In the child.
    from fluksometer import run_command

    ctypes.CDLL(None).prctl(
        _PR_SET_PDEATHSIG, signal.SIGKILL
    )  # a bridge that is left over would take the ports of others
    list_ports.comports = lambda: boards_on_usb(Path(config).parent.parent)

    for signum in (signal.SIGCHLD, signal.SIGINT, signal.SIGHUP):
        signal.signal(signum, signal.SIG_DFL)
    os.dup2(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND), 2)
    os.dup2(os.open(os.devnull, os.O_RDWR), 0)
    os.dup2(0, 1)
    try:
        code = run_command.run(Namespace(config=Path(config), verbose=False))
    except BaseException:
        import traceback

        traceback.print_exc()
        code = 1
    sys.stderr.flush()
    os._exit(code)


def main() -> None:
    """Serve until stdin ends."""
    import fluksometer.adapters.calibration_file
    import fluksometer.calibrator
    import fluksometer.desks
    import fluksometer.linearity_tables
    import fluksometer.service

    fluksometer.linearity_tables.tables_by_chip("chip", Path())
    gc.collect()
    gc.freeze()  # what the children share stays shared
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody has to wait for them
    for line in sys.stdin:
        pid = os.fork()
        if not pid:
            _run(*json.loads(line))
        print(pid, flush=True)


if __name__ == "__main__":
    main()
