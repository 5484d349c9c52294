"""Pulses that an emulated board reported, beside the house that made them: lost, doubled, and how far their times are off."""

import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

from fluksometer.config_pulses import PRESETS
from fluksometer.domain.readings import BoardSettings
from house.housefile import Pulse
from house.pico import EmulatedPico
from house.pulses import pulse_times
from house.wiring import PULSE_GPIO

REGISTERS: Final = struct.pack("<4I", 0x40054028, 0xD0000004, 0x400140F0, 0x40014100)
"""What the native module's state begins with: board/wiring.py, PULSE_REGISTERS of an RP2040."""

PORTS: Final = (2, 3, 4, 5)
BESIDE: Final = '[[clamp]]\nport = 1\ncurrent_a = 20.0\n[p1]\ndialect = "dsmr5"\n'
"""What the board does meanwhile: sample a clamp, and read a telegram a second."""

FIRST_S: Final = 5
"""So many seconds after power-up pulses begin: the board runs then, and has its settings."""

_INPUT_BYTES: Final = 56
_TIMERAWL: Final = 0x28
_US: Final = 1000


@dataclass(frozen=True, slots=True)
class Verdict:
    """Of one port. ``lost`` or, negative, ``doubled`` pulses at the end; ``worst_us``: of all times that records told."""

    counted: int
    lost: int
    compared: int
    least_us: float
    worst_us: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Meters:
    """What hangs on the four pulse inputs. ``delays_ms``: by it edges of two ports fall together or not."""

    rate_hz: float
    width_ms: float
    bounce_ms: float
    delays_ms: tuple[float, ...]

    def house(self, seconds: float, ports: tuple[int, ...] = PORTS, first_s: float = FIRST_S) -> str:
        """A house file with a clamp on port 1 and a smart meter, and pulses for so long from ``first_s`` on."""
        text = BESIDE
        for port in ports:
            text += f"[[pulse]]\nport = {port}\nrate_hz = [[0, 0.0], [{first_s}, {self.rate_hz}]]\nseed = {port}\n"
            text += f"count = {round(self.rate_hz * seconds)}\ndelay_ms = {self.delays_ms[PORTS.index(port)]}\n"
            text += f"width_ms = {self.width_ms}\nbounce_ms = {self.bounce_ms}\n"
        return text


# Edges of two ports at once, of one a moment later, of one apart.
S0_METERS: Final = Meters(rate_hz=16.0, width_ms=30.0, bounce_ms=10.0, delays_ms=(0.0, 0.0, 0.02, 31.0))
OPTO_METERS: Final = Meters(rate_hz=1000.0, width_ms=0.05, bounce_ms=0.0, delays_ms=(0.0, 0.0, 0.02, 0.5))


def settings_of(preset: str, rate_hz: int) -> BoardSettings:
    """One clamp, four pulse inputs with this preset, the smart meter."""
    limits = PRESETS[preset]
    widths = {f"width_us_{port}": limits.width_us for port in PORTS}
    gaps = {f"gap_us_{port}": limits.gap_us for port in PORTS}
    return BoardSettings(rate_hz=rate_hz, clamp_ports=0b00001, pulse_ports=0b11110, p1=1, **widths, **gaps)


def storm(from_s: float, to_s: float, rate_hz: float) -> str:
    """A house file's port 3 that chatters so many times a second, both edges each time."""
    steps = f"[[0, 0.0], [{from_s}, {rate_hz}], [{to_s}, 0.0]]"
    return f"[[pulse]]\nport = 3\nrate_hz = {steps}\nwidth_ms = {500 / rate_hz}\n"


def zero_ns(pico: EmulatedPico, port: int, edge_us: int) -> int:
    """Emulated time in ns at which the board's clock was 0, exact to 1 us: from a pulse of which both clocks are known.

    ``edge_us`` is the time that the board reports for the last pulse of ``port``; the native module's state in memory has the
    chip's own count of it.
    """
    sram = bytes(pico.mcu.sram)
    first = sram.index(REGISTERS) + len(REGISTERS) + 4
    inputs = [struct.unpack_from("<6I", sram, first + place * _INPUT_BYTES) for place in range(len(PULSE_GPIO))]
    began_us = next(words[1] for words in inputs if words[5] == PULSE_GPIO[port])
    ago_us = (int(pico.mcu.timer.read_uint32(_TIMERAWL)) - began_us) & 0xFFFFFFFF
    return pico.nanos - (ago_us + edge_us) * _US


def judge(pulse: Pulse, records: Iterable[Mapping[str, Any]], began_ns: int) -> Verdict:
    """Compares the records of one port (fields by name) with what its contact did; ``began_ns`` as ``zero_ns`` tells."""
    records = list(records)
    true_ns = list(islice(pulse_times(pulse), pulse.count))
    errors_us = [
        (record["edge_us"] * _US + began_ns - true_ns[record["count"] - 1]) / _US
        for record in records
        if 0 < record["count"] <= len(true_ns)
    ]
    counted = records[-1]["count"]
    return Verdict(
        counted=counted,
        lost=len(true_ns) - counted,
        compared=len(errors_us),
        least_us=min(errors_us, default=0.0),
        worst_us=max(errors_us, key=abs, default=0.0),
    )
