"""What the bridge keeps for good: once a second all that changed goes to the ledger, and only then may the board forget it."""

import asyncio
import contextlib
import json
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import structlog

from fluksometer.domain.keeping_health import LedgerState, SinkState
from fluksometer.domain.link_events import Position
from fluksometer.domain.points import Point
from fluksometer.errors import Failure
from fluksometer.outbox import Outbox
from fluksometer.storage.ledger import Ledger, LedgerFault

LEDGER_FILE: Final = "ledger.db"
COMMIT_EVERY_S: Final = 1.0
"""At most one write to the disk a second; what was not written yet, the board still has."""
MOST_UNWRITTEN: Final = 50_000  # points that wait for the disk; from there on the board keeps its records for itself
_TRIM_EVERY: Final = 60  # commits
_TRY_AGAIN_S: Final = 5.0
_NOT_BY_WAITING: Final = ("locked", "newer", "foreign")  # conditions that only a person ends
_log = structlog.get_logger("fluksometer")


class Keeper:
    """Writes the ledger. ``state`` answers by name what has to be known after a restart, ``cursors`` how far each sink is;
    ``saved`` is called when both are on the disk, ``stored`` told up to which kept record of the board everything is there, and
    ``wake`` called when there is something for the sinks."""

    def __init__(
        self,
        ledger: Ledger,
        *,
        state: Callable[[], Mapping[str, Any]],
        cursors: Callable[[], Mapping[str, int]],
        saved: Callable[[], None],
        wake: Callable[[], None],
        stored: Callable[[Position], None],
    ) -> None:
        self.outbox = Outbox(last_id=ledger.last_id, read_ledger=ledger.read)
        self.fault: LedgerFault | None = None  # why the last commit was none
        self._ledger, self._state, self._cursors, self._stored = ledger, state, cursors, stored
        self._saved, self._hurry = saved, asyncio.Event()
        self._wake = wake
        self._totals: list[Point] = []  # not stored, so not published
        self._late: list[Point] = []  # came while the ledger was written
        self._writing = False
        self._position = ledger.position
        self._written = {name: _text(value) for name, value in ledger.states.items()}
        self._last: tuple[Position | None, Mapping[str, int]] = ledger.position, {}
        self._commits = 0
        self._commit_s = 0.0  # what the slowest of the last minute took
        self._reports: list[str] = []  # of rescues, not told to the health yet
        self._dropped: Counter[str] = Counter()  # by sink: readings that gave way to the ledger's limit
        self._oldest: dict[str, int] = {}  # by sink: second of the first reading that it lacks

    @property
    def overfull(self) -> bool:
        """So much waits for the disk that nothing more should be taken."""
        return self.outbox.waiting + len(self._totals) >= MOST_UNWRITTEN

    def publish(self, points: Sequence[Point]) -> None:
        """Hand readings to the sinks: present values at once, totals when they are stored. So whatever dies, bridge and board at
        once too, no total ever falls behind one that was published."""
        present = [point for point in points if point.kind == "gauge"]
        self._totals += [point for point in points if point.kind == "counter"]
        if self._writing:  # the ledger is giving the totals their ids
            self._late += present
        elif present:
            self.outbox.append(present)
            self._wake()

    def reached(self, position: Position | None) -> None:
        """Everything up to this record of the board has been taken, and no moment is open."""
        self._position = position

    @property
    def ledger_state(self) -> LedgerState:
        """How the ledger fares; rescues are told once."""
        reports, self._reports = self._reports, []
        condition, reason = (self.fault.condition, str(self.fault)) if self.fault else ("ok", "")
        return LedgerState(state=condition, reason=reason, commit_s=self._commit_s, report="; ".join(reports))

    def sink_state(self, name: str, cursor: int, down: str | None, wall_s: float) -> SinkState:
        """How a sink fares that has handed on everything up to ``cursor``; ``down``: why it is not up."""
        waiting = self.outbox.last_id - cursor
        oldest_s = max(0.0, wall_s - self._oldest[name]) if waiting and name in self._oldest else 0.0
        return SinkState(
            up=down is None,
            reason=down or "",
            waiting=waiting,
            cursor=cursor,
            oldest_s=oldest_s,
            dropped=self._dropped[name],
        )

    async def keep(self) -> None:
        """Commit once a second, until cancelled."""
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(COMMIT_EVERY_S):
                    await self._hurry.wait()
            self._hurry.clear()
            commit = asyncio.create_task(self.commit())
            try:
                await asyncio.shield(commit)
            except asyncio.CancelledError:  # what its thread has begun goes on, and has to be known here
                await commit
                raise

    def hurry(self) -> None:
        """Somebody waits for the next commit: now, not when a second is over."""
        self._hurry.set()

    async def commit(self) -> None:
        """Write what changed. A fault is told once, and what was to be written stays for the next time."""
        cursors, position = dict(self._cursors()), self._position
        count = len(self._totals)
        points = self.outbox.uncommitted() + self._totals
        texts = {name: _text(value) for name, value in self._state().items()}
        # Read back from the text: a copy that stays as it is while the thread writes it.
        changed = {name: json.loads(text) for name, text in texts.items() if text != self._written.get(name)}
        if not points and not changed and (position, cursors) == self._last:
            self._saved()
            return
        self._writing = True
        try:
            await asyncio.to_thread(self._write, position, changed, points, cursors)
        except LedgerFault as fault:
            self._tell(fault)
            return
        else:
            self.outbox.committed(self.outbox.append(self._totals[:count]))
            del self._totals[:count]
        finally:
            self._writing = False
            self.outbox.append(self._late)
            self._late.clear()
            self._wake()
        self._tell(None)
        self._written |= texts
        self._last = position, cursors
        self._saved()
        if position:
            self._stored(position)
        try:
            await asyncio.to_thread(self._look_after, cursors)
        except LedgerFault as fault:
            self._tell(fault)

    def close(self) -> None:
        """The ledger is no longer used."""
        self._ledger.close()

    # --- in a thread ---

    def _write(
        self,
        position: Position | None,
        states: Mapping[str, Any],
        points: Sequence[Point],
        cursors: Mapping[str, int],
    ) -> None:
        for name in self._ledger.cursors.keys() - cursors.keys():
            self._ledger.forget_sink(name)  # it is configured no more
        began_s = time.monotonic()
        self._ledger.commit(position, states, points, cursors)
        self._commit_s = max(self._commit_s, time.monotonic() - began_s)

    def _look_after(self, cursors: Mapping[str, int]) -> None:
        # Apart from the commit: a fault in here must not make it look undone.
        self._commits += 1
        if self._commits % _TRIM_EVERY == 0:
            self._commit_s = 0.0
            for sink, count in self._ledger.trim().items():
                self._dropped[sink] += count
        for report in self._ledger.take_reports():
            self._reports.append(report.text)
            _log.error("ledger", condition=report.condition, reason=report.text)
        for sink, cursor in cursors.items():
            self._oldest.pop(sink, None)
            for _, point in self._ledger.read(cursor, 1):
                self._oldest[sink] = point.time_s

    def _tell(self, fault: LedgerFault | None) -> None:
        before, self.fault = self.fault, fault
        if fault and (before is None or before.condition != fault.condition):
            _log.error(
                "ledger",
                condition=fault.condition,
                reason=str(fault),
                note="readings go on, the board keeps its records",
            )
        if before and fault is None:
            _log.info("ledger", condition="ok")


async def open_ledger(path: Path, limit_bytes: int) -> Ledger:
    """The ledger, as soon as its disk lets it be used: totals are in it, so nothing works without.

    Failure when waiting does not help.
    """
    told = ""
    while True:
        try:
            return await asyncio.to_thread(Ledger.open, path, limit_bytes=limit_bytes)
        except LedgerFault as fault:
            if fault.condition in _NOT_BY_WAITING:
                raise Failure(str(fault)) from fault
            if fault.condition != told:
                _log.error("ledger", condition=fault.condition, reason=str(fault), note="nothing is read until then")
            told = fault.condition
        await asyncio.sleep(_TRY_AGAIN_S)


def _text(value: object) -> str:
    return json.dumps(value, separators=(",", ":"), sort_keys=True, allow_nan=False)
