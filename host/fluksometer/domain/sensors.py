"""What a sensor is to the outside: a port of the board with a name, an id and a unit."""

from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction


class SensorClass(StrEnum):
    """How a port is read."""

    ANALOG = "analog"
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
    """One configured sensor. ``clamp_a``, ``voltage_v``, ``phase_deg`` count for analog ones, ``constant_milli`` for pulse ones."""

    sensor_id: str  # 32 lower-case hex digits
    port: int
    sensor_class: SensorClass
    medium: Medium
    function: str
    enabled: bool
    clamp_a: Fraction | int  # A rms that give 1 V rms at the pin, exact
    voltage_v: int
    constant_milli: int  # thousandths of a Wh or L per pulse
    phase_deg: float = 0.0  # lead of the clamp's output over its current, degrees at 50 Hz; 0 also when unknown
