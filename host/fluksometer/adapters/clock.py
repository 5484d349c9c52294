"""The host's clocks, and what it knows of them."""

import ctypes
import os
import sys
import time
from pathlib import Path

from fluksometer.domain.board_clock import HostTime
from fluksometer.domain.clock_trust import BUILT_S, ClockFacts

_RTCS = Path("/sys/class/rtc")
_TIMESYNCD = Path("/run/systemd/timesync/synchronized")
_TIME_ERROR = 5  # adjtimex(2): the clock is not synchronised
_TIMEX_BYTES = 512  # struct timex has 208 at most; all zero it asks and changes nothing
_PC = (
    "x86_64",
    "i686",
    "i586",
    "i386",
)  # the kernel reads CMOS or hypervisor when it starts, also without /sys/class/rtc
_QUICK_S = 0.0002
_RAW = getattr(time, "CLOCK_MONOTONIC_RAW", None)  # time.monotonic() is slewed with the wall clock, on Linux


def host_time() -> HostTime:
    """Now, on both clocks: the steady one that nobody slews, and UTC. Read again when the process was held up between them."""
    best_s, best = float("inf"), HostTime(mono_s=0.0, wall_s=0.0)
    for _ in range(3):
        before_s = _mono_s()
        wall_s = time.time()
        took_s = _mono_s() - before_s
        if took_s < best_s:
            best_s, best = took_s, HostTime(mono_s=before_s + took_s / 2, wall_s=wall_s)
        if took_s <= _QUICK_S:
            break
    return best


def clock_facts() -> ClockFacts:
    """What this host knows of its clock."""
    return ClockFacts(synchronised=_synchronised(), battery_clock=_battery_clock())


def _mono_s() -> float:
    return time.monotonic() if _RAW is None else time.clock_gettime(_RAW)


def _synchronised() -> bool:
    try:
        answer = ctypes.CDLL(None).adjtimex((ctypes.c_long * (_TIMEX_BYTES // ctypes.sizeof(ctypes.c_long)))())
    except (OSError, AttributeError):  # no Linux
        answer = -1
    return 0 <= answer < _TIME_ERROR or _TIMESYNCD.exists()


def _battery_clock(rtcs: Path = _RTCS) -> bool:
    if sys.platform != "linux" or os.uname().machine in _PC:
        return True
    return any(_shows_time(rtc) for rtc in rtcs.glob("rtc*"))


def _shows_time(rtc: Path) -> bool:
    # Without its battery (a Raspberry Pi 5 has none when it is bought) it counts from 1970.
    try:
        return int((rtc / "since_epoch").read_text()) >= BUILT_S
    except (OSError, ValueError):
        return False
