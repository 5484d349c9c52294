"""The history's part of the benchmarks: a year of a counter of 1 Wh; how large, how fast, and beside the original's reader."""

import gzip
import json
import subprocess
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from accuracy_waves import Figure
from fluksometer.domain.history import Samples
from fluksometer.domain.points import Point
from fluksometer.domain.tmpo import LEVELS, BlockName, begin_of
from fluksometer.domain.topics import decimal
from fluksometer.history import HistorySink, new_log
from fluksometer.outbox import Outbox
from fluksometer.sinks import Seat
from fluksometer.storage.tmpo import Block, Store, StoredHistory, decode, encode, tree
from fluksometer.storage.tmpo.arrays import decode_arrays
from fluksometer.storage.tmpo.tree import Key

ROOT = Path(__file__).resolve().parent.parent
CLIENT = ROOT / ".cache" / "tmpo-client"  # as the tests make it
CLIENT_PACKAGES = ("tmpo==0.2.10", "pandas<2", "numpy<2")
SID = "0123456789abcdef0123456789abcde1"
CFG = {"id": SID, "class": "analog", "type": "electricity", "function": "main", "port": [1], "rid": 0, "data_type": "counter",
       "voltage": 230, "current": 50, "unit": "Wh"}  # fmt: skip
BEGIN_S = 1_735_689_600  # 1 January 2025
DAY_S = 86_400
DAYS = 365
YEAR_MOST_MS, DAY_MOST_MS = 100.0, 20.0
Say = Callable[[str], None]

DECODER = """
import json, sys, tempfile, time, warnings
warnings.simplefilter("ignore")
import tmpo
session = tmpo.Session(path=tempfile.mkdtemp())
count, took_s = 0, 0.0
for path in sys.argv[1:]:
    data = open(path, "rb").read()
    began_s = time.perf_counter()
    count += len(session._blk2series("gz", data, 0, tmpo.EPOCHS_MAX))
    took_s += time.perf_counter() - began_s
print(json.dumps([count, took_s]))
"""


