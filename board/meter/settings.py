# What the host may change while the board runs. A fresh board starts with these; later with what was in force before. The host
# compares them at each hello.
import gc

from shared._compat import const
from shared.layout import RangeError
from shared.records import MAX_CONVERSIONS_HZ, MIN_CONVERSIONS_HZ, PULSE_PORTS, SETTINGS

from .sampler import PAIRS

_BAUD_MIN = const(300)  # below, the UART's divider comes to its end
_AT_START = {"rate_hz": 20000, "clamp_ports": 0b111, "pulse_ports": 0b11000, "radio_group": 212}
for _port in PULSE_PORTS:
    _AT_START["width_us_%d" % _port] = 5000


class Settings:
    """values: all of them in the order of SETTINGS; each field is an attribute, ports and pairs as tuples."""

    def __init__(self, **given):
        fields = dict(_AT_START)
        fields.update(given)
        names = [field[0] for field in SETTINGS.fields]
        gc.collect()  # this lives long: now it finds a place at the bottom of the heap, below the ring
        self.values = tuple([fields.get(name, 0) for name in names])
        for name, value in zip(names, self.values):
            setattr(self, name, value)
        self.clamp_ports = ports_of(self.clamp_ports)
        self.pulse_ports = ports_of(self.pulse_ports)
        self.pairs = pairs_of(self.pairs)

    def width_us(self, port):
        """How long a level of this pulse port must hold."""
        return getattr(self, "width_us_%d" % port)

    def gap_us(self, port):
        """How long after the beginning of a pulse of this port none begins."""
        return getattr(self, "gap_us_%d" % port)


def ports_of(mask):
    """Ports named by a bit mask: bit n is port n + 1."""
    return tuple([bit + 1 for bit in range(8) if mask >> bit & 1])


def pairs_of(mask):
    """Pairs of ports named by a bit mask: bit n is PAIRS[n]."""
    return tuple([pair for bit, pair in enumerate(PAIRS) if mask >> bit & 1])


def mask_of(ports):
    """Bit mask of some ports: port n + 1 is bit n."""
    mask = 0
    for port in ports:
        mask |= 1 << (port - 1)
    return mask


def settings_from(payload, clamp_inputs, pulse_inputs):
    """Settings out of a record's payload, for the inputs that this board has; RangeError names what does not fit."""
    settings = Settings(**dict(zip([field[0] for field in SETTINGS.fields], SETTINGS.unpack(payload))))
    clamps, pulses = settings.clamp_ports, settings.pulse_ports
    if mask_of(clamps) & mask_of(pulses):
        raise RangeError("settings.pulse_ports: a port is a clamp or a pulse input, not both")
    if not all([port in clamp_inputs for port in clamps]):
        raise RangeError("settings.clamp_ports: this board has no clamp there")
    if not all([port in pulse_inputs for port in pulses]):
        raise RangeError("settings.pulse_ports: this board has no pulse input there")
    if settings.voltage_port and settings.voltage_port not in clamps:
        raise RangeError("settings.voltage_port: %d is not sampled" % settings.voltage_port)
    if settings.heartbeat_port and settings.heartbeat_port not in pulses:
        raise RangeError("settings.heartbeat_port: %d counts no pulses" % settings.heartbeat_port)
    if not all([port in clamps for pair in settings.pairs for port in pair]):
        raise RangeError("settings.pairs: of ports that are sampled")
    if settings.serial_baud and settings.serial_baud < _BAUD_MIN:
        raise RangeError("settings.serial_baud: 0 or %d..1000000" % _BAUD_MIN)
    if clamps and not MIN_CONVERSIONS_HZ <= settings.rate_hz * len(clamps) <= MAX_CONVERSIONS_HZ:
        limits = (-(-MIN_CONVERSIONS_HZ // len(clamps)), MAX_CONVERSIONS_HZ // len(clamps), len(clamps))
        raise RangeError("settings.rate_hz: %d..%d for %d clamps" % limits)
    return settings
