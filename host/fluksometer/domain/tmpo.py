"""TMPO blocks by name: which second lies in which, what is closed when, what becomes one (docs/tmpo.md).

A series is the values of one sensor under one recycle id (rid), a new one after each reset. Its blocks lie side by side and
never over each other: 256 s (level 8), 4096 s (12), 65536 s (16) and 1048576 s (20).
"""

import re
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

LEVELS: Final = (8, 12, 16, 20)
STEP: Final = 4  # levels from child to parent: sixteen children
SLOT_S: Final = 1 << LEVELS[0]
CLOCK_LEAST_S: Final = 1_234_567_890
"""A clock that stands before this second was never set: nothing is stored."""
MOST_S: Final = 1 << 40  # no block begins later

_SENSOR_ID = re.compile(r"[0-9a-f]{32}")
_NUMBER = re.compile(r"0|[1-9][0-9]{0,12}")


class BlockName(NamedTuple):
    """A block among those of its sensor."""

    rid: int
    lvl: int
    bid: int  # its first second, a multiple of its span

    @property
    def span_s(self) -> int:
        """Seconds from its begin to its end."""
        return 1 << self.lvl

    @property
    def tail_s(self) -> int:
        """Its last second."""
        return self.bid + self.span_s - 1

    @property
    def parent(self) -> "BlockName":
        """The block that this one becomes a part of."""
        return BlockName(self.rid, self.lvl + STEP, begin_of(self.bid, self.lvl + STEP))

    def covers(self, other: "BlockName") -> bool:
        """Whether the other one lies inside this one, or is this one."""
        return self.rid == other.rid and self.bid <= other.bid and other.tail_s <= self.tail_s


def begin_of(time_s: int, lvl: int) -> int:
    """The first second of the block of this level in which a second lies."""
    return time_s >> lvl << lvl


def is_sensor_id(text: object) -> bool:
    """32 lower-case hexadecimal digits."""
    return isinstance(text, str) and _SENSOR_ID.fullmatch(text) is not None


def block_name(rid: str, lvl: str, bid: str) -> BlockName | None:
    """A block from the parts of its path or topic; None when they name none."""
    if not all(_NUMBER.fullmatch(part) for part in (rid, lvl, bid)):
        return None
    name = BlockName(int(rid), int(lvl), int(bid))
    right = name.lvl in LEVELS and name.bid < MOST_S and name.bid % name.span_s == 0 and name.rid < 1 << 31
    return name if right else None


def ripe(names: Iterable[BlockName], now_s: float) -> list[BlockName]:
    """Blocks of one series that become one: the first of all siblings, of the lowest level, whose parent lies before that of
    the present moment. Ascending; none when nothing is to do."""
    blocks = sorted(names, key=lambda name: name.bid)
    for lvl in LEVELS[:-1]:
        begin_s = begin_of(int(now_s), lvl + STEP)
        for name in blocks:
            if name.lvl == lvl and name.parent.bid < begin_s:
                return [one for one in blocks if name.parent.covers(one)]
    return []


def overlapping(names: Sequence[BlockName], begin_s: int, end_s: int) -> list[BlockName]:
    """Those that have a second in common with ``begin_s`` to ``end_s``, both included."""
    return [name for name in names if name.bid <= end_s and name.tail_s >= begin_s]


class Closing:
    """When blocks of level 8 are written: each a grace after its end, so that what comes late is in it too."""

    def __init__(self, grace_s: float) -> None:
        """``grace_s``: also how long is waited at the start, in which an earlier run's values come again."""
        self._grace_s = grace_s
        self._at_s: float | None = None
        self._begin_s = 0

    def due(self, now_s: float) -> int | None:
        """All blocks that begin before this second are to be written now; None: none yet."""
        if now_s < CLOCK_LEAST_S:
            return None
        begin_s = begin_of(int(now_s), LEVELS[0])
        if self._at_s is None or self._at_s > now_s + SLOT_S + self._grace_s:  # just begun, or the clock was set back
            self._at_s = now_s + self._grace_s
        if now_s < self._at_s or begin_s == self._begin_s:
            return None
        return begin_s

    def closed(self, begin_s: int) -> None:
        """They are written."""
        self._begin_s = begin_s
        self._at_s = begin_s + SLOT_S + self._grace_s