def house_year() -> Samples:
    """Each second in which another watt-hour was full, in a house of 4600 kWh a year: a base, a day's course, loads that switch."""
    random = np.random.default_rng(1)
    parts: list[NDArray[np.int64]] = []
    wh = 0.0
    hour = np.arange(DAY_S) / 3600
    shape = 180 + 250 * np.exp(-((hour - 19.5) ** 2) / 6) + 120 * np.exp(-((hour - 7.5) ** 2) / 2)
    for _ in range(DAYS):
        watts = shape * random.uniform(0.7, 1.3)
        watts += np.repeat(random.normal(0, 40, DAY_S // 60), 60) + random.normal(0, 15, DAY_S)
        for _ in range(random.poisson(14)):
            at, length = random.integers(0, DAY_S), random.integers(60, 3600)
            watts[at : at + length] += random.choice([60, 600, 1200, 2000])
        energy = wh + np.cumsum(np.maximum(watts, 0)) / 3600
        parts.append(energy.astype(np.int64))
        wh = float(energy[-1])
    totals = np.concatenate(parts)
    times = np.flatnonzero(np.diff(totals, prepend=-1))
    return times + BEGIN_S, totals[times] * 1000


def blocks_of(samples: Samples) -> list[tuple[Key, Block]]:
    """As they lie in a store at the end of the year: what is over in the highest level."""
    times, milli = samples
    end_s = BEGIN_S + DAYS * DAY_S
    found = []
    at = 0
    while at < len(times):
        lvl = next(
            one for one in reversed(LEVELS) if begin_of(int(times[at]), one) < begin_of(end_s, one) or one == LEVELS[0]
        )
        begin_s = begin_of(int(times[at]), lvl)
        until = int(np.searchsorted(times, begin_s + (1 << lvl)))
        found.append((Key(SID, BlockName(0, lvl, begin_s)), Block.of(CFG, times[at:until], milli[at:until])))
        at = until
    return found


def _figure(metric: str, value: float, unit: str, limit: float | None = None) -> Figure:
    return Figure(metric=metric, value=value, unit=unit, limit=limit)


def best_s(work: Callable[[], object], times: int = 15) -> float:
    """Seconds of the quickest of several runs."""
    found = []
    for _ in range(times):
        began_s = time.perf_counter()
        work()
        found.append(time.perf_counter() - began_s)
    return min(found)


def codec(samples: Samples, folder: Path, say: Say) -> Iterator[Figure]:
    """Size and speed of the blocks, beside the readings as they were published and the client's decoder."""
    count = len(samples[0])
    blocks = blocks_of(samples)
    say(f"{count} values in {len(blocks)} blocks")
    began_s = time.perf_counter()
    files = [encode(block) for _key, block in blocks]
    took_s = time.perf_counter() - began_s
    store = Store(folder)
    store.begin()
    store.put([(key, data, block) for (key, block), data in zip(blocks, files, strict=True)])
    store.close()
    size = sum(map(len, files))
    both = zip(*(part.tolist() for part in samples), strict=True)
    raw = "".join(f'[{time_s},{decimal(milli)},"Wh"]\n' for time_s, milli in both)
    yield _figure("values_per_day", count / DAYS, "values")
    yield _figure("bytes_per_day", size / DAYS, "bytes")
    yield _figure("bytes_per_value", size / count, "bytes")
    yield _figure("raw_gzip_bytes_per_day", len(gzip.compress(raw.encode(), 9)) / DAYS, "bytes")
    yield _figure("encode", count / took_s / 1e6, "Mvalues/s")
    named = [(data, key.name) for (key, _block), data in zip(blocks, files, strict=True)]
    arrays_s = best_s(lambda: [decode_arrays(*one) for one in named])
    yield _figure("decode", count / arrays_s / 1e6, "Mvalues/s")
    yield _figure("decode_plain", count / best_s(lambda: [decode(*one) for one in named], 2) / 1e6, "Mvalues/s")
    whole = [str(folder / key.path) for key, _block in blocks if key.name.lvl == LEVELS[-1]][:5]
    yield from peer(whole, say)


def peer(paths: list[str], say: Say) -> Iterator[Figure]:
    """The decoder of the client from PyPI over some blocks, in the same run."""
    say("the same with the tmpo client of PyPI")
    python = CLIENT / "bin" / "python"
    if not (CLIENT / "ready").exists():
        subprocess.run([sys.executable, "-m", "venv", CLIENT], check=True)
        subprocess.run([python, "-m", "pip", "install", "-q", *CLIENT_PACKAGES], check=True)
        (CLIENT / "ready").touch()
    done = subprocess.run([python, "-c", DECODER, *paths], capture_output=True, text=True, check=True)
    count, took_s = json.loads(done.stdout)
    yield _figure("client_decode", count / took_s / 1e6, "Mvalues/s")


def queries(folder: Path) -> Iterator[Figure]:
    """What a page of the v1.0 API reads: a year by days, a day by minutes."""
    store = Store(folder)
    began_s = time.perf_counter()
    store.look()
    yield _figure("open", (time.perf_counter() - began_s) * 1000, "ms")
    history = StoredHistory(store)
    end_s = BEGIN_S + DAYS * DAY_S

    def totals(begin_s: int, until_s: int, every_s: int) -> NDArray[np.float64]:
        ((_rid, times, milli),) = history.read(SID, begin_s, until_s, every_s=every_s)
        return np.diff(np.interp(np.arange(begin_s, until_s + 1, every_s), times, milli))

    def first_year() -> None:
        nonlocal history
        history = StoredHistory(store)
        assert len(totals(BEGIN_S, end_s, DAY_S)) == DAYS

    yield _figure("year_by_days", best_s(first_year) * 1000, "ms", YEAR_MOST_MS)
    year_s = best_s(lambda: len(totals(BEGIN_S, end_s, DAY_S)))
    yield _figure("year_by_days_again", year_s * 1000, "ms", YEAR_MOST_MS)
    day_s = BEGIN_S + 200 * DAY_S
    yield _figure("day_by_minutes", best_s(lambda: totals(day_s, day_s + DAY_S, 60)) * 1000, "ms", DAY_MOST_MS)
    yield _figure("last_day_by_minutes", best_s(lambda: totals(end_s - DAY_S, end_s, 60)) * 1000, "ms", DAY_MOST_MS)
    yield _figure("last", best_s(lambda: history.last(SID)) * 1000, "ms")
    yield _figure("year_of_values", best_s(lambda: history.read(SID, BEGIN_S, end_s)) * 1000, "ms")
    tracemalloc.start()
    first_year()
    yield _figure("year_by_days_memory", tracemalloc.get_traced_memory()[1] / 1e6, "MB")
    tracemalloc.stop()


def sink(samples: Samples, folder: Path, days: int) -> Iterator[Figure]:
    """The whole way: points through the sink, closed every 256 s and compacted, on a disk that is not waited for."""
    tree._sync = lambda _folder: None
    times, milli = (part[: int(np.searchsorted(samples[0], BEGIN_S + days * DAY_S))].tolist() for part in samples)
    log = new_log(folder, 1 << 40)
    log.configured({"1": CFG})
    outbox, now = Outbox(keep=10_000), [float(BEGIN_S)]
    one = HistorySink(log, Seat(outbox, 0, lambda _news: None), clock=lambda: now[0], grace_s=4.0)
    one.turn()
    at, took_s = 0, 0.0
    while at < len(times):
        until = min(len(times), at + 64)
        points = [Point(SID, 0, "counter", times[n], milli[n], "Wh") for n in range(at, until)]
        outbox.committed(outbox.append(points))
        now[0] = times[until - 1] + 5.0
        began_s = time.perf_counter()
        one.turn()
        took_s += time.perf_counter() - began_s
        at = until
    found = log.history.read(SID, 0, 1 << 40)[0][1]
    assert found.tolist() == times
    yield _figure("sink_cpu_per_day", took_s / days * 1000, "ms")
    log.store.close()


def figures(folder: Path, full: bool, say: Say) -> Iterator[Figure]:
    """All of them; ``full``: the whole year through the sink, otherwise two weeks."""
    say("a year of a house")
    samples = house_year()
    with tempfile.TemporaryDirectory(dir=folder) as place:
        yield from codec(samples, Path(place), say)
        yield from queries(Path(place))
    days = DAYS if full else 14
    say(f"{days} days through the sink")
    with tempfile.TemporaryDirectory(dir=folder) as place:
        yield from sink(samples, Path(place), days)
