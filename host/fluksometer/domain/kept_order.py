"""In which order kept records are taken, and when the board is asked for them once more.

This is docs/wire.md, "Kept records and their acknowledgement", as decisions. No clock and no port in here: times come in.
"""

from enum import Enum

from .link_events import Position

ASK_EVERY_S = 0.5  # at most so often, whatever the board sends
FRUITLESS = 4  # so many asks that brought nothing: is it still the same boot?
ECHO_S = 2.0  # what the board had sent before it heard an ask comes twice, for so long
RESTART_FELL_US = 10_000_000  # records of one boot are stamped in their order, but for so much
ECHO_FELL_US = 60_000_000  # as far back as an ask can make the board begin


class Verdict(Enum):
    """What to do with a kept record."""

    TAKE = "take"
    HAD = "had"  # a duplicate
    HOLE = "hole"  # something before it has not come


def judge(last: int, prev: int, seq: int) -> Verdict:
    """Of the kept record ``seq``, before which the board sent ``prev``, when ``last`` is the last number taken."""
    if seq <= last:
        return Verdict.HAD
    return Verdict.HOLE if prev > last else Verdict.TAKE


class KeptOrder:
    """How far the kept records of one board were taken, and whether it has to be asked for more."""

    def __init__(self, position: Position | None = None) -> None:
        self.position = position
        self._newest = 0  # kept number that is known to be there
        self._mark = (0, 0)  # a kept number, and when (board's clock, microseconds) no later one was made yet
        self._ask_at_s: float | None = None
        self._asked_s: float | None = None
        self._owed = False  # it is asked whatever comes meanwhile
        self._lacks = False  # something has not come, and that was told
        self._fruitless = 0

    @property
    def last(self) -> int:
        """The last number taken of the present boot."""
        return self.position.seq if self.position else 0

    def begin_boot(self, boot_id: int) -> None:
        """Numbers and the board's clock began anew; nothing is taken yet."""
        self.position = Position(boot_id, 0, 0)

    def meet(self, newest: int, t_us: int) -> None:
        """The board has said who it is, at ``t_us`` of its clock, with ``newest`` as its newest kept number."""
        self._newest, self._mark = newest, (newest, t_us)
        self._ask_at_s, self._owed, self._lacks, self._fruitless = None, False, False, 0

    def is_other_boot(self, boot_id: int, t_us: int) -> bool:
        """Whether a hello that shows these is of another boot; also of one that drew the same number by chance."""
        position = self.position
        return position is None or boot_id != position.boot_id or t_us + RESTART_FELL_US < position.t_us

    # --- records of a boot whose hello was lost ---

    def mark(self, newest: int, t_us: int) -> None:
        """A passing record was made at ``t_us``, when ``newest`` was the newest kept number."""
        if t_us > self._mark[1]:
            self._mark = (newest, t_us)

    def is_passing_stale(self, t_us: int) -> bool:
        """Whether a passing record is stamped long before others that came earlier."""
        return t_us + RESTART_FELL_US < max(self._mark[1], self._taken_us)

    def is_kept_stale(self, seq: int, t_us: int) -> bool:
        """Whether a kept record that is to be taken is stamped long before what was there when it was not yet made."""
        newest, marked_us = self._mark
        since_us = marked_us if seq > newest else 0
        return t_us + RESTART_FELL_US < max(since_us, self._taken_us)

    def is_odd_duplicate(self, t_us: int | None, now_s: float) -> bool:
        """Whether a number that was taken already comes at a time, or with a stamp, at which the board does not repeat itself."""
        if self._asked_s is None or now_s > self._asked_s + ECHO_S:
            return True
        return t_us is not None and abs(t_us - self._taken_us) > ECHO_FELL_US

    @property
    def _taken_us(self) -> int:
        return self.position.t_us if self.position else 0

    # --- progress and asking ---

    def take(self, seq: int, t_us: int | None, now_s: float) -> None:
        """The record ``seq`` is taken; ``t_us`` None: it tells no time of this boot."""
        assert self.position is not None
        self.position = Position(self.position.boot_id, seq, self.position.t_us if t_us is None else t_us)
        self._fruitless, self._lacks = 0, self._lacks and self._newest > seq
        if self._ask_at_s is not None and not self._owed:
            self._ask_at_s = now_s + ASK_EVERY_S if self._newest > seq else None

    def reveal(self, newest: int, now_s: float) -> bool:
        """There is a kept record ``newest``. Answers whether this is the first sign that something has not come."""
        self._newest = max(self._newest, newest)
        if newest <= self.last:
            return False
        if self._ask_at_s is None:
            self._ask_at_s = self._soonest_s(now_s)
        first, self._lacks = not self._lacks, True
        return first

    def ask(self, now_s: float) -> None:
        """Ask as soon as may be."""
        self._owed, self._ask_at_s = True, self._soonest_s(now_s)

    def asked(self, now_s: float) -> None:
        """The board has been asked; once more later, unless all comes."""
        self._asked_s, self._owed = now_s, False
        waits = self._newest > self.last
        self._fruitless += waits
        self._ask_at_s = now_s + ASK_EVERY_S if waits else None

    def _soonest_s(self, now_s: float) -> float:
        return now_s if self._asked_s is None else max(now_s, self._asked_s + ASK_EVERY_S)

    @property
    def ask_at_s(self) -> float | None:
        """When the board is to be asked; None: it need not."""
        return self._ask_at_s

    @property
    def in_vain(self) -> bool:
        """Whether it was asked often enough, and nothing new came."""
        return self._fruitless >= FRUITLESS
