"""Benchmarks on the emulated Pico: JSON lines {"bench", "metric", "value", "unit"} on stdout, progress on stderr."""

import argparse
import json
import runpy
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import bench_drain
import bench_history
import bench_ledger
import bench_load
import bench_p1_board
import bench_p1_host
import bench_reliability
import bench_rest
import native_through_cffi
from accuracy_waves import Figure
from bench_fuzz import figures as fuzz_figures
from bench_metering import figures
from bench_programs import PAIRS, PLAIN, READY, VIPER
from bench_pulses import EDGES_HOUSE, edge_costs
from bench_pulses import figures as pulse_figures
from fluksometer.domain import wire
from fluksometer.domain.readings import BoardSettings
from fluksometer.faults import parse_toml
from fluksometer.shared.deframer import Deframer
from fluksometer.shared.records import CLAMP, HEALTH
from house.command import default_image
from house.housefile import House
from house.pico import CORE_HZ, EmulatedPico
from house.rawrepl import execute

ROOT = Path(__file__).resolve().parent.parent
FLUKSOMETER = Path(sys.executable).with_name("fluksometer")
HOUSE = """
[converter]
noise_lsb = 1.0
[[clamp]]
port = 1
current_a = 10.0
[[clamp]]
port = 2
current_a = 5.0
[[clamp]]
port = 3
current_a = 25.0
[[pulse]]
port = 4
rate_hz = 10.0
bounce_ms = 2
"""
DEMO_RATE_HZ, FULL_RATE_HZ, TOP_RATE_HZ = 4000, 20000, 100_000
MOST_CORE_SHARE = {"board_3x4000": None, "board_3x20000": 8, "board_3x100000": 20}
"""In %: so that nine tenths of the core, or four fifths at the top rate, remain for whatever a maker adds."""


def say(text: str) -> None:
    """Progress."""
    print(f"bench: {text}", file=sys.stderr, flush=True)


def tell(bench: str, metric: str, value: float, unit: str) -> None:
    """One figure."""
    print(json.dumps({"bench": bench, "metric": metric, "value": round(value, 4), "unit": unit}), flush=True)


def judge(bench: str, figure: Figure) -> None:
    """One figure, and a word when it misses its limit."""
    tell(bench, figure.metric, figure.value, figure.unit)
    if not figure.held:
        say(f"{bench} {figure.metric}: {figure.value:g} {figure.unit} misses the limit of {figure.limit:g}")


def image() -> Path:
    """The image that set-up left in the cache."""
    found = default_image()
    if found is None:
        raise SystemExit("bench: no MicroPython image: run tools/firmware")
    return found


