"""What a sensor is to the outside: one port of the board or several, with a name, an id and a unit."""

from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from typing import Literal

Phases = Literal["1p", "3p+n", "3p-n"]
Rule = Literal["closed-form", "two-clamp", "three-clamp"]
Direction = Literal["import", "export"]
Role = Literal["grid", "solar", "battery", "load"]
"""What the line is to the house; for whoever shows it, it changes nothing of the measuring."""


class SensorClass(StrEnum):
    """How a port is read."""

    ANALOG = "analog"
    VOLTAGE = "voltage"
    PULSE = "pulse"


class Medium(StrEnum):
    """What flows through a sensor."""

    ELECTRICITY = "electricity"
    GAS = "gas"
    WATER = "water"

    @property
    def counter_unit(self) -> str:
        """Unit of the running total."""
        return "Wh" if self is Medium.ELECTRICITY else "L"

    @property
    def gauge_unit(self) -> str:
        """Unit of the present flow."""
        return "W" if self is Medium.ELECTRICITY else "L/day"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sensor:
    """One configured sensor. What does not belong to its class has its default and means nothing."""

    sensor_id: str  # 32 lower-case hex digits
    port: int
    sensor_class: SensorClass
    medium: Medium
    function: str
    enabled: bool
    logged: bool = True  # whether it has a history
    further_ports: tuple[int, ...] = ()  # of a sensor with several clamps
    clamp_a: Fraction | int = 50  # analog: A rms that give 1 V rms at the pin, exact
    voltage_v: int = 230  # analog: mains voltage where none is measured; from line to line for 3p-n
    p1_phase: int = 0  # analog: the line whose voltage the smart meter tells; 0: voltage_v counts always
    phases: Phases = "1p"  # analog
    rule: Rule = "closed-form"  # analog, 3p-n
    direction: Direction = "import"  # analog, beside a voltage: which energy it counts
    adapter_v: Fraction | int = 0  # voltage: V rms of the mains that give 1 V rms at the pin, exact
    phase_deg: float = 0.0  # analog, voltage: lead of the output over the input, degrees at 50 Hz; 0 also when unknown
    constant_milli: int = 1000  # pulse: thousandths of a Wh or L per pulse
    role: Role | Literal[""] = ""  # analog, pulse of electricity

    @property
    def ports(self) -> tuple[int, ...]:
        """All its ports, the first one first."""
        return (self.port, *self.further_ports)

    @property
    def gauge_unit(self) -> str:
        """Unit of its gauge."""
        return "V" if self.sensor_class is SensorClass.VOLTAGE else self.medium.gauge_unit
