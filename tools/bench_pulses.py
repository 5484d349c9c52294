"""Figures of the pulse inputs on the emulated Pico: what an edge costs, and what four inputs at once lose."""

import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import astuple
from pathlib import Path
from typing import Any

from accuracy_waves import Figure
from bench_programs import PULSE_BUSY, PULSE_FORMER, PULSE_NATIVE
from fluksometer.faults import parse_toml
from fluksometer.shared.deframer import Deframer
from fluksometer.shared.frame import seal, to_board
from fluksometer.shared.records import CLAMP, PULSE, SETTINGS
from house.housefile import House
from house.pico import CORE_HZ, EmulatedPico
from house.rawrepl import execute
from pulse_truth import FIRST_S, OPTO_METERS, S0_METERS, judge, settings_of, storm, zero_ns

RATE_HZ = 20_000
EDGES_HOUSE = "[[pulse]]\nport = 4\nrate_hz = 500.0\nwidth_ms = 1.0\n"
EDGES_HZ = 1000
WORST_US = 50
Say = Callable[[str], None]


def edge_costs(chip: EmulatedPico) -> Iterator[Figure]:
    """Cycles that an edge takes from a busy program: with the module, and with the Python handler that it replaced.

    ``chip`` has the native module and the meter of EDGES_HOUSE. What MicroPython does around the handler is in both.
    """
    execute(chip, PULSE_BUSY)
    cycles = {}
    for name, program in (("native", PULSE_NATIVE), ("former_python", PULSE_FORMER)):
        execute(chip, program)
        with_edges, alone = (int(execute(chip, f"print(turns({on}))", timeout_s=60)) for on in ("True", "False"))
        cycles[name] = (alone - with_edges) / alone * CORE_HZ / EDGES_HZ
        yield Figure(metric=f"{name}_cycles_per_edge", value=cycles[name], unit="cycles")
    yield Figure(
        metric="native_speedup_over_former_python", value=cycles["former_python"] / cycles["native"], unit="ratio"
    )


def figures(image: Path, flash: Path, folder: Path, full: bool, say: Say) -> Iterator[Figure]:
    """Four inputs at once beside a clamp at 20000 samples a second; ``flash``: a file system with the firmware."""
    seconds = 600.0 if full else 10.0
    for preset, meters in (("s0", S0_METERS), ("opto", OPTO_METERS)):
        say(f"four inputs, {meters.rate_hz:g} pulses a second each, preset {preset}, {seconds:g} s of emulated time")
        run = _Run(image, flash, folder, meters.house(seconds), preset)
        yield from run.over(seconds)
    say("a storm of 100 kHz on one input")
    run = _Run(image, flash, folder, storm(FIRST_S, FIRST_S + 4, 50_000) + S0_METERS.house(4.0, ports=(2, 4, 5)), "s0")
    yield from run.beside_storm()


class _Run:
    def __init__(self, image: Path, flash: Path, folder: Path, house: str, preset: str) -> None:
        own = folder / f"pulses-{preset}.flash"
        shutil.copy(flash, own)
        self._house = parse_toml(house, House, source="house")
        self._pico = EmulatedPico(image, self._house, flash=own)
        self._preset = preset
        self._pico.run_for(3.0)
        values = astuple(settings_of(preset, RATE_HZ))
        self._pico.console.send(to_board(seal(SETTINGS.kind, 0, SETTINGS.pack(*values))))
        self._pico.run_for(0.5)

    def over(self, seconds: float) -> Iterator[Figure]:
        """What was lost, how far times were off, and the share of the core."""
        idle = self._share(1.0)
        self._pico.run_for(FIRST_S - 4.5)
        busy = self._share(seconds)
        self._pico.run_for(2.5)
        yield from self._verdicts(self._preset)
        # More than the interrupts take: each edge wakes the sleeping interpreter, which looks for work before it sleeps again.
        yield Figure(metric=f"{self._preset}_core_share_with_waking", value=100 * (busy - idle), unit="%")

    def beside_storm(self) -> Iterator[Figure]:
        """The others beside a storm."""
        idle = self._share(1.0)
        self._pico.run_for(1.0)
        busy = self._share(2.0)
        self._pico.run_for(5.0)
        yield from self._verdicts("storm")
        yield Figure(metric="storm_core_share", value=100 * (busy - idle), unit="%", limit=20)
        yield Figure(metric="storm_times_shut", value=self._storms(), unit="times")

    def _share(self, seconds: float) -> float:
        busy = self._pico.busy_cycles
        self._pico.run_for(seconds)
        return (self._pico.busy_cycles - busy) / (seconds * CORE_HZ)

    def _records(self, layout: Any) -> list[Mapping[str, Any]]:
        names = [field[0] for field in layout.fields]
        payloads = [
            payload for kind, _, _, payload in Deframer().push(bytes(self._pico.console.written)) if kind == layout.kind
        ]
        return [dict(zip(names, layout.unpack(payload), strict=True)) for payload in payloads]

    def _storms(self) -> int:
        return max(int(record["storms"]) for record in self._records(PULSE))

    def _verdicts(self, name: str) -> Iterator[Figure]:
        records = self._records(PULSE)
        meters = [one for one in self._house.pulse if one.count is not None]
        of = {one.port: [record for record in records if record["port"] == one.port] for one in meters}
        began_ns = zero_ns(self._pico, meters[0].port, of[meters[0].port][-1]["edge_us"])
        verdicts = [judge(one, of[one.port], began_ns) for one in meters]
        yield Figure(metric=f"{name}_pulses", value=sum(one.counted for one in verdicts), unit="pulses")
        yield Figure(metric=f"{name}_lost", value=sum(max(one.lost, 0) for one in verdicts), unit="pulses", limit=0)
        yield Figure(metric=f"{name}_doubled", value=sum(max(-one.lost, 0) for one in verdicts), unit="pulses", limit=0)
        yield Figure(
            metric=f"{name}_worst_time", value=max(abs(one.worst_us) for one in verdicts), unit="us", limit=WORST_US
        )
        gaps = max(record["gap_samples"] for record in self._records(CLAMP))
        yield Figure(metric=f"{name}_gap_samples", value=gaps, unit="samples", limit=0)
