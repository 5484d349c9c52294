"""The HTTP part of the benchmarks: what a page waits for, over a year of a counter of 1 Wh, and what the server weighs."""

import asyncio
import http.client
import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from accuracy_waves import Figure
from bench_history import BEGIN_S, CFG, DAY_S, DAYS, SID, blocks_of, house_year
from fluksometer.domain.api_tokens import new_token
from fluksometer.domain.live_sensors import LiveSensors
from fluksometer.domain.points import Point
from fluksometer.storage.tmpo import Store, StoredHistory, encode
from fluksometer.web import server
from fluksometer.web.app import make_app
from fluksometer.web.parts import Parts

YEAR_MOST_MS, DAY_MOST_MS = 100.0, 20.0
NOW_S = BEGIN_S + DAYS * DAY_S
TIMES = 200  # requests for a rate
WEIGH = """
import json
def resident_kb():
    return int(next(line for line in open("/proc/self/status") if line.startswith("VmRSS")).split()[1])
import fluksometer.service, fluksometer.desks, fluksometer.history
before = resident_kb()
import starlette.applications, starlette.responses, starlette.routing, uvicorn
between = resident_kb()
import fluksometer.web.app, fluksometer.web.desk
print(json.dumps([between - before, resident_kb() - between]))
"""


def stored_year(folder: Path) -> StoredHistory:
    """A year in a store."""
    blocks = blocks_of(house_year())
    store = Store(folder)
    store.begin()
    store.put([(key, encode(block), block) for key, block in blocks])
    return StoredHistory(store)


class Web:
    """The server in a thread of its own, at the last second of that year."""

    def __init__(self, history: StoredHistory) -> None:
        self.token, kept = new_token(None, "bench", 0)
        live = LiveSensors()
        live.configured({"1": CFG | {"enable": 1}})
        live.published([Point(SID, 0, "gauge", NOW_S - 60 + n, 230_000, "W") for n in range(60)])
        parts = Parts(device_id="0" * 32, live=live, tokens=lambda: [kept], now_s=lambda: float(NOW_S), history=history)
        self._socket = server.listen("127.0.0.1", 0)
        self._server = server.server(make_app(parts))
        threading.Thread(target=self._run, daemon=True).start()
        while not self._server.started:
            time.sleep(0.01)
        self._client = http.client.HTTPConnection("127.0.0.1", self._socket.getsockname()[1])

    def _run(self) -> None:
        asyncio.run(server.serve([(self._server, self._socket)]))

    def get(self, target: str) -> bytes:
        """The body; a connection that is kept."""
        self._client.request("GET", target, headers={"X-Version": "1.0", "X-Token": self.token})
        answer = self._client.getresponse()
        body = answer.read()
        if answer.status != 200:
            raise SystemExit(f"bench: {target}: {answer.status} {body.decode()}")
        return body


def best_ms(work: Callable[[], object], times: int = 7) -> float:
    """Milliseconds of the quickest of several runs."""
    found = []
    for _ in range(times):
        began_s = time.perf_counter()
        work()
        found.append(time.perf_counter() - began_s)
    return min(found) * 1000


def figures(folder: Path, say: Callable[[str], None]) -> Iterator[Figure]:
    """All of them."""
    say("a year of a house, and a server before it")
    with tempfile.TemporaryDirectory(dir=folder) as place:
        web = Web(stored_year(Path(place)))
        sensor = f"/sensor/{SID}?unit=watt&"
        year, day = f"{sensor}interval=year&resolution=day", f"{sensor}interval=day&resolution=minute"
        first_ms = best_ms(lambda: web.get(year), 1)
        assert len(json.loads(web.get(year))) == DAYS
        yield Figure(metric="year_by_days_first", value=first_ms, unit="ms", limit=None)
        yield Figure(metric="year_by_days", value=best_ms(lambda: web.get(year)), unit="ms", limit=YEAR_MOST_MS)
        yield Figure(metric="day_by_minutes", value=best_ms(lambda: web.get(day)), unit="ms", limit=DAY_MOST_MS)
        begin_s = NOW_S - 200 * DAY_S
        past = f"{sensor}start={begin_s}&end={begin_s + DAY_S}&resolution=minute"
        yield Figure(metric="past_day_by_minutes", value=best_ms(lambda: web.get(past)), unit="ms", limit=DAY_MOST_MS)
        for name, target in (("sensors", "/api/v1/sensors"), ("metrics", "/metrics"), ("block_list", _list())):
            say(f"{TIMES} times {name}")
            began_s = time.perf_counter()
            for _ in range(TIMES):
                web.get(target)
            rate = TIMES / (time.perf_counter() - began_s)
            yield Figure(metric=f"{name}_rate", value=rate, unit="requests/s", limit=None)
    done = subprocess.run([sys.executable, "-c", WEIGH], capture_output=True, text=True, check=True)
    libraries_kb, own_kb = json.loads(done.stdout)
    yield Figure(metric="memory_starlette_uvicorn", value=libraries_kb / 1024, unit="MB", limit=None)
    yield Figure(metric="memory_own", value=own_kb / 1024, unit="MB", limit=None)


def _list() -> str:
    return f"/sensor/{SID}/tmpo/sync?rid=0&lvl=0&bid=0"
