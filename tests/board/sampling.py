# A sampler on a fake ring whose codes the test knows, and what its records should say, computed the obvious way.
from fakes import PERIOD, Ring, Ticks

from meter.calibration import Calibration
from meter.clock import BoardClock
from meter.sampler import Sampler
from meter.settings import Settings
from shared.records import SETTINGS, TO_HOST

POLL_MS = 16  # as wiring.py does


def wave(index, channel):
    """About 50 Hz at 1000 samples a second, another height and phase on each channel, with something on top of it."""
    angle = (index + 3 * channel) % 20
    height = angle * (10 - angle) if angle < 10 else -(angle - 10) * (20 - angle)  # two parabolas: +-25
    return 2048 + (10 + 5 * channel) * height + (index * 7919) % 13 - 6


def fields_of(kind, payload):
    """A record by the names of its fields, its kind's name as "name"."""
    layout = TO_HOST[kind]
    names = [field[0] for field in layout.fields] + ([layout.tail] if layout.tail else [])
    fields = dict(zip(names, layout.unpack(bytes(payload))))
    fields["name"] = layout.name
    return fields


def settings_values(rate_hz, clamp_ports, pulse_ports, **given):
    """Values of a settings record."""
    given.update({"rate_hz": rate_hz, "clamp_ports": clamp_ports, "pulse_ports": pulse_ports})
    for name in given:
        assert name in [field[0] for field in SETTINGS.fields], name
    return Settings(**given).values


class SamplerRig:
    """run() makes sets of codes, lets their time pass and polls; fed: all sets since the last start."""

    def __init__(self, ring_samples=3000, ports=(1, 2, 3), rate_hz=1000, voltage_port=0, pairs=()):
        self.ticks = Ticks(PERIOD - 2000000)  # the chip's ticks wrap soon
        self.ring = Ring(ring_samples)
        self.clock = BoardClock(self.ticks.ticks, self.ticks.diff)
        self.calibration = Calibration()
        inputs = {1: 0, 2: 1, 3: 2}
        self.sampler = Sampler(self.ring, inputs, self.calibration, self.clock, self.ticks.ticks, self.ticks.diff)
        self.woken = 0
        self.sampler.on_window = self._wake
        self.start(ports, rate_hz, voltage_port, pairs)

    def _wake(self):
        self.woken += 1

    def start(self, ports, rate_hz=1000, voltage_port=0, pairs=()):
        self.sampler.start(ports, rate_hz, voltage_port, pairs)
        self.fed = []

    def run(self, sets, poll_every=POLL_MS, code=wave):
        for _ in range(sets):
            index = len(self.fed)
            self.fed.append([code(index, channel) for channel in range(len(self.sampler.ports))])
            self.ring.feed(self.fed[-1])
            self.ticks.now += self.ring.set_us
            if len(self.fed) % poll_every == 0:
                self.poll()

    def poll(self):
        self.clock.tick()
        self.sampler.poll()

    def records(self, name=None):
        """What the sampler has closed since the last call."""
        found = []
        window = self.sampler.take()
        while window:
            found += [fields_of(*record) for record in window]
            window = self.sampler.take()
        return [fields for fields in found if name in (None, fields["name"])]


def steps_of(sets, channel, shift=0):
    """The samples of one channel in 1/8 LSB from the middle."""
    return [(codes[channel] - 2048) * 8 + shift for codes in sets]


def rounded(numerator, denominator):
    """The nearest whole number."""
    size = (2 * abs(numerator) + denominator) // (2 * denominator)
    return -size if numerator < 0 else size


def product_of(a, b):
    """The mean product of two channels around their means, in 1/16 step^2, as a pair record tells it."""
    n = len(a)
    return rounded(16 * (n * sum([x * y for x, y in zip(a, b)]) - sum(a) * sum(b)), n * n)
