"""The `drain` benchmark: the MQTT sink behind a backlog, to mosquitto and to the embedded broker.

From the first point to the acknowledgement of the last, by the wall's clock, with the broker as another process of the same
machine; and the processor time of the bridge's process alone, which tells what one core of it could do with a free broker.
"""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from accuracy_waves import Figure
from fluksometer.adapters.broker import EmbeddedBroker
from fluksometer.adapters.mqtt_sink import MqttSink
from fluksometer.domain.points import Point
from fluksometer.outbox import Numbered, Outbox

SENSORS = 3  # each with a gauge and a counter: six points a second
BRIEF, LONG = 300_000, 6 * 30 * 86400
LEAST_PER_S = 20_000
START_S = 1_700_000_000


def backlog(after_id: int, limit: int) -> list[Numbered]:
    """A ledger's read, of a house whose every second is the same but for its counters."""
    return [(number, point(number)) for number in range(after_id + 1, after_id + 1 + limit)]


def point(number: int) -> Point:
    """Six a second: gauge and counter of three sensors."""
    second, which = divmod(number, 2 * SENSORS)
    sensor_id = f"{which // 2:032x}"
    if which % 2:
        return Point(sensor_id, 0, "counter", START_S + second, 1000 * second, "Wh", True)
    return Point(sensor_id, 0, "gauge", START_S + second, number % 3_000_000, "W", True)


def drain(port: int, count: int) -> tuple[float, float]:
    """Seconds that so many points take, and seconds of this process."""

    def read(after_id: int, limit: int) -> list[Numbered]:
        return backlog(after_id, min(limit, count - after_id))

    news: list[object] = []
    sink = MqttSink(
        host="127.0.0.1", port=port, client_id="drain", tell=news.append, outbox=Outbox(last_id=count, read_ledger=read)
    )
    sink.start()
    while not sink.cursor:
        time.sleep(0.001)
    first, began_s, began_core_s = sink.cursor, time.monotonic(), time.process_time()
    while sink.cursor < count:
        time.sleep(0.01)
    took_s, core_s = time.monotonic() - began_s, time.process_time() - began_core_s
    sink.stop()
    share = count / (count - first)
    return took_s * share, core_s * share


def free_port() -> int:
    """One that nobody uses."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def to_mosquitto(folder: Path, count: int) -> tuple[float, float]:
    """With its default settings."""
    program = shutil.which("mosquitto", path=os.environ.get("PATH", "") + ":/usr/sbin")
    if not program:
        raise SystemExit("bench: mosquitto is not installed")
    port, config = free_port(), folder / "mosquitto.conf"
    config.write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\n")
    broker = subprocess.Popen([program, "-c", config], stderr=subprocess.DEVNULL)
    try:
        return drain(port, count)
    finally:
        broker.kill()
        broker.wait()


def to_embedded(_folder: Path, count: int) -> tuple[float, float]:
    """The broker of ``broker = "embedded"``."""
    port = free_port()
    broker = EmbeddedBroker("127.0.0.1", port)
    broker.start()
    try:
        return drain(port, count)
    finally:
        broker.stop()


def figures(folder: Path, full: bool) -> Iterator[Figure]:
    """Points a second. ``full``: the backlog of 30 days."""
    count = LONG if full else BRIEF
    for name, run in (("mosquitto", to_mosquitto), ("embedded", to_embedded)):
        took_s, core_s = run(folder, count)
        yield Figure(metric=f"{name}_rate", value=count / took_s, unit="points/s", limit=LEAST_PER_S, at_least=True)
        yield Figure(metric=f"{name}_core_time", value=1e6 * core_s / count, unit="us/point")
