"""The history as it grows: the sink that writes it, and what is read of it (docs/tmpo.md)."""

import random
import threading
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Final

from fluksometer.config import Config, history_dir
from fluksometer.domain.open_series import Channel, OpenSeries, Sections, Values, is_logged
from fluksometer.domain.tmpo import LEVELS, Closing, begin_of
from fluksometer.errors import StateFault
from fluksometer.outbox import Numbered
from fluksometer.sinks import Seat, Sink, SinkChanged
from fluksometer.storage.tmpo import Growth, Series, Store, StoredHistory, Written

GRACE_S: Final = (4.0, 20.0)
"""How long after its end a block of level 8 is written: by chance between these, so that a server is not called by all at once."""
_TICK_S: Final = 1.0
_RETRY_S: Final = 10.0
_GOODBYE_S: Final = 5.0
_READ_AT_ONCE: Final = 5000  # points
_BACKLOG_MOST: Final = 50_000  # values in memory beside those of the present block; then they are written at once


class HistoryLog:
    """What is in the store and what is on its way there; for any thread, but for ``push``, ``write`` and ``care``, which are the
    sink's."""

    def __init__(self, store: Store, most_bytes: int) -> None:
        self.store, self._most_bytes = store, most_bytes
        self.history = StoredHistory(store, self)
        self.listeners: list[Callable[[Written], None]] = []
        """Called with each block that is finished or has grown, in the sink's thread."""
        self.begun = False  # the store has looked at what is on the disk
        self._open = OpenSeries(self._stored_s)
        self._lock = threading.Lock()
        self._reports: list[str] = []

    def configured(self, sections: Mapping[str, Mapping[str, object]]) -> None:
        """The sensor configuration, as published."""
        by_id: Sections = {str(one["id"]): one for one in sections.values() if "id" in one}
        with self._lock:
            self._open.sections = by_id

    def take_reports(self) -> list[str]:
        """What a person should know, since last asked."""
        with self._lock:
            taken, self._reports = self._reports, []
        return taken

    @property
    def counts(self) -> dict[str, int]:
        """For the summary in the log."""
        return dict(self._open.counts)

    # --- what is in no file yet ---

    def sensors(self) -> list[str]:
        """See Unwritten."""
        with self._lock:
            return self._open.sensors()

    def samples(self, sensor_id: str) -> dict[int, Values]:
        """See Unwritten."""
        with self._lock:
            found = self._open.sensor(sensor_id)
        return {channel.rid: samples for channel, samples in found.items() if self._logged(channel, found)}

    # --- in the sink's thread ---

    @property
    def unwritten(self) -> int:
        """How many values are in no file yet."""
        return len(self._open)

    def first_number(self) -> int | None:
        """Of the earliest point that is in no file yet."""
        return self._open.first_number()

    @property
    def newest_s(self) -> int:
        """The newest second of all that was pushed."""
        return self._open.newest_s

    def push(self, points: list[Numbered]) -> None:
        """Points of the outbox."""
        with self._lock:
            for number, point in points:
                self._open.push(number, point)

    def write(self, before_s: int) -> None:
        """Everything before this second goes to the files. Raises HistoryFault; then it is all to be written again."""
        found = self._open.before(before_s)
        growths = [
            Growth(Series(channel.sensor_id, channel.rid), self._open.cfg(channel), samples)
            for channel, samples in sorted(found.items(), key=lambda one: one[0])
            if self._logged(channel, found)
        ]
        written = self.store.append(growths)
        with self._lock:
            self._open.drop_before(before_s)
        self._tell(written)

    def care(self, now_s: float, stopped: Callable[[], bool]) -> None:
        """Compacts, keeps to the size that is allowed, sets damage aside. Raises HistoryFault."""
        for written in self.store.compact(now_s):
            self._tell(written)
            if stopped():
                return
        self.store.drop_oldest(self._most_bytes)
        self.store.tidy()

    def collect_reports(self) -> None:
        """Those of the store, for ``take_reports``."""
        reports = self.store.take_reports()
        with self._lock:
            self._reports += reports

    def _tell(self, written: list[Written]) -> None:
        for one in written:
            for listener in self.listeners:
                listener(one)

    def _stored_s(self, sensor_id: str, rid: int) -> int | None:
        tail = self.store.tail(Series(sensor_id, rid))
        return tail[0] if tail else None

    def _logged(self, channel: Channel, others: Mapping[Channel, Values]) -> bool:
        section = self._open.sections.get(channel.sensor_id) or self.store.cfg(channel.sensor_id)
        if section is not None:
            return is_logged(section, channel.kind)
        return channel.kind == "counter" or channel._replace(kind="counter") not in others  # nobody has told of it yet


