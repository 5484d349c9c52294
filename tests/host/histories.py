"""A history on the disk of a test, and what a sink would put into it."""

import threading
from collections.abc import Iterable
from pathlib import Path

from fluksometer.domain.points import Point
from fluksometer.history import HistoryLog, HistorySink, new_log
from fluksometer.outbox import Outbox
from fluksometer.sinks import Seat
from fluksometer.storage.tmpo import Growth, Series, Store

SID = "0123456789abcdef0123456789abcde1"
SECTION = {"id": SID, "enable": 1, "class": "analog", "type": "electricity", "function": "main", "data_type": "counter"}
START_S = 1_422_798_848  # the first second of a block of level 12, 12288 s into one of level 16


def counter(time_s: int, wh: float, *, sid: str = SID, series: int = 0) -> Point:
    return Point(sid, series, "counter", time_s, round(wh * 1000), "Wh")


def growth(times: Iterable[int], milli: Iterable[int], *, sid: str = SID, rid: int = 0) -> Growth:
    return Growth(Series(sid, rid), {"id": sid, "rid": rid}, (list(times), list(milli)))


def store_at(root: Path) -> Store:
    store = Store(root)
    store.begin()
    return store


class Logger:
    """A sink with its log and outbox, whose turns and clock are the test's; the ledger is a list."""

    def __init__(
        self, root: Path, *, sections=(SECTION,), cursor: int = 0, points=(), most_bytes: int = 1 << 30
    ) -> None:
        self.now_s = float(START_S)
        self.told: list = []
        self.outbox = Outbox(keep=1 << 20)
        self.outbox.append(points)
        self.log: HistoryLog = new_log(root, most_bytes)
        self.log.configured({str(number): one for number, one in enumerate(sections)})
        self.written: list = []
        self.log.listeners.append(self.written.append)
        seat = Seat(self.outbox, cursor, self.told.append)
        self.sink = HistorySink(self.log, seat, clock=lambda: self.now_s, grace_s=4.0)
        self.history = self.log.history

    def turn(self, now_s: float | None = None, *points: Point) -> None:
        if points:
            self.outbox.append(points)
        self.now_s = self.now_s if now_s is None else now_s
        self.sink.turn()
        self.log.collect_reports()

    def close(self) -> None:
        self.log.store.close()


def values(
    history, start_s: int = 0, end_s: int = 1 << 40, *, sid: str = SID, **more
) -> dict[int, list[tuple[int, int]]]:
    """What is read, by rid."""
    found = history.read(sid, start_s, end_s, **more)
    return {rid: list(zip(times.tolist(), milli.tolist(), strict=True)) for rid, times, milli in found}


def in_threads(*works) -> None:
    threads = [threading.Thread(target=work) for work in works]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
