"""Real time-series engines on free ports of the loopback: InfluxDB 1.x and VictoriaMetrics, as Debian packs them."""

import json
import os
import shutil
import subprocess
import urllib.parse
import urllib.request
from pathlib import Path

import pytest
from host.rig import answers, free_port, wait_until

_PATH = os.environ.get("PATH", "") + ":/usr/sbin"


def program(name: str, package: str) -> str:
    """Its path; the test is skipped where it is not installed."""
    found = shutil.which(name, path=_PATH)
    if not found:
        pytest.skip(f"{name} is not installed: tools/setup.sh engines (Debian's package {package})")
    return found


class Engine:
    """One server with its data in a folder; it can be killed and started again. Each sort has its ``command``."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.port = folder, free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.start()

    def start(self) -> None:
        with (self.folder / "engine.log").open("ab") as log:
            self.process = subprocess.Popen(self.command(), stdout=log, stderr=log)
        wait_until(lambda: answers(self.port), lambda: (self.folder / "engine.log").read_text()[-2000:])

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def get(self, path: str, data: bytes | None = None, **query: str) -> bytes:
        address = f"{self.url}{path}?{urllib.parse.urlencode(query)}"
        with urllib.request.urlopen(urllib.request.Request(address, data=data), timeout=10) as answer:
            return answer.read()


class Influx(Engine):
    """InfluxDB 1.x. ``auth``: it asks for a user and password."""

    def __init__(self, folder: Path, auth: bool = False) -> None:
        self._auth = auth
        super().__init__(folder)

    def command(self) -> list[str]:
        config = self.folder / "influxdb.conf"
        config.write_text(f"""
reporting-disabled = true
bind-address = "127.0.0.1:0"
[meta]
dir = "{self.folder}/meta"
[data]
dir = "{self.folder}/data"
wal-dir = "{self.folder}/wal"
[http]
bind-address = "127.0.0.1:{self.port}"
auth-enabled = {str(self._auth).lower()}
log-enabled = false
[monitor]
store-enabled = false
""")
        return [program("influxd", "influxdb"), "-config", str(config)]

    def ask(self, query: str, **more: str) -> list[dict]:
        """The series that a query answers."""
        told = json.loads(self.get("/query", data=b"", q=query, epoch="s", **more))
        return told["results"][0].get("series", [])

    def values(self, sensor_id: str, kind: str = "counter", db: str = "home") -> list[list]:
        """(second, value) of a sensor, ascending."""
        where = f"sensor='{sensor_id}' AND kind='{kind}'"
        found = self.ask(f"SELECT value FROM fluksometer WHERE {where}", db=db)
        return [pair for series in found for pair in series["values"]]


class Victoria(Engine):
    """VictoriaMetrics, which keeps the same reading once only when it is told to."""

    def command(self) -> list[str]:
        return [
            program("victoria-metrics", "victoria-metrics"),
            f"-httpListenAddr=127.0.0.1:{self.port}",
            f"-storageDataPath={self.folder}/store",
            "-dedup.minScrapeInterval=1ms",
            "-retentionPeriod=100y",
            "-search.disableCache",
        ]

    def start(self) -> None:
        super().start()
        wait_until(lambda: self.get("/health") == b"OK", "health")

    def series(self, match: str) -> list[dict]:
        """As /api/v1/export tells them: metric, values, timestamps in ms."""
        self.get("/internal/force_flush")
        return [json.loads(line) for line in self.get("/api/v1/export", **{"match[]": match}).splitlines()]

    def values(self, sensor_id: str, kind: str = "counter") -> list[list]:
        """(second, value) of a sensor, ascending."""
        found = self.series(f'fluksometer_value{{sensor="{sensor_id}",kind="{kind}"}}')
        pairs = [
            (at // 1000, value) for one in found for at, value in zip(one["timestamps"], one["values"], strict=True)
        ]
        return [list(pair) for pair in sorted(pairs)]
