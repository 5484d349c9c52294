"""The burst converter against the per-sample model: the same registers written, the same bytes in memory."""

from dataclasses import dataclass

import numpy as np
import pytest
from rp2040py.simulator import Simulator

from house import mends
from house.burst import BurstConverter, next_channel, period_units, ring_offsets, robin_order
from house.converter import HouseSource
from house.rawrepl import execute
from house.waves import SECOND_NS

HOUSE = """
[converter]
curve = "rp2040-c"
noise_lsb = 2.0
[[clamp]]
port = 1
current_a = 20
harmonics = { 3 = 0.1 }
[[clamp]]
port = 2
current_a = [[0, 5], [0.02, 40]]
[[clamp]]
port = 3
current_a = 1
"""

ADC, CS, RESULT, FCS, FIFO, DIV = 0x4004C000, 0x00, 0x04, 0x08, 0x0C, 0x10
DMA, READ, WRITE, COUNT, CTRL, AL2_WRITE_TRIG = 0x50000000, 0x00, 0x04, 0x08, 0x10, 0x2C
CONTROL = DMA + 0x40
INTR, INTE0, CHAN_ABORT = DMA + 0x400, DMA + 0x404, DMA + 0x444
SET, CLEAR = 0x2000, 0x3000
RING, BLOCK = 0x20010000, 0x20000100
EN, INCR_WRITE, RING_SEL, QUIET = 1, 1 << 5, 1 << 10, 1 << 21
FREE_RUN = 1 << 3
ROBIN_3 = 0b111 << 16
STEP_NS = 1_700_123.0  # no multiple of a sample's time, so that no look falls on the very moment of a conversion


@dataclass
class Run:
    """How the data channel and the converter are set up."""

    size: int = 1  # 0: bytes, 1: half words, 2: words
    div: int = (800 - 1) << 8  # 60 kS/s
    robin: int = ROBIN_3
    first: int = 0
    count: int = 500
    ring_bits: int = 0
    chain: bool = True
    threshold: int = 1
    extra_ctrl: int = INCR_WRITE


class Bench:
    """A bare chip with a house, programmed by hand."""

    def __init__(self, house, exact: bool) -> None:
        self.mcu = Simulator().rp2040
        source = HouseSource(house)
        mends.mend(self.mcu, source)
        self.burst = None if exact else BurstConverter(self.mcu, source)
        self.seen: list[tuple[int, ...]] = []

    def begin(self, run: Run) -> None:
        write = self.mcu.write_uint32
        write(BLOCK, RING)
        write(CONTROL + READ, BLOCK)
        write(CONTROL + WRITE, DMA + AL2_WRITE_TRIG)
        write(CONTROL + COUNT, 1)
        write(CONTROL + CTRL, EN | 2 << 2 | 0x3F << 15 | 1 << 11 | QUIET)
        write(DMA + READ, ADC + FIFO)
        write(DMA + COUNT, run.count)
        ring = run.ring_bits << 6 | RING_SEL if run.ring_bits else 0
        write(DMA + CTRL, EN | run.size << 2 | run.extra_ctrl | 36 << 15 | int(run.chain) << 11 | ring)
        write(ADC + FCS, 1 | 1 << 3 | run.threshold << 24 | (2 if run.size == 0 else 0))
        write(ADC + DIV, run.div)
        write(DMA + AL2_WRITE_TRIG, RING)
        write(ADC + CS, 1)
        write(ADC + CS, 1 | run.robin | run.first << 12 | FREE_RUN)

    def pass_time(self, steps: int = 1, nanos: float = STEP_NS) -> None:
        for _ in range(steps):
            self.mcu.clock.tick(nanos)
            self.look()

    def look(self) -> None:
        addresses = (DMA + WRITE, DMA + COUNT, ADC + CS, ADC + FCS, ADC + RESULT, INTR)
        self.seen.append(tuple(self.mcu.read_uint32(address) for address in addresses))
        self.mcu.write_uint32(INTR, 0xFFFF)

    def memory(self) -> bytes:
        return bytes(self.mcu.sram)


def assert_same(house, drive) -> Bench:
    """Both models, driven alike, look alike: registers at each look, and the whole memory at the end."""
    exact, burst = Bench(house, exact=True), Bench(house, exact=False)
    for bench in (exact, burst):
        drive(bench)
    assert burst.seen == exact.seen
    assert burst.memory() == exact.memory()
    return burst


