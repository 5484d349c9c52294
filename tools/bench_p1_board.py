"""What a telegram costs the emulated Pico: core time and memory, in the port's own code alone and in the whole firmware."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

from accuracy_waves import Figure
from fluksometer.domain.readings import BoardSettings
from fluksometer.faults import parse_toml
from fluksometer.shared.frame import seal, to_board
from fluksometer.shared.records import SETTINGS
from house.housefile import House
from house.p1_meter import Meter
from house.pico import CORE_HZ, EmulatedPico
from house.rawrepl import execute

VECTORS = Path(__file__).resolve().parent.parent / "tests/vectors/p1"
TELEGRAMS = {"typical": "dsmr5-three-phase", "belgian_13_peaks": "emucs-13-peaks", "longest": "dsmr5-long-text"}
MOST_MS, MOST_BYTES = 10.0, 8192
MEASURED_S = 10
HOUSE = """
[[clamp]]
port = 1
current_a = 10.0
[p1]
dialect = "dsmr5"
interval_s = {interval_s}
"""

# The port with a receiver that has the bytes already, 690 at each look as at 115200 baud. Its heap is all that is allocated for
# a telegram, with what is garbage before its end: more is never needed.
PROGRAM = """
import gc, time
from meter.kept import Kept
from meter.p1_port import P1Port
from shared.frame import seal, to_host
class Uart:
    data, at = b"", 0
    def any(self):
        return min(len(self.data) - self.at, 690)
    def read(self, count):
        self.at += count
        return self.data[self.at - count : self.at]
class Clock:
    def now_us(self):
        return time.ticks_us()
class Settings:
    p1 = 1
uart, queue, store = Uart(), [], Kept(16384)
def keep(records):
    store.append(records)
    for _ in records:
        kind, number, before, payload = store.take()
        queue.append(to_host(seal(kind, number, payload, before)))
ignore = lambda *values: 0
port = P1Port(uart, ignore, ignore, ignore, Clock(), time.ticks_ms, time.ticks_diff)
port.apply(Settings)
def once(data):
    uart.data, uart.at = data, 0
    queue.clear()
    store.acknowledge(store.newest)
    gc.collect()
    used, began = gc.mem_alloc(), time.ticks_us()
    while uart.any():
        port.poll(keep)
    return time.ticks_diff(time.ticks_us(), began), gc.mem_alloc() - used
"""


def figures(image: Path, flash: Path, folder: Path) -> Iterator[Figure]:
    """All of them; ``flash`` holds the firmware."""
    yield from port_alone(image, flash, folder)
    yield from whole_firmware(image, flash, folder)


def port_alone(image: Path, flash: Path, folder: Path) -> Iterator[Figure]:
    """From bytes to the sealed record, without the interrupts that bring the bytes and the console that takes the record."""
    pico = EmulatedPico(image, House(), flash=shutil.copy(flash, folder / "port.flash"))
    pico.run_for(2.0)
    execute(pico, PROGRAM, timeout_s=60)
    for name, vector in TELEGRAMS.items():
        data = (VECTORS / f"{vector}.txt").read_bytes()
        execute(pico, "data = b''")
        for at in range(0, len(data), 400):
            execute(pico, f"data += {data[at : at + 400]!r}")
        took_us, heap_bytes = map(int, execute(pico, "once(data)\nprint(*once(data))", timeout_s=60).split())
        limit = name == "typical"
        yield Figure(metric=f"board_{name}_bytes", value=len(data), unit="bytes")
        yield Figure(metric=f"board_{name}_port", value=took_us / 1000, unit="ms", limit=MOST_MS if limit else None)
        yield Figure(metric=f"board_{name}_heap", value=heap_bytes, unit="bytes", limit=MOST_BYTES if limit else None)
    pico.close()


def whole_firmware(image: Path, flash: Path, folder: Path) -> Iterator[Figure]:
    """What a second with a telegram costs more than one without, everything included: interrupts, reading, console."""
    house = parse_toml(HOUSE.format(interval_s=1), House, source="house")
    silent = parse_toml(HOUSE.format(interval_s=3600), House, source="house")
    pico = EmulatedPico(image, house, flash=shutil.copy(flash, folder / "whole.flash"))
    pico.run_for(3.0)
    settings = BoardSettings(rate_hz=1000, clamp_ports=0b1, pulse_ports=0, p1=1)
    values = [getattr(settings, field[0]) for field in SETTINGS.fields]
    pico.console.send(to_board(seal(SETTINGS.kind, 0, SETTINGS.pack(*values))))
    pico.run_for(4.0)
    assert pico.p1 is not None
    busy = {}
    for name, meter in (("with", Meter(house)), ("without", Meter(silent))):
        pico.p1.swap(meter)
        pico.run_for(0.5)
        before, sent = pico.busy_cycles, len(pico.p1.sent)
        pico.run_for(MEASURED_S)
        busy[name] = pico.busy_cycles - before
        assert len(pico.p1.sent) - sent == (MEASURED_S if name == "with" else 0)
    telegram_bytes = len(pico.p1.sent[-1].data)
    each_ms = 1000 * (busy["with"] - busy["without"]) / CORE_HZ / MEASURED_S
    yield Figure(metric="board_whole_bytes", value=telegram_bytes, unit="bytes")
    yield Figure(metric="board_whole", value=each_ms, unit="ms", limit=MOST_MS)
    yield Figure(metric="board_bytes_lost", value=pico.p1.line.overrun, unit="bytes", limit=0)
    pico.close()
