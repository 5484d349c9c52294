# Hardware for the board's logic: a clock that is set by hand and wraps like the chip's, a converter ring, a console.
from array import array

PERIOD = 1 << 30  # of ticks_us on the chip


class Ticks:
    """ticks() and diff() as time.ticks_us and time.ticks_diff on the chip."""

    def __init__(self, start=0):
        self.now = start

    def ticks(self):
        return self.now % PERIOD

    @staticmethod
    def diff(later, earlier):
        return ((later - earlier + PERIOD // 2) % PERIOD) - PERIOD // 2


class Ring:
    """What AdcRing offers, filled by feed() instead of DMA."""

    def __init__(self, samples):
        self.ring = array("H", bytearray(2 * samples))
        self.samples = samples
        self.at = 0
        self.over = False
        self.starts = []

    def start(self, channels, rate_hz):
        self.samples = len(self.ring) // len(channels) * len(channels)
        self.at = 0
        self.over = False
        self.starts.append((channels, rate_hz))

    def stop(self):
        pass

    def position(self):
        return self.at

    def overrun(self):
        return self.over

    def feed(self, codes):
        for code in codes:
            self.ring[self.at] = code
            self.at = (self.at + 1) % self.samples


class Console:
    """write() takes what room allows; a reader that has stopped leaves none."""

    def __init__(self):
        self.out = bytearray()
        self.room = 1 << 30
        self.writes = []

    def write(self, piece):
        taken = min(len(piece), self.room)
        self.room -= taken
        self.out += bytes(piece)[:taken]
        self.writes.append(len(piece))
        return taken

    def writable(self):
        return self.room > 0
