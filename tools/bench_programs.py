"""MicroPython programs that the `native` benchmark runs on the chip: one fold, three ways, the arithmetic of native/metering."""

READY = """
import gc, time
import metering
from array import array
SETS = 960
ring = array('H', [2048 + (i * 7919) % 701 - 350 for i in range(3 * SETS)])
state = bytearray(metering.STATE_BYTES)
metering.init(state, 3, 1000000, 20000)
def native(sets):
    metering.fold(state, ring, 0, sets)
def measure(fold):
    # Twice with different lengths: their difference is free of the cost of the call.
    times = []
    for sets in (SETS // 4, SETS):
        gc.collect()
        began = time.ticks_us()
        fold(sets)
        times.append(time.ticks_diff(time.ticks_us(), began))
    print(times[0], times[1], 3 * (SETS // 4), 3 * SETS)
"""

# Per channel, in parts of at most 512 samples whose sums fit 32 bits: sum, sum of squares, lowest and highest sample.
VIPER = """
sums = array('i', [0] * 12)
wide = [0] * 6
@micropython.viper
def part(codes, first: int, sets: int, channel: int, out):
    p = ptr16(codes)
    o = ptr32(out)
    total = 0
    square = 0
    low = o[6 + channel]
    high = o[9 + channel]
    at = first
    end = first + 3 * sets
    while at < end:
        x = int(p[at]) - 2048
        at += 3
        total += x
        square += x * x
        if x < low:
            low = x
        if x > high:
            high = x
    o[channel] = total
    o[3 + channel] = square
    o[6 + channel] = low
    o[9 + channel] = high
def viper(sets):
    for first in range(0, sets, 512):
        for channel in range(3):
            part(ring, 3 * first + channel, min(512, sets - first), channel, sums)
            wide[channel] += sums[channel]
            wide[3 + channel] += sums[3 + channel]
"""

PLAIN = """
totals, squares, lows, highs = [0] * 3, [0] * 3, [0] * 3, [0] * 3
def plain_python(sets):
    for channel in range(3):
        total = square = 0
        low, high = lows[channel], highs[channel]
        for at in range(channel, 3 * sets, 3):
            x = ring[at] - 2048
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
