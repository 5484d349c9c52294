"""Presets of pulse inputs, and which terminals a model of the board has for clamps and which for pulses."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from fluksometer.domain.sensors import SensorClass


@dataclass(frozen=True, slots=True)
class PulsePreset:
    """How long a level must hold to count, and how long after the beginning of a pulse none begins, both in us."""

    width_us: int
    gap_us: int


PRESETS: Final = {
    # IEC 62053-31, DIN 43864: on and off for 30 ms at least. 12 ms bear 10 ms of bounce at 16 pulses a second.
    "s0": PulsePreset(width_us=12_000, gap_us=40_000),
    # A magnet that passes slowly, and stops anywhere: four pulses a second at most.
    "reed": PulsePreset(width_us=30_000, gap_us=200_000),
    # A reading head above a meter's LED: clean edges, 50 us and up, 1000 pulses a second and more.
    "opto": PulsePreset(width_us=20, gap_us=300),
}
DEFAULT_PRESET: Final = "s0"


@dataclass(frozen=True, slots=True)
class BoardModel:
    """Ports that may count pulses, ports of which all are clamps or all are pulse inputs, and tables of further terminals that
    it has not, with the reason."""

    pulse_ports: frozenset[int]
    alike: frozenset[int] = frozenset()
    lacks: Mapping[str, str] = field(default_factory=dict)


MODELS: Final = {
    "free": BoardModel(frozenset({2, 3, 4, 5})),
    "flm02a": BoardModel(
        frozenset({4, 5}),
        lacks={"p1": "its port 6 is RS-485; a P1 cable of the host's own works", "radio": "it has none"},
    ),
    "flm02b": BoardModel(
        frozenset({2, 3, 4, 5}), alike=frozenset({2, 3}), lacks={"rs485": "its port 6 is the smart meter's"}
    ),
}
DEFAULT_MODEL: Final = "free"


def model_faults(model: str, used: Iterable[tuple[str, SensorClass, int]], tables: Iterable[str] = ()) -> list[str]:
    """What a model's terminals do not allow; ``used``: path in the file, class and port of each enabled sensor; ``tables``:
    those of the board's further terminals in the file (p1, radio, rs485)."""
    rules = MODELS[model]
    faults = [f"{table}: not with model {model}: {rules.lacks[table]}" for table in tables if table in rules.lacks]
    alike: dict[bool, tuple[str, int]] = {}
    for path, kind, port in used:
        pulse = kind is SensorClass.PULSE
        if pulse and port not in rules.pulse_ports and port in MODELS[DEFAULT_MODEL].pulse_ports:
            allowed = " and ".join(map(str, sorted(rules.pulse_ports)))
            faults.append(f"{path}: port {port} of model {model} takes a clamp; pulses go to ports {allowed}")
        elif port in rules.alike:
            other = alike.get(not pulse)
            if other and other[1] != port:
                ports = " and ".join(map(str, sorted(rules.alike)))
                faults.append(
                    f"{path}: ports {ports} of model {model} are both clamps or both pulse inputs; {other[0]} is the other"
                )
            alike.setdefault(pulse, (path, port))
    return faults
