"""MicroPython programs that benchmarks run on the chip: one fold, three ways (native/metering); an edge of a pulse, two ways."""

READY = """
import gc, math, time
import metering
from array import array
SETS = 960
def wave(at):  # 50 Hz at 20000 sets a second, another size in each of three channels
    return 2048 + int((600 + 200 * (at % 3)) * math.sin(2 * math.pi * (at // 3) / 400))
ring = array('H', [wave(at) for at in range(3 * SETS)])
table = array('h', bytearray(8192))
metering.identity(table)
state = bytearray(metering.STATE_BYTES)
def begin(pairs):
    metering.init(state, 3, 20000)
    for a, b in pairs:
        metering.multiply(state, a, b, 16384, 0)
    for _ in range(6):  # until the size of the wave is known and its crossings are looked for
        native(SETS)
def native(sets):
    metering.fold(state, table, ring, 0, sets)
def measure(fold):
    # Twice with different lengths: their difference is free of the cost of the call.
    times = []
    for sets in (SETS // 4, SETS):
        gc.collect()
        began = time.ticks_us()
        fold(sets)
        times.append(time.ticks_diff(time.ticks_us(), began))
    print(times[0], times[1], 3 * (SETS // 4), 3 * SETS)
begin(())
"""

# The others know nothing of the mains wave and of pairs: per channel the sum, sum of squares, lowest and highest sample.
# Viper has 32 bits: parts of at most 512 samples, and squares (28 bits) in two halves.
VIPER = """
sums = array('i', [0] * 15)
wide = [0] * 6
@micropython.viper
def part(codes, steps, first: int, sets: int, channel: int, out):
    p = ptr16(codes)
    t = ptr16(steps)
    o = ptr32(out)
    total = 0
    square = 0
    square_high = 0
    low = o[9 + channel]
    high = o[12 + channel]
    at = first
    end = first + 3 * sets
    while at < end:
        x = ((int(t[int(p[at]) & 4095]) ^ 32768) & 65535) - 32768  # ptr16 has no sign
        at += 3
        total += x
        xx = x * x
        square += xx & 65535
        square_high += xx >> 16
        if x < low:
            low = x
        if x > high:
            high = x
    o[channel] = total
    o[3 + channel] = square
    o[6 + channel] = square_high
    o[9 + channel] = low
    o[12 + channel] = high
def viper(sets):
    for first in range(0, sets, 512):
        for channel in range(3):
            part(ring, table, 3 * first + channel, min(512, sets - first), channel, sums)
            wide[channel] += sums[channel]
            wide[3 + channel] += sums[3 + channel] + (sums[6 + channel] << 16)
"""

PLAIN = """
totals, squares, lows, highs = [0] * 3, [0] * 3, [0] * 3, [0] * 3
def plain_python(sets):
    for channel in range(3):
        total = square = 0
        low, high = lows[channel], highs[channel]
        for at in range(channel, 3 * sets, 3):
            x = table[ring[at] & 4095]
            total += x
            square += x * x
            if x < low:
                low = x
            if x > high:
                high = x
        totals[channel] += total
        squares[channel] += square
        lows[channel], highs[channel] = low, high
"""

PAIRS = {1: ((0, 1),), 3: ((0, 1), (0, 2), (1, 2))}

# A program that never sleeps, and how often it gets round in a second while edges come or not.
PULSE_BUSY = """
import time, machine, pulses
from micropython import const
pin = machine.Pin(4, machine.Pin.IN, machine.Pin.PULL_UP)
def turns(on):
    pin.irq(on_edge if on else None, 12, hard=True)
    count = 0
    end = time.ticks_add(time.ticks_us(), 1000000)
    while time.ticks_diff(end, time.ticks_us()) > 0:
        count += 1
    pin.irq(None)
    return count
"""

PULSE_NATIVE = """
pulses.init(0x40054028, 0xd0000004, 0x400140f0, 0x40014100)
others = [machine.Pin(gpio, machine.Pin.IN, machine.Pin.PULL_UP) for gpio in (2, 3, 5)]
for gpio, each in zip((2, 3, 4, 5), (others[0], others[1], pin, others[2])):
    pulses.limits(pulses.add(gpio, each), 300, 0)
on_edge = pulses.edge
"""

# What board/meter/pulses.py did in Python, interrupt by interrupt, before native/pulses.
PULSE_FORMER = """
class Former:
    def __init__(self):
        self._level = self._stable = pin.value()
        self._open = False
        self._edge = self._first = self._began = self._gap_us = self._count = self._rejected = 0
        self._ticks_us, self._ticks_diff, self._read_level = time.ticks_us, time.ticks_diff, pin.value
    def on_edge(self, _pin):
        now = self._ticks_us()
        self._judge(now)
        if self._open:
            self._rejected = self._rejected + 1 if self._rejected < 0x3fffffff else 0
        else:
            self._first = now
            self._open = True
        self._edge = now
        self._level = self._read_level()
    def _judge(self, now):
        if not self._open or self._ticks_diff(now, self._edge) < 300:
            return
        self._open = False
        if self._level == self._stable:
            return
        self._stable = self._level
        if not self._level:
            self._gap_us = self._ticks_diff(self._first, self._began)
            self._began = self._first
            self._count = self._count + 1 if self._count < 0x3fffffff else 0
on_edge = Former().on_edge
"""