RUNS = {
    "the firmware's": Run(),
    "bytes": Run(size=0),
    "words": Run(size=2, count=300),
    "as fast as it can": Run(div=0, count=4096),
    "a fractional divider": Run(div=(999 << 8) + 37),
    "two inputs": Run(robin=0b110 << 16, first=1),
    "first input outside the round": Run(robin=0b110 << 16, first=0),
    "one input": Run(robin=0, first=2),
    "with a floating input": Run(robin=0b1111 << 16, first=3),
    "wrapping ring": Run(ring_bits=8, count=10_000),
    "one place": Run(extra_ctrl=0),
    "no chain: overrun": Run(chain=False, count=100),
    "threshold of three": Run(threshold=3),
    "quiet": Run(extra_ctrl=INCR_WRITE | QUIET),
    "swapped bytes": Run(extra_ctrl=INCR_WRITE | 1 << 22),
}


@pytest.mark.parametrize("run", RUNS.values(), ids=RUNS.keys())
def test_both_models_leave_the_same_memory(house_from, run):
    def drive(bench: Bench) -> None:
        bench.begin(run)
        bench.pass_time(20)

    assert assert_same(house_from(HOUSE), drive).burst.running


def test_the_first_samples_are_those_of_the_waves_in_channel_order(house_from):
    house = house_from(HOUSE)
    bench = Bench(house, exact=False)
    bench.begin(Run())
    bench.pass_time()
    ring = np.frombuffer(bench.mcu.sram, dtype="<u2")[0x8000 : 0x8000 + 90]
    source = HouseSource(house)
    for channel in range(3):
        starts = (np.arange(channel, 90, 3, dtype=np.int64) * 50_000 + 1) // 3  # 60 kS/s
        assert np.array_equal(ring[channel::3], source.take(channel, starts))


