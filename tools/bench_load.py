"""The `load` benchmark: so many virtual boards of 3 clamps and 2 pulse inputs, at one window a second, on one bridge's process.

What is real: the bytes of the wire, a link session and an intake for each board, one keeper with its ledger on the disk, and
behind it the sinks: MQTT at QoS 1 to mosquitto, InfluxDB (gzip'd lines, a batch a second), TMPO files. mosquitto and influxd run
on the same machine. What is not: serial ports, the service's loop around them, desks, the web. Readings are those of the second in
which they are sent; boards are spread over it. The bridge has fallen behind when it hands a board's second on more than a second
late, or a sink or the disk has more than five seconds of points before it at the end.
"""

import asyncio
import os
import re
import shutil
import socket
import subprocess
import threading
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

from accuracy_waves import Figure
from fluksometer.adapters.influx_sink import InfluxWriter, influx_sink
from fluksometer.adapters.mqtt_sink import MqttSink
from fluksometer.domain.line_protocol import LineWriter
from fluksometer.domain.sensor_labels import SensorLabels
from fluksometer.history import HistorySink, new_log
from fluksometer.http_call import Answer, HttpCaller
from fluksometer.keeper import Keeper
from fluksometer.sinks import Seat, Sink
from fluksometer.storage.ledger import Ledger
from load_boards import BoardsBridge, VirtualBoard

QUICK, FULL = (1, 100, 500), (1, 100, 200, 300, 500, 700, 1000, 1500, 2000)
QUICK_S, FULL_S = 10, 40
GOAL = 500  # boards, on two cores
MOST_BEHIND_S = 5.0
LATE_S = 1.0
_PATH = os.environ.get("PATH", "") + ":/usr/sbin"
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
Say = Callable[[str], None]


