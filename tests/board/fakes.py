# Hardware for the board's logic: a clock that is set by hand and wraps like the chip's, a converter ring, registers of the
# converter and the DMA, a console.
from array import array

import uctypes

import pulses

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
        self.late_us = 0  # how much longer than at the wanted rate a set takes
        self.set_us = 0
        self.most_hz = 1 << 30  # beyond it there is no memory

    def fit(self, conversions_hz):
        if conversions_hz > self.most_hz:
            raise MemoryError

    def start(self, channels, rate_hz):
        self.samples = len(self.ring) // len(channels) * len(channels)
        self.at = 0
        self.over = False
        self.starts.append((channels, rate_hz))
        self.set_us = 1000000 // rate_hz + self.late_us

    def stop(self):
        pass

    def us_of(self, sets):
        return sets * self.set_us

    def sets_in(self, us):
        return us // self.set_us

    def position(self):
        return self.at

    def overrun(self):
        return self.over

    def feed(self, codes):
        for code in codes:
            self.ring[self.at] = code
            self.at = (self.at + 1) % self.samples


class Registers:
    """mem32: what was written stands there. at_rest: addresses where a converter at rest shows bit 8 (READY, EMPTY)."""

    def __init__(self, at_rest):
        self.at_rest = at_rest
        self.values = {}
        self.written = []

    def __getitem__(self, address):
        return self.values.get(address, 0) | (1 << 8 if address in self.at_rest else 0)

    def __setitem__(self, address, value):
        self.values[address] = value
        self.written.append((address, value))


class Dma:
    """rp2.DMA: a channel that remembers how it was set up. ``made``: all of them, oldest first."""

    made = []

    def __init__(self):
        self.channel = len(self.made)
        self.made.append(self)
        self.set_up = {}
        self.calls = []

    @staticmethod
    def pack_ctrl(**bits):
        return bits

    def config(self, **set_up):
        self.set_up = set_up

    def active(self, on):
        self.calls.append(on)


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


class PulseLines:
    """The registers that the native module reads, with meters on pins 2 to 5: edges call the interrupt as the chip would.

    ticks: the chip's, as Ticks, of the same counter. An edge on a pin whose interrupt is masked calls nothing.
    """

    TIMER, LEVELS, PENDING, ENABLED = 0, 1, 2, 6  # places of the words; a pin has four bits of pending and enabled
    EDGES = 0b1100

    def __init__(self, ticks, pins=(2, 3, 4, 5)):
        self.ticks = ticks
        self.words = array("I", [0] * 10)
        self.words[self.LEVELS] = 0x3C
        for pin in pins:
            self.words[self.ENABLED] |= self.EDGES << 4 * pin
        address = uctypes.addressof(self.words)
        pulses.init(*[address + 4 * place for place in (self.TIMER, self.LEVELS, self.PENDING, self.ENABLED)])
        self.index = {pin: pulses.add(pin, pin) for pin in pins}
        self.wait(0)

    def wait(self, us):
        self.ticks.now += us
        self.words[self.TIMER] = self.ticks.now & 0xFFFFFFFF

    def level(self, pin):
        return self.words[self.LEVELS] >> pin & 1

    def put(self, pin, level):
        """The line goes to this level; its interrupt has not come yet."""
        self.words[self.LEVELS] = self.words[self.LEVELS] & ~(1 << pin) | level << pin

    def is_open(self, pin):
        return self.words[self.ENABLED] >> 4 * pin & 0xF == self.EDGES

    def interrupt(self, pin):
        if self.is_open(pin):
            pulses.edge(pin)

    def edge(self, pin, level):
        self.put(pin, level)
        self.interrupt(pin)