def test_the_completion_interrupt_comes_in_time(house_from):
    def drive(bench: Bench) -> None:
        bench.mcu.write_uint32(INTE0, 1)
        bench.begin(Run(count=300))
        moments = []
        for _ in range(2000):
            bench.mcu.clock.tick(10_000.0)
            if bench.mcu.dma.int_raw & 1:
                moments.append(round(bench.mcu.clock.nanos))
                bench.mcu.write_uint32(INTR, 1)
        bench.seen.append(tuple(moments))

    seen = assert_same(house_from(HOUSE), drive).seen[0]
    due = [(n * 300 - 1) * SECOND_NS // 60_000 + 2000 for n in (1, 2, 3)]
    assert [-10_000 < late - at <= 10_000 for late, at in zip(seen, due, strict=False)] == [True] * 3


def test_nobody_drains_then_somebody_does(house_from):
    def drive(bench: Bench) -> None:
        bench.begin(Run(count=10))
        bench.mcu.write_uint32(CHAN_ABORT, 1)
        bench.pass_time(3)
        assert bench.mcu.read_uint32(ADC + FCS) & 1 << 11
        bench.mcu.write_uint32(ADC + FCS, 1 | 1 << 3 | 1 << 24 | 1 << 11)  # clears OVER
        bench.mcu.write_uint32(DMA + AL2_WRITE_TRIG, RING + 0x100)
        bench.pass_time(3)

    assert_same(house_from(HOUSE), drive)


def test_the_processor_may_read_the_fifo_itself(house_from):
    def drive(bench: Bench) -> None:
        bench.begin(Run())
        bench.mcu.write_uint32(CHAN_ABORT, 1)
        for _ in range(5):
            bench.pass_time()
            bench.seen.append(tuple(bench.mcu.read_uint32(ADC + FIFO) for _ in range(3)))

    assert_same(house_from(HOUSE), drive)


@pytest.mark.parametrize("nanos", [STEP_NS, 1_000_500.0], ids=["between conversions", "within one"])
def test_stop_and_start_again(house_from, nanos):
    def drive(bench: Bench) -> None:
        bench.begin(Run())
        bench.pass_time(2, nanos)
        bench.mcu.write_uint32(ADC + CLEAR + CS, FREE_RUN)
        bench.pass_time(3)
        bench.mcu.write_uint32(ADC + SET + CS, FREE_RUN)
        bench.pass_time(3)

    assert_same(house_from(HOUSE), drive)


def test_the_rate_may_change_on_the_run(house_from):
    def drive(bench: Bench) -> None:
        bench.begin(Run())
        bench.pass_time(3)
        bench.mcu.write_uint32(ADC + DIV, (1600 - 1) << 8)
        bench.pass_time(10)

    assert assert_same(house_from(HOUSE), drive).burst.running


def test_a_reset_ends_it(house_from):
    bench = Bench(house_from(HOUSE), exact=False)
    bench.begin(Run())
    bench.pass_time()
    bench.mcu.reset()
    assert not bench.burst.running
    before = bench.memory()
    bench.pass_time(3)
    assert bench.memory() == before


def test_hours_later_no_sample_is_missing(house_from):
    bench = Bench(house_from(HOUSE), exact=False)
    bench.mcu.clock.tick(3e13)  # more than eight hours
    bench.begin(Run(count=60_000, robin=0, ring_bits=10))
    for _ in range(100):
        bench.mcu.clock.tick(10_000_010.0)
        bench.mcu.read_uint32(DMA + WRITE)
    assert bench.mcu.read_uint32(DMA + COUNT) == 60_000  # 60 001 samples: the ring began anew, one more follows
    bench.mcu.clock.tick(16_700.0)
    assert bench.mcu.read_uint32(DMA + COUNT) == 59_999


def test_periods_are_those_of_the_data_sheet():
    assert period_units(0) == 2000 * 1536
    assert period_units(95 << 8) == 2000 * 1536
    assert period_units((800 - 1) << 8) * 3 == 50_000 * 1536
    assert period_units(((800 - 1) << 8) + 128) * 6 == 100_062.5 * 1536


def test_round_robin_goes_upward_and_wraps():
    assert robin_order(1, 0b10110) == [1, 2, 4]
    assert robin_order(0, 0b00110) == [0]
    assert robin_order(3, 0) == [3]
    assert [next_channel(c, 0b10110) for c in (0, 1, 2, 4)] == [1, 2, 4, 1]
    assert next_channel(3, 0) == 3


def test_a_ring_wraps_in_its_low_bits():
    assert ring_offsets(0x10C, 2, 4, 0xF).tolist() == [0x10C, 0x10E, 0x100, 0x102]
    assert ring_offsets(0x10C, 2, 3, 0).tolist() == [0x10C, 0x10E, 0x110]


SAMPLER = """
import array, rp2, uctypes
from machine import ADC, mem32
pins = [ADC(26), ADC(27), ADC(28)]
ring = array.array("H", bytes(2 * 3000))
block = array.array("I", [uctypes.addressof(ring)])
data, control = rp2.DMA(), rp2.DMA()
base = 0x4004C000
mem32[base], mem32[base + 8], mem32[base + 16] = 1, 1 | 1 << 3 | 1 << 24, 799 << 8
control.config(read=block, write=0x50000000 + 0x40 * data.channel + 0x2C, count=1, ctrl=control.pack_ctrl(
    size=2, inc_read=False, inc_write=False, treq_sel=0x3F, irq_quiet=True, chain_to=control.channel))
data.config(read=base + 12, write=ring, count=3000, trigger=True, ctrl=data.pack_ctrl(
    size=1, inc_read=False, inc_write=True, treq_sel=36, irq_quiet=True, chain_to=control.channel))
mem32[base] = 1 | 7 << 16 | 1 << 3
"""
LOOK = "i = (data.write - uctypes.addressof(ring)) // 2; print(i, hex(mem32[base + 8]), list(ring))"


def look_at_ring(board) -> tuple[int, np.ndarray]:
    """Where the DMA writes next, and the ring's codes; no sample may have been lost."""
    position, flags, *codes = execute(board, LOOK).translate(str.maketrans("", "", "[],")).split()
    assert int(flags, 16) & 1 << 11 == 0
    return int(position), np.array([int(code) for code in codes])


@pytest.mark.emulated
def test_the_firmware_fills_a_ring_without_a_gap(boot):
    board = boot(
        "[[clamp]]\nport = 1\ncurrent_a = 10\n[[clamp]]\nport = 2\ncurrent_a = 5\n[[clamp]]\nport = 3\ncurrent_a = 1"
    )
    execute(board, SAMPLER)
    assert board.burst.running
    board.run_for(10)
    position, codes = look_at_ring(board)
    # The ring holds the last 50 ms: two and a half periods. Two whole periods behind the writer have the house's rms.
    ring = np.roll(codes, -position)[-2430:-30]
    lsb_per_a = 4096 / 3.3 / 50
    shift = (position - 30) % 3
    for port, amperes in ((1, 10), (2, 5), (3, 1)):
        wave = ring[(port - 1 - shift) % 3 :: 3] - 2048
        # Rounding to codes adds 1/12 LSB^2; 0.2 LSB allow for the mean of 800 samples of it.
        assert np.sqrt(np.mean(wave**2.0) - 1 / 12) == pytest.approx(amperes * lsb_per_a, abs=0.2)


@pytest.mark.emulated
def test_the_firmware_sees_the_same_with_both_models(boot):
    house = "[converter]\nnoise_lsb = 2\n[[clamp]]\nport = 1\ncurrent_a = 10\n[[clamp]]\nport = 3\ncurrent_a = [[0, 1], [0.3, 30]]"
    seen = []
    for exact in (False, True):
        board = boot(house, exact=exact)
        execute(board, SAMPLER)
        board.run_for(0.05)
        execute(board, "mem32[base] = 1")
        seen.append(look_at_ring(board))
    # The runs may begin some core cycles apart, which moves a wave of 500 LSB by less than one.
    assert seen[0][0] == seen[1][0] and np.max(np.abs(seen[0][1] - seen[1][1])) <= 1