def flashed(folder: Path) -> Path:
    """A file system that flash.sh has written."""
    say("flashing an emulated Pico with ./flash.sh")
    (folder / "house.toml").write_text(HOUSE)
    link, flash = folder / "pico", folder / "pico.flash"
    command = [FLUKSOMETER, "emulate", "--house", folder / "house.toml", "--link", link, "--flash", flash]
    emulator = subprocess.Popen(list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        assert emulator.stdout is not None and "ready" in emulator.stdout.readline()
        subprocess.run([ROOT / "flash.sh", link], check=True, stdout=sys.stderr)
    finally:
        emulator.terminate()
        emulator.wait(30)
    return flash


def firmware_board(folder: Path, flash: Path, rate_hz: int) -> EmulatedPico:
    """A board with the firmware, three seconds after power-up, sampling at this rate."""
    own = folder / f"{rate_hz}.flash"
    shutil.copy(flash, own)
    pico = EmulatedPico(image(), parse_toml(HOUSE, House, source="house"), flash=own)
    pico.run_for(3.0)
    layout, values = wire.settings(BoardSettings(rate_hz=rate_hz, clamp_ports=0b00111, pulse_ports=0b11000))
    pico.console.send(wire.line(0, layout, *values))
    pico.run_for(2.0)
    pico.console.written.clear()
    return pico


def chip_with_module(folder: Path, name: str = "metering", house: str = HOUSE) -> EmulatedPico:
    """An emulated Pico that holds nothing but a native module."""
    pico = EmulatedPico(image(), parse_toml(house, House, source="house"), flash=folder / "native.flash")
    pico.run_for(2.0)
    module = (ROOT / f".cache/native/armv6m/{name}.mpy").read_bytes()
    execute(pico, f"module = open('/{name}.mpy', 'wb')")
    for at in range(0, len(module), 256):
        execute(pico, f"module.write({module[at : at + 256]!r})")
    execute(pico, "module.close()")
    return pico


def cycles_per_sample(pico: EmulatedPico, program: str) -> float:
    """What one more sample costs in a program that ends with measure(...)."""
    small_us, large_us, small, large = map(int, execute(pico, program, timeout_s=120).split())
    return (large_us - small_us) * CORE_HZ / 1e6 / (large - small)


def bench_native(folder: Path, full: bool) -> None:
    """Cycles per sample of the same arithmetic: native module, viper, plain Python; and what multiplying pairs adds."""
    pico = chip_with_module(folder)
    execute(pico, READY, timeout_s=60)
    cycles = {}
    for name, program in (("native", ""), ("viper", VIPER), ("plain_python", PLAIN)):
        say(f"folding on the chip: {name}")
        cycles[name] = cycles_per_sample(pico, f"{program}\nmeasure({name})")
        tell("native", f"{name}_cycles_per_sample", cycles[name], "cycles")
    for count, pairs in PAIRS.items():
        say(f"folding on the chip: {count} pairs of channels")
        with_pairs = cycles_per_sample(pico, f"begin({pairs})\nmeasure(native)")
        tell("native", f"native_pair{count}_cycles_per_sample", with_pairs, "cycles")
    tell("native", "native_speedup_over_viper", cycles["viper"] / cycles["native"], "ratio")
    tell("native", "native_speedup_over_plain_python", cycles["plain_python"] / cycles["native"], "ratio")
    if full:
        tell_identical_blocks(pico, 10000)


def tell_identical_blocks(pico: EmulatedPico, blocks: int) -> None:
    """How many random blocks were folded on the chip, in case all their windows have the bytes that this machine gets."""
    say(f"{blocks} random blocks on the chip and here, bit for bit")
    program, each = ROOT / "tests/native/blocks.py", 500
    digest = runpy.run_path(str(program))["digest"]
    execute(pico, program.read_text())
    for seed in range(blocks // each):
        printed = execute(pico, f"print(digest(metering, {seed}, {each}))", timeout_s=3600).strip()
        if printed != digest(native_through_cffi, seed, each):
            raise SystemExit(f"bench: the chip and this machine differ: digest of seed {seed}")
        say(f"{(seed + 1) * each} blocks are the same")
    tell("native", "identical_blocks", blocks, "blocks")


def bench_board(folder: Path, full: bool) -> None:
    """The whole firmware: share of the core, heap, link, gaps, and how fast this machine emulates it."""
    flash = flashed(folder)
    long_s = 600.0 if full else 30.0
    for rate_hz, seconds in ((DEMO_RATE_HZ, 30.0), (FULL_RATE_HZ, long_s), (TOP_RATE_HZ, long_s)):
        say(f"three clamps at {rate_hz} samples a second, {seconds:.0f} s of emulated time")
        pico = firmware_board(folder, flash, rate_hz)
        busy, began = pico.busy_cycles, time.monotonic()
        pico.run_for(seconds)
        wall_s = time.monotonic() - began
        tell_board(f"board_3x{rate_hz}", pico, busy, seconds, wall_s)
        pico.close()


def tell_board(bench: str, pico: EmulatedPico, busy_before: int, seconds: float, wall_s: float) -> None:
    """The figures of one run."""
    written = bytes(pico.console.written)
    records = Deframer().push(written)
    # The first health record also tells of the time before the rate was set.
    healths = [HEALTH.unpack(payload) for kind, _, _, payload in records if kind == HEALTH.kind][1:]
    clamps = [CLAMP.unpack(payload) for kind, _, _, payload in records if kind == CLAMP.kind]
    share = 100 * (pico.busy_cycles - busy_before) / (seconds * CORE_HZ)
    gaps = max(clamp[4] for clamp in clamps)
    judge(bench, Figure(metric="core_share", value=share, unit="%", limit=MOST_CORE_SHARE[bench]))
    tell(bench, "fold_share", 100 * sum(health[3] for health in healths) / (len(healths) * 10e6), "%")
    tell(bench, "heap_free", min(health[1] for health in healths), "bytes")
    tell(bench, "longest_backlog", 1000 * max(health[4] for health in healths) / 3 / int(bench.split("x")[1]), "ms")
    tell(bench, "link_rate", len(written) / seconds, "bytes/s")
    tell(bench, "windows", len(clamps), "windows")
    judge(bench, Figure(metric="gap_samples", value=gaps, unit="samples", limit=0))
    tell(bench, "emulation_speed", seconds / wall_s, "x real time")


def bench_metering(folder: Path, full: bool) -> None:
    """The metering core and the bridge's arithmetic, beside waves whose truth is known."""
    for figure in figures(full):
        judge("metering", figure)


def bench_pulses(folder: Path, full: bool) -> None:
    """The pulse inputs: what an edge costs, what four at once lose, a storm."""
    say("edges on the chip, native and as it was in Python")
    for figure in edge_costs(chip_with_module(folder, "pulses", EDGES_HOUSE)):
        judge("pulses", figure)
    for figure in pulse_figures(image(), flashed(folder), folder, full, say):
        judge("pulses", figure)


def bench_fuzz(folder: Path, full: bool) -> None:
    """Damaged bytes through the decoders of everything that comes from outside."""
    for figure in fuzz_figures(full):
        judge("fuzz", figure)


def bench_p1(folder: Path, full: bool) -> None:
    """Telegrams of a smart meter: what one costs the board, and how many a second the bridge reads."""
    for figure in bench_p1_board.figures(image(), flashed(folder), folder):
        judge("p1", figure)
    for figure in bench_p1_host.figures(full):
        judge("p1", figure)


def bench_backlog(folder: Path, full: bool) -> None:
    """A backlog of readings to the brokers, behind the cursor."""
    for figure in bench_drain.figures(folder, full):
        judge("drain", figure)


def bench_ledger_file(folder: Path, full: bool) -> None:
    """The ledger: bytes and syncs of a commit, a backlog and its drain, an accelerated year."""
    for figure in bench_ledger.figures(folder, full, say):
        judge("ledger", figure)


def bench_year(folder: Path, full: bool) -> None:
    """The history: a year of a counter, its size, how fast it is written and read."""
    for figure in bench_history.figures(folder, full, say):
        judge("history", figure)


def bench_web(folder: Path, full: bool) -> None:
    """HTTP: queries of a year and a day, requests a second, memory of the server."""
    for figure in bench_rest.figures(folder, say):
        judge("rest", figure)


def bench_lost(folder: Path, full: bool) -> None:
    """Faults of every kind at random moments, a noisy link, damaged bytes, and how long a reading takes."""
    for figure in bench_reliability.figures(folder, full, say):
        judge("reliability", figure)


def bench_boards(folder: Path, full: bool) -> None:
    """Virtual boards on one bridge's process, with all sinks, until it falls behind."""
    for figure in bench_load.figures(folder, full, say):
        judge("load", figure)


BENCHES: dict[str, Callable[[Path, bool], None]] = {
    "native": bench_native,
    "board": bench_board,
    "metering": bench_metering,
    "pulses": bench_pulses,
    "p1": bench_p1,
    "fuzz": bench_fuzz,
    "drain": bench_backlog,
    "ledger": bench_ledger_file,
    "history": bench_year,
    "rest": bench_web,
    "reliability": bench_lost,
    "load": bench_boards,
}


def main() -> int:
    """Command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="./tools/bench", description=__doc__)
    parser.add_argument(
        "names", nargs="*", choices=[*BENCHES, []], help=f"which ones: {', '.join(BENCHES)}; without any all"
    )
    parser.add_argument(
        "--full",
        action="store_true",
        help="the long forms: ten emulated minutes at 20000 and 100000 samples a second and of pulses, 10000 random blocks, "
        "more seeds, 10^8 fuzzed bytes, 30 days of backlog, a year through the history's sink",
    )
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for name in arguments.names or BENCHES:
            BENCHES[name](Path(folder), arguments.full)
    return 0


if __name__ == "__main__":
    sys.exit(main())
