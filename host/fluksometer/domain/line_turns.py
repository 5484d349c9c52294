"""Who may use the RS-485 line: one at a time, in the order in which they asked. A turn is a request and what comes behind it."""

from collections import deque
from collections.abc import Hashable
from dataclasses import dataclass

QUIET_S = 0.05  # an answer with a pause of so long behind it has ended; the board tells each silence of 3.5 characters
LONGEST_CHARS = 256  # of an answer, by the Modbus standard


@dataclass(frozen=True, slots=True)
class Turn:
    """Bytes that go out in one piece, and who gets what comes behind them."""

    owner: Hashable
    data: bytes


class LineTurns:
    """``char_s``: what a character takes on the line; ``answer_s``: who has not begun to answer by then does not."""

    def __init__(self, char_s: float, answer_s: float) -> None:
        self._char_s, self._answer_s = char_s, answer_s
        self._waiting: deque[Turn] = deque()
        self._turn: Turn | None = None
        self._until_s = 0.0

    def ask(self, owner: Hashable, data: bytes) -> None:
        """Wait in line. Who asks again before their turn has ended waits for another one."""
        self._waiting.append(Turn(owner, data))

    def done(self) -> None:
        """The present turn has brought what it was for."""
        self._turn = None

    def forget(self, owner: Hashable) -> None:
        """They have gone. A turn of theirs that has begun goes on, so that nobody talks into its answer."""
        self._waiting = deque(turn for turn in self._waiting if turn.owner != owner)

    def clear(self) -> list[Hashable]:
        """The line is gone: whose turns come to nothing."""
        owners = [turn.owner for turn in (self._turn, *self._waiting) if turn]
        self._turn = None
        self._waiting.clear()
        return owners

    @property
    def owner(self) -> Hashable | None:
        """Whose turn it is; None: nobody's."""
        return self._turn.owner if self._turn else None

    def quiet_from(self, now_s: float) -> None:
        """The present turn ends when nothing more comes, and not before."""
        self._until_s = now_s + QUIET_S

    def step(self, now_s: float) -> tuple[Hashable | None, Turn | None]:
        """Whose turn has ended by its time, and the turn that begins now."""
        ended = None
        if self._turn and now_s >= self._until_s:
            ended, self._turn = self._turn.owner, None
        if self._turn or not self._waiting:
            return ended, None
        self._turn = self._waiting.popleft()
        self._until_s = now_s + self._answer_s + (len(self._turn.data) + LONGEST_CHARS) * self._char_s
        return ended, self._turn

    def next_deadline_s(self) -> float | None:
        """When step() has something to do."""
        return self._until_s if self._turn else None
