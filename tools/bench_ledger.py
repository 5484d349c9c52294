"""The ledger's part of the benchmarks: what a commit writes, how fast a backlog drains, what an accelerated year leaves."""

import gc
import os
import random
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from accuracy_waves import Figure
from fluksometer.domain.link_events import Position
from fluksometer.domain.points import Point
from fluksometer.storage.ledger import Ledger, tables
from fluksometer.storage.ledger.blocks import pack

LIMIT_BYTES = 512 << 20
DAY_S = 86_400
START_S = 1_763_800_000
SENSORS = [f"{number:032x}" for number in range(6)]
DRAIN_LEAST_PER_S = 20_000
POINT_MOST_BYTES = 16
Say = Callable[[str], None]


def second(number: int) -> tuple[Position, dict[str, object], list[Point]]:
    """What a typical second brings: six states of a hundred bytes, six points."""
    states = {
        f"sensor {one[-2:]}": {"energy_uwh": 5_000_000_000_000 + number * 638_889, "rest": [number, 3600], "board": "e66160f423",
                               "total": number * 2_033_600_000}
        for one in SENSORS
    }  # fmt: skip
    points = [
        Point(one, 0, "gauge", START_S + number, 2_300_000 + number % 997 * 1000, "W", True)
        if at % 2
        else Point(one, 0, "counter", START_S + number, 5_000_000_000 + number * 640, "Wh", True)
        for at, one in enumerate(SENSORS)
    ]
    return Position(0x1234_5678, number, number * 1_000_000), states, points


def run_seconds(ledger: Ledger, first: int, count: int) -> None:
    """Seconds of normal running: the sink passes each point a second later."""
    for number in range(first, first + count):
        position, states, points = second(number)
        ledger.commit(position, states, points, {"mqtt": ledger.last_id})


def _written_bytes() -> int:
    """What this process has given the disk to write, in whole pages of the system."""
    return int(re.search(r"^write_bytes: (\d+)", Path("/proc/self/io").read_text(), re.M)[1])  # type: ignore[index]


def _open_files() -> int:
    return len(os.listdir("/proc/self/fd"))  # noqa: PTH208


def _resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e6


def _size_mb(path: Path) -> float:
    return sum(one.stat().st_size for one in path.parent.glob(path.name + "*")) / 1e6


def wear(folder: Path, count: int) -> Iterator[Figure]:
    """Bytes and syncs of normal running."""
    ledger = Ledger.open(folder / "wear", limit_bytes=LIMIT_BYTES)
    run_seconds(ledger, 0, 1000)  # the log has its full size then
    before, began = _written_bytes(), time.monotonic()
    run_seconds(ledger, 1000, count)
    took_s, written = time.monotonic() - began, _written_bytes() - before
    ledger.close()
    yield Figure(metric="bytes_per_commit", value=written / count, unit="bytes")
    yield Figure(metric="bytes_per_day", value=written / count * DAY_S / 1e6, unit="MB")
    yield Figure(metric="commit_time", value=took_s / count * 1000, unit="ms")


def syncs(count: int) -> Iterator[Figure]:
    """Syncs of so many commits, counted by strace, checkpoints included."""
    if shutil.which("strace") is None:
        return
    with tempfile.TemporaryDirectory() as name:
        trace = Path(name) / "trace"
        program = (
            "import sys, pathlib; from bench_ledger import *; "
            f"ledger = Ledger.open(pathlib.Path({name!r}) / 'ledger', limit_bytes=LIMIT_BYTES); run_seconds(ledger, 0, {count}); "
            "os._exit(0)"
        )
        command = ["strace", "-f", "-e", "trace=fsync,fdatasync", "-o", str(trace), sys.executable, "-c", program]
        subprocess.run(command, check=True, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)})
        found = sum("sync(" in line for line in trace.read_text().splitlines())
    yield Figure(metric="syncs_per_commit", value=found / count, unit="syncs")


