"""MicroPython programs that the `native` benchmark runs on the chip: one fold, three ways, the arithmetic of native/metering."""

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