class CountingCaller(HttpCaller):
    """Counts what goes over the wire as bodies."""

    sent = 0

    def post(self, path: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        """See HttpCaller."""
        self.sent += len(body)
        return super().post(path, body, headers)


@dataclass
class Servers:
    """mosquitto and influxd on free ports of the loopback."""

    folder: Path
    mqtt_port: int = 0
    influx_port: int = 0
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def __enter__(self) -> "Servers":
        self.mqtt_port, self.influx_port = free_port(), free_port()
        config = self.folder / "mosquitto.conf"
        config.write_text(f"listener {self.mqtt_port} 127.0.0.1\nallow_anonymous true\nsys_interval 1\n")
        self._start("mosquitto", "-c", str(config), port=self.mqtt_port)
        toml = self.folder / "influxdb.conf"
        toml.write_text(
            f'reporting-disabled = true\nbind-address = "127.0.0.1:0"\n[meta]\ndir = "{self.folder}/meta"\n'
            f'[data]\ndir = "{self.folder}/data"\nwal-dir = "{self.folder}/wal"\n[monitor]\nstore-enabled = false\n'
            f'[http]\nbind-address = "127.0.0.1:{self.influx_port}"\nlog-enabled = false\n'
        )
        self._start("influxd", "-config", str(toml), port=self.influx_port)
        query = urllib.parse.urlencode({"q": "CREATE DATABASE load"})
        urllib.request.urlopen(f"http://127.0.0.1:{self.influx_port}/query?{query}", data=b"").read()
        return self

    def __exit__(self, *_fault: object) -> None:
        for process in self.running.values():
            process.kill()
            process.wait()

    def broker_bytes(self) -> int:
        """What mosquitto has received, as it counts it each second."""
        words = ["mosquitto_sub", "-p", str(self.mqtt_port), "-W", "5", "-C", "1", "-t", "$SYS/broker/bytes/received"]
        return int(subprocess.run(words, capture_output=True, text=True, check=True).stdout)

    def _start(self, name: str, *words: str, port: int) -> None:
        program = shutil.which(name, path=_PATH)
        if not program:
            raise SystemExit(f"bench: {name} is not installed: tools/setup.sh broker engines")
        log = (self.folder / f"{name}.log").open("wb")
        self.running[name] = subprocess.Popen([program, *words], stdout=log, stderr=log)
        end_s = time.monotonic() + 20
        while time.monotonic() < end_s:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    return
            time.sleep(0.05)
        raise SystemExit(f"bench: {name} does not answer: {(self.folder / f'{name}.log').read_text()[-500:]}")


def free_port() -> int:
    """One that nobody uses."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def cpu_s(stat: Path) -> float:
    """Seconds of the processor of a process or thread: user and system (proc(5))."""
    fields = stat.read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS_PER_S


class Load:
    """One run with so many boards."""

    def __init__(self, folder: Path, servers: Servers, boards: int) -> None:
        self._folder, self._servers = folder, servers
        self.boards = [BoardsBridge(VirtualBoard(number), folder) for number in range(boards)]
        self._sections = dict(chain.from_iterable(one.sections().items() for one in self.boards))
        self._ledger = Ledger.open(folder / "ledger.db", limit_bytes=4 << 30)
        self._state_s = 0.0
        self.late_s = self.points = self.to_boards = 0.0
        self._keeper = Keeper(
            self._ledger,
            state=self._state,
            cursors=lambda: {sink.name: sink.cursor for sink in self.sinks},
            saved=self._saved,
            wake=lambda: [sink.wake() for sink in self.sinks] and None,
            stored=lambda _position: None,
        )
        self.caller = CountingCaller(f"http://127.0.0.1:{servers.influx_port}")
        self.sinks = self._make_sinks(folder)

    def _make_sinks(self, folder: Path) -> list[Sink]:
        labels, log = SensorLabels(), new_log(folder / "tmpo", 4 << 30)
        labels.configured(self._sections)
        log.configured(self._sections)
        writer = InfluxWriter(
            self.caller,
            LineWriter("fluksometer", {}),
            target={"db": "load"},
            authorization="",
            labels=lambda: labels.by_id,
            tell=lambda reason: print(reason),
        )
        outbox = self._keeper.outbox
        seat = Seat(outbox, 0, lambda _changed: None)
        mqtt = MqttSink(
            host="127.0.0.1",
            port=self._servers.mqtt_port,
            client_id="load",
            tell=lambda _news: None,
            outbox=outbox,
        )
        return [mqtt, influx_sink(writer, seat, batch_s=1.0, settle_s=0.0), HistorySink(log, seat)]

    def _state(self) -> dict[str, Any]:
        began_s = time.thread_time()
        states = {
            f"{n} {name}": state for n, one in enumerate(self.boards) for name, state in one.intake.state().items()
        }
        self._state_s += time.thread_time() - began_s
        return states

    def _saved(self) -> None:
        for one in self.boards:
            one.intake.saved()
            self.to_boards += one.acknowledge()

    async def run(self, seconds: int) -> dict[str, float]:
        """Figures of so many seconds."""
        for one in self.boards:
            one.meet()
            await asyncio.sleep(0)
        for sink in self.sinks:
            sink.start()
        keeping = asyncio.create_task(self._keeper.keep())
        await self._feed(2)
        self._forget()
        bytes_before = await asyncio.to_thread(self._servers.broker_bytes)
        before, began_s = self._used(), time.monotonic()
        await self._feed(seconds)
        took_s = time.monotonic() - began_s
        used = {name: used_s - before.get(name, 0.0) for name, used_s in self._used().items()}
        outbox, per_s = self._keeper.outbox, self.points / seconds
        behind = {one.name: (outbox.last_id - one.cursor) / per_s for one in self.sinks if one.name != "tmpo"}
        behind["ledger"] = outbox.waiting / per_s
        keeping.cancel()
        await asyncio.gather(keeping, return_exceptions=True)
        await self._keeper.commit()
        sent = await asyncio.to_thread(self._servers.broker_bytes) - bytes_before
        await asyncio.gather(*(asyncio.to_thread(sink.stop) for sink in self.sinks))
        found = self._figures(seconds, took_s, used, behind) | self._tmpo_files()
        self._keeper.close()
        return found | {"wire_mqtt": sent / seconds}

    async def _feed(self, seconds: int) -> None:
        # Board k of n sends at k/n of each second; what came late is still handled, and counts as late.
        begin_s, count = time.monotonic(), len(self.boards)
        for second in range(seconds):
            for number, one in enumerate(self.boards):
                due_s = begin_s + second + number / count
                wait_s = due_s - time.monotonic()
                if wait_s > 0.002 or number % 20 == 0:
                    await asyncio.sleep(max(0.0, wait_s))
                self.late_s = max(self.late_s, time.monotonic() - due_s)
                if points := one.feed(one.board.second()):
                    self._keeper.publish(points)
                    self.points += len(points)
        await asyncio.sleep(max(0.0, begin_s + seconds - time.monotonic()))

    def _forget(self) -> None:
        self.late_s = self.points = self.to_boards = self._state_s = 0.0
        self.caller.sent = 0
        for one in self.boards:
            one.link_s = one.intake_s = 0.0
            one.bytes = 0

    def _used(self) -> dict[str, float]:
        names = {thread.native_id: thread.name for thread in threading.enumerate()}
        found: dict[str, float] = {}
        for task in Path("/proc/self/task").iterdir():
            name = names.get(int(task.name), "other").partition("_")[0]
            found[name] = found.get(name, 0.0) + cpu_s(task / "stat")
        servers = {name: cpu_s(Path(f"/proc/{one.pid}/stat")) for name, one in self._servers.running.items()}
        return found | servers

    def _figures(
        self, seconds: int, took_s: float, used: dict[str, float], behind: dict[str, float]
    ) -> dict[str, float]:
        link_s, intake_s = (sum(getattr(one, name) for one in self.boards) for name in ("link_s", "intake_s"))
        figures = {f"core_{name}": 100 * used_s / took_s for name, used_s in used.items() if used_s / took_s > 0.002}
        figures["core_of_loop_link"] = 100 * link_s / took_s
        figures["core_of_loop_intake"] = 100 * intake_s / took_s
        figures["core_of_loop_state"] = 100 * self._state_s / took_s
        figures |= {f"behind_{name}": behind_s for name, behind_s in behind.items()}
        figures["late"] = self.late_s
        figures["points"] = self.points / seconds
        figures["wire_from_boards"] = sum(one.bytes for one in self.boards) / seconds
        figures["wire_influx_bodies"] = self.caller.sent / seconds
        figures["memory"] = float(re.findall(r"VmRSS:\s+(\d+)", Path("/proc/self/status").read_text())[0]) / 1000
        return figures

    def _tmpo_files(self) -> dict[str, float]:
        # A run ends before the first block of 256 s does: all that it published is written at once.
        log = new_log(self._folder / "tmpo-anew", 4 << 30)
        log.configured(self._sections)
        log.store.begin()
        after_id, first_s, last_s = 0, 1 << 62, 0
        began_s = time.thread_time()
        while points := self._ledger.read(after_id, 5000):
            log.push(points)
            after_id = points[-1][0]
            first_s, last_s = min(first_s, points[0][1].time_s), max(last_s, points[-1][1].time_s)
        log.write(last_s + 1)
        took_s = time.thread_time() - began_s
        log.store.close()
        return {"core_tmpo_files": 100 * took_s / max(1, last_s + 1 - first_s)}


UNITS = {
    "core": "% of a core",
    "behind": "s",
    "late": "s",
    "points": "points/s",
    "wire": "bytes/s",
    "memory": "MB",
}


def keeps_up(found: Mapping[str, float]) -> bool:
    """Whether this many boards are no more than the bridge can do."""
    behind_s = max(value for name, value in found.items() if name.startswith("behind_"))
    return found["late"] <= LATE_S and behind_s <= MOST_BEHIND_S


def figures(folder: Path, full: bool, say: Say) -> Iterator[Figure]:
    """For more and more boards, until it falls behind."""
    held = 0
    for boards in FULL if full else QUICK:
        seconds = FULL_S if full else QUICK_S
        say(f"{boards} boards for {seconds} s")
        own = folder / f"load-{boards}"
        own.mkdir()
        with Servers(own) as servers:
            found = asyncio.run(Load(own, servers, boards).run(seconds))
        for name, value in found.items():
            yield Figure(metric=f"boards_{boards}_{name}", value=value, unit=UNITS[name.partition("_")[0]])
        if not keeps_up(found):
            break
        held = boards
    yield Figure(metric="boards_kept_up_with", value=held, unit="boards", limit=GOAL, at_least=True)