class HistorySink:
    """Reads the outbox into the log. Its cursor moves when values are in files: until then the ledger keeps them."""

    name = "tmpo"

    def __init__(
        self,
        log: HistoryLog,
        seat: Seat,
        *,
        clock: Callable[[], float] = time.time,
        grace_s: float | None = None,
        tick_s: float = _TICK_S,
    ) -> None:
        """``grace_s``: None: by chance. ``clock``: UTC in seconds."""
        self.cursor = min(seat.cursor, seat.outbox.last_id)
        self.published = 0
        self.down: str | None = None
        self._log, self._outbox, self._tell, self._clock, self._tick_s = log, seat.outbox, seat.tell, clock, tick_s
        self._read_id = self.cursor
        self._write_at = _BACKLOG_MOST
        self._closing = Closing(random.uniform(*GRACE_S) if grace_s is None else grace_s)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="tmpo-sink", daemon=True)

    def start(self) -> None:
        """Log, until stopped."""
        self._thread.start()

    def wake(self) -> None:
        """It looks once a second anyway: nobody waits for it."""

    def stop(self) -> None:
        """End the thread. What is in no file yet comes again from the ledger, also what a slow disk is still writing."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(_GOODBYE_S)
        if not self._thread.is_alive():
            self._log.store.close()

    def _run(self) -> None:
        wait_s = self._tick_s
        while not self._stopping.wait(wait_s):
            try:
                self.turn()
                self._say(None)
                wait_s = self._tick_s
            except StateFault as fault:
                self._say(str(fault))
                wait_s = _RETRY_S
            self._log.collect_reports()

    def turn(self) -> None:
        """Read what is new, write what is due. Raises StateFault."""
        if not self._log.begun:
            self._log.store.begin()
            self._log.begun = True
        self._read()
        now_s = self._clock()
        before_s = self._closing.due(now_s)
        if before_s is not None:
            self._log.write(before_s)
            self._closing.closed(before_s)
            self._log.care(now_s, self._stopping.is_set)
            self._write_at = self._log.unwritten + _BACKLOG_MOST
        first = self._log.first_number()
        self.cursor = self._read_id if first is None else first - 1

    def _read(self) -> None:
        while not self._stopping.is_set():
            if self._log.unwritten >= self._write_at:  # a backlog: memory is for what belongs together
                self._log.write(begin_of(int(self._clock()), LEVELS[0]))
                self._log.care(self._log.newest_s, self._stopping.is_set)
                self._write_at = self._log.unwritten + _BACKLOG_MOST
            points = self._outbox.read(self._read_id, _READ_AT_ONCE)
            if not points:
                return
            self._log.push(points)
            self._read_id = points[-1][0]
            self.published += len(points)

    def _say(self, reason: str | None) -> None:
        if reason != self.down:
            self.down = reason
            self._tell(SinkChanged(self.name, reason or ""))


def new_log(root: Path, most_bytes: int) -> HistoryLog:
    """Of the store in a directory, which is used only when the sink begins."""
    return HistoryLog(Store(root), most_bytes)


def open_log(config: Config, source: Path) -> HistoryLog | None:
    """As the configuration has it; None: none is kept."""
    return new_log(history_dir(config, source), config.tmpo.most_mb << 20) if config.tmpo.enable else None


def sinks_of(log: HistoryLog | None) -> dict[str, Callable[[Seat], Sink]]:
    """What makes the sink of a history that is kept."""
    return {HistorySink.name: partial(HistorySink, log)} if log else {}
