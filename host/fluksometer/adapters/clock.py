"""The host's clocks."""

import time

from fluksometer.domain.board_clock import HostTime


def host_time() -> HostTime:
    """Now, on both clocks."""
    return HostTime(mono_s=time.monotonic(), wall_s=time.time())
