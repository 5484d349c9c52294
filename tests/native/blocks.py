# Random windows through the native module, their bytes hashed. The same lines run on the chip, on MicroPython for Linux and,
# with tools/native_through_cffi.py in place of the module, on CPython.
from array import array
from binascii import hexlify
from hashlib import sha256

PAIRS = ((0, 1), (0, 2), (1, 2))


class Random:
    # Products stay below 2^30, where MicroPython's small integers end on a chip.
    def __init__(self, seed):
        self.seed = seed & 0xFFFF

    def below(self, top):  # top <= 2^14
        self.seed = (self.seed * 13077 + 6925) & 0xFFFF
        return (self.seed >> 2) * top >> 14

    def sign(self, value):
        return value if self.below(2) else -value


def codes(random, channels):
    # A wave of any shape, repeated: 4 to 19 sets are a cycle of the mains at many of the rates. It takes the whole range, or
    # is as small as currents are, or hardly moves. The upper four bits of a code mean nothing.
    size = (4096, 200, 20, 4)[random.below(4)]
    wave = array("H", [random.below(size) + 2048 - size // 2 + 4096 * random.below(16)])
    for _ in range((4 + random.below(16)) * channels - 1):
        wave.append(random.below(size) + 2048 - size // 2)
    return array("H", bytes(wave) * (300 // len(wave) + 1))


def begin(metering, random, state, channels):
    metering.init(state, channels, 50 + random.below(351))
    for channel in range(channels):
        metering.noise(state, channel, random.below(2) * random.below(1 << 14) << random.below(16))
    pairs = [pair for pair in PAIRS if pair[1] < channels and random.below(2)]
    for a, b in pairs:
        c0, c1 = (
            random.sign(random.below(1 << 14) << random.below(7)),
            random.sign(random.below(1 << 14) << random.below(7)),
        )
        metering.multiply(state, a, b, c0, c1)
    if random.below(4) == 0:
        metering.watch(state, random.below(channels))
    return pairs


def fold(metering, random, state, table, ring, channels):
    # Until the next window closes, in pieces of all lengths, as the ring gives them.
    windows, sets, at = metering.windows(state), len(ring) // channels, 0
    longest = (4, 20, 60, 200)[random.below(4)]
    while metering.windows(state) == windows:
        piece = min(sets - at, 1 + random.below(longest))
        at = (at + metering.fold(state, table, ring, at * channels, piece)) % sets
        if random.below(256) == 0:
            metering.gap(state)


def digest(metering, seed, blocks):
    """Hex SHA-256 over all windows of these random blocks, two each."""
    random, total = Random(seed), sha256()
    state, out = bytearray(metering.STATE_BYTES), bytearray(metering.WINDOW_BYTES + 3)
    pair_out, table = bytearray(metering.PAIR_BYTES), array("h", bytes(2 * 4096))
    metering.identity(table)
    for block in range(blocks):
        channels = block % 3 + 1
        for _ in range(20):
            table[random.below(4096)] = random.sign(random.below(1 << 14))
        pairs, ring = begin(metering, random, state, channels), codes(random, channels)
        for _ in range(2):
            fold(metering, random, state, table, ring, channels)
            for channel in range(channels):
                metering.take(state, channel, out, channel)
                total.update(out)
            for a, b in pairs:
                metering.take_pair(state, a + b - 1, pair_out, 0)
                total.update(pair_out)
    return hexlify(total.digest()).decode()
