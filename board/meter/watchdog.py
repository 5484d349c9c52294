# The chip's watchdog is fed only while every task makes progress. A task says that it is alive at each of its rounds, or that
# it rests: waits for what may never come, such as a word from the host.
from shared._compat import const

POWER_ON, WATCHDOG, BY_PROGRAM, FAULT = const(1), const(3), const(4), const(5)  # HELLO.reset_cause
# Notes in a register that a chip reset leaves alone and a power-up clears.
RUNNING, FAULTED, ENDED = const(0x0464C554), const(0x0464C555), const(0x0464C556)
_BY_TIMER = const(1)  # REASON of the chip
_PATIENCE = const(12)  # looks, one a second: a board that counts nothing has something to say each ten seconds


def cause_of(reason, note):
    """HELLO.reset_cause from the chip's REASON and the note that the last run has left."""
    if note == FAULTED:
        return FAULT
    if note == RUNNING and reason & _BY_TIMER:
        return WATCHDOG
    return BY_PROGRAM if reason or note == ENDED else POWER_ON


class Watchdog:
    """feed(): the chip begins to count anew."""

    def __init__(self, feed):
        self._feed = feed
        self._looks = {}  # by task: without progress
        self._resting = set()

    def alive(self, task):
        """This task has made progress, and will again soon."""
        self._looks[task] = 0
        self._resting.discard(task)

    def rest(self, task):
        """This task waits for something that may never come."""
        self._resting.add(task)

    def look(self):
        """Once a second: feeds, or returns the name of a task that makes no progress."""
        for task, looks in self._looks.items():
            if task in self._resting:
                continue
            if looks >= _PATIENCE:
                return task
            self._looks[task] = looks + 1
        self._feed()
        return None
