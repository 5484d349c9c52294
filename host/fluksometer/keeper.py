"""What the bridge keeps for good: once a second all that changed goes to the ledger, and only then may the board forget it."""

import asyncio
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import structlog

from fluksometer.domain.link_events import Position
from fluksometer.errors import Failure
from fluksometer.outbox import Outbox
from fluksometer.storage.ledger import Ledger, LedgerFault

COMMIT_EVERY_S: Final = 1.0
"""At most one write to the disk a second; what was not written yet, the board still has."""
MOST_UNWRITTEN: Final = 50_000  # points that wait for the disk; from there on the board keeps its records for itself
_TRIM_EVERY: Final = 60  # commits
_TRY_AGAIN_S: Final = 5.0
_NOT_BY_WAITING: Final = ("locked", "newer", "foreign")  # conditions that only a person ends
_log = structlog.get_logger("fluksometer")


class Keeper:
    """Writes the ledger. ``state`` answers by name what has to be known after a restart, ``cursors`` how far each sink is,
    ``stored`` is told up to which kept record of the board everything is on the disk."""

    def __init__(
        self,
        ledger: Ledger,
        *,
        state: Callable[[], Mapping[str, Any]],
        cursors: Callable[[], Mapping[str, int]],
        stored: Callable[[Position], None],
    ) -> None:
        self.outbox = Outbox(last_id=ledger.last_id, read_ledger=ledger.read)
        self.fault: LedgerFault | None = None  # why the last commit was none
        self._ledger, self._state, self._cursors, self._stored = ledger, state, cursors, stored
        self._position = ledger.position
        self._written = {name: _text(value) for name, value in ledger.states.items()}
        self._commits = 0

    @property
    def overfull(self) -> bool:
        """So much waits for the disk that nothing more should be taken."""
        return len(self.outbox.uncommitted()) >= MOST_UNWRITTEN

    def reached(self, position: Position | None) -> None:
        """Everything up to this record of the board has been taken, and no moment is open."""
        self._position = position

    async def keep(self) -> None:
        """Commit once a second, until cancelled."""
        while True:
            await asyncio.sleep(COMMIT_EVERY_S)
            await self.commit()

    async def commit(self) -> None:
        """Write what changed. A fault is told once, and what was to be written stays for the next time."""
        cursors, position = dict(self._cursors()), self._position
        points, last_id = self.outbox.uncommitted(), self.outbox.last_id
        texts = {name: _text(value) for name, value in self._state().items()}
        changed = {name: json.loads(text) for name, text in texts.items() if text != self._written.get(name)}
        try:
            await asyncio.to_thread(self._write, position, changed, points, cursors)
        except LedgerFault as fault:
            self._tell(fault)
            return
        self._tell(None)
        self._written |= texts
        self.outbox.committed(last_id)
        if position:
            self._stored(position)

    def close(self) -> None:
        """The ledger is no longer used."""
        self._ledger.close()

    # --- in the commit's thread ---

    def _write(self, *what: Any) -> None:
        self._ledger.commit(*what)
        self._commits += 1
        if self._commits % _TRIM_EVERY == 0:
            for sink, count in self._ledger.trim().items():
                _log.error("readings_dropped", sink=sink, count=count, note="the ledger is full: see docs/ledger.md")
        for report in self._ledger.take_reports():
            _log.error("ledger", condition=report.condition, reason=report.text)

    def _tell(self, fault: LedgerFault | None) -> None:
        before, self.fault = self.fault, fault
        if fault and (before is None or before.condition != fault.condition):
            _log.error("ledger", condition=fault.condition, reason=str(fault), note="readings go on, the board keeps its records")
        if before and fault is None:
            _log.info("ledger", condition="ok")


async def open_ledger(path: Path, limit_bytes: int, stop: asyncio.Event) -> Ledger | None:
    """The ledger, as soon as its disk lets it be used; None when ``stop`` came first. Totals are in it, so nothing works without.

    Failure when waiting does not help.
    """
    told = ""
    while not stop.is_set():
        try:
            return await asyncio.to_thread(Ledger.open, path, limit_bytes=limit_bytes)
        except LedgerFault as fault:
            if fault.condition in _NOT_BY_WAITING:
                raise Failure(str(fault)) from fault
            if fault.condition != told:
                _log.error("ledger", condition=fault.condition, reason=str(fault), note="nothing is read until then")
            told = fault.condition
        try:
            async with asyncio.timeout(_TRY_AGAIN_S):
                await stop.wait()
        except TimeoutError:
            pass
    return None


def _text(value: object) -> str:
    return json.dumps(value, separators=(",", ":"), sort_keys=True, allow_nan=False)
