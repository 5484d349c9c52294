# What the host may change while the board runs. The board starts with these and keeps none over a restart: the host
# sends its own at each hello.
from shared.records import MAX_CONVERSIONS_HZ, MIN_CONVERSIONS_HZ, SETTINGS, RangeError

from .sampler import PAIRS


class Settings:
    """Samples a second of each clamp, ports in use, how long a pulse level must hold, which clamp is the voltage, pairs."""

    def __init__(
        self, rate_hz=20000, clamp_ports=(1, 2, 3), pulse_ports=(4, 5), min_width_us=5000, voltage_port=0, pairs=0
    ):
        self.rate_hz = rate_hz
        self.clamp_ports = tuple(clamp_ports)
        self.pulse_ports = tuple(pulse_ports)
        self.min_width_us = min_width_us
        self.voltage_port = voltage_port
        self.pairs = pairs  # mask: bit n is PAIRS[n]


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
    rate_hz, clamp_mask, pulse_mask, min_width_us, voltage_port, pairs = SETTINGS.unpack(payload)
    clamps = ports_of(clamp_mask)
    if clamp_mask & pulse_mask:
        raise RangeError("settings.pulse_ports: a port is a clamp or a pulse input, not both")
    if not all([port in clamp_inputs for port in clamps]):
        raise RangeError("settings.clamp_ports: this board has no clamp there")
    if not all([port in pulse_inputs for port in ports_of(pulse_mask)]):
        raise RangeError("settings.pulse_ports: this board has no pulse input there")
    if voltage_port and voltage_port not in clamps:
        raise RangeError("settings.voltage_port: %d is not sampled" % voltage_port)
    if not all([port in clamps for pair in pairs_of(pairs) for port in pair]):
        raise RangeError("settings.pairs: of ports that are sampled")
    if clamps and not MIN_CONVERSIONS_HZ <= rate_hz * len(clamps) <= MAX_CONVERSIONS_HZ:
        limits = (-(-MIN_CONVERSIONS_HZ // len(clamps)), MAX_CONVERSIONS_HZ // len(clamps), len(clamps))
        raise RangeError("settings.rate_hz: %d..%d for %d clamps" % limits)
    return Settings(rate_hz, clamps, ports_of(pulse_mask), min_width_us, voltage_port, pairs)