def build(path: Path, seconds: int) -> None:
    """What a commit each second leaves while the sink is away, written in few transactions."""
    position, _, points = second(0)
    ledger = Ledger.open(path, limit_bytes=LIMIT_BYTES)
    ledger.commit(position, {}, points, {"mqtt": 0})
    ledger.close()
    db = tables.connect(path)
    numbers = {channel: number for number, channel in tables.read_channels(db).items()}
    db.execute("BEGIN IMMEDIATE")
    for number in range(1, seconds):
        points = second(number)[2]
        last_id = (number + 1) * len(points)
        tables.write_block(db, last_id, pack(last_id, points, numbers.__getitem__))
    tables.write_head(db, seconds * len(points), position)
    db.execute("COMMIT")
    db.close()


def backlog(folder: Path, days: float, say: Say) -> Iterator[Figure]:
    """A sink that was away for days, and its drain."""
    path, seconds = folder / "backlog", int(days * DAY_S)
    say(f"building {days:g} days of backlog")
    build(path, seconds)
    yield Figure(
        metric="backlog_bytes_per_point", value=_size_mb(path) * 1e6 / seconds / 6, unit="bytes", limit=POINT_MOST_BYTES
    )
    yield Figure(metric="backlog_size", value=_size_mb(path), unit="MB", limit=LIMIT_BYTES / 1e6)
    began = time.monotonic()
    ledger = Ledger.open(path, limit_bytes=LIMIT_BYTES)
    yield Figure(metric="backlog_open", value=time.monotonic() - began, unit="s")
    say("draining it")
    yield from drain(ledger, seconds * 6)
    ledger.close()


def drain(ledger: Ledger, expected: int) -> Iterator[Figure]:
    """Every point once, in order, the cursor committed every 5000."""
    began, at, slowest_s = time.monotonic(), 0, 0.0
    while True:
        asked = time.monotonic()
        found = ledger.read(at, 5000)
        slowest_s = max(slowest_s, time.monotonic() - asked)
        if not found:
            break
        assert found[0][0] == at + 1 and found[-1][0] == at + len(found)
        at = found[-1][0]
        ledger.commit(cursors={"mqtt": at})
    took_s = time.monotonic() - began
    assert at == expected
    yield Figure(metric="drain_rate", value=at / took_s, unit="points/s", limit=DRAIN_LEAST_PER_S, at_least=True)
    yield Figure(metric="drain_slowest_read", value=slowest_s * 1000, unit="ms")


def year(folder: Path, count: int, say: Say) -> Iterator[Figure]:
    """Commits with outages, restarts of the sink and trimming at a small limit: what grows?"""
    path, limit_bytes = folder / "year", 2 << 20
    ledger = Ledger.open(path, limit_bytes=limit_bytes)
    luck, delivered, unsent = random.Random(5), 0, 0
    marks: list[tuple[float, int]] = []
    away, largest = 0, 0.0
    for number in range(count):
        position, states, points = second(number)
        away = max(0, away - 1) or (luck.random() < 1e-4 and luck.randrange(60_000)) or 0
        delivered = delivered if away else ledger.last_id
        ledger.commit(position, states, points, {"mqtt": delivered})
        if number % 60 == 0:
            unsent += sum(ledger.trim().values())
            largest = max(largest, _size_mb(path))
        if number % (count // 10) == count // 10 - 1:
            gc.collect()
            marks.append((_resident_mb(), _open_files()))
            say(f"{number + 1} commits: {_size_mb(path):.1f} MB on the disk, {marks[-1][0]:.1f} MB of memory")
    ledger.close()
    yield Figure(metric="year_commits", value=count, unit="commits")
    yield Figure(metric="year_largest_file", value=largest, unit="MB", limit=limit_bytes / 1e6)
    yield Figure(metric="year_memory_growth", value=marks[-1][0] - marks[1][0], unit="MB", limit=4)
    yield Figure(metric="year_handle_growth", value=marks[-1][1] - marks[0][1], unit="handles", limit=0)
    yield Figure(metric="year_unsent_told", value=unsent, unit="points")


def figures(folder: Path, full: bool, say: Say) -> Iterator[Figure]:
    """All of them; ``full``: 30 days of backlog and 200 000 commits."""
    say("what a commit writes")
    yield from wear(folder, 5000)
    yield from syncs(2000)
    yield from backlog(folder, 30 if full else 1, say)
    say("an accelerated year")
    yield from year(folder, 200_000 if full else 20_000, say)
