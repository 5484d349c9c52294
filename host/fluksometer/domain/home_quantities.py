"""What Home Assistant calls the quantities that are published, and in which unit it wants them.

Classes and units are those of its sensor and MQTT integrations; total_increasing takes a fall of a tenth for a new meter, so
only totals that never fall have it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from .points import Kind

DIAGNOSTIC: Final[dict[str, Any]] = {"entity_category": "diagnostic"}
_EVENT_S: Final = 10  # how long a movement is shown


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantity:
    """One entity of a sensor: what it is called, what it is, and how its value is read out of ``[time, value, "unit"]``."""

    noun: str  # appended to the sensor's name where that does not say it
    config: Mapping[str, Any]
    divisor: int = 1  # published units in one of Home Assistant's
    platform: str = "sensor"

    @property
    def template(self) -> str:
        """Jinja2, as Home Assistant evaluates it."""
        if self.platform == "binary_sensor":
            return "ON"
        return "{{ value_json[1]" + (f" / {self.divisor}" if self.divisor != 1 else "") + " }}"


def quantity(section: Mapping[str, object], kind: Kind, unit: str, *, modern: bool = True) -> Quantity:
    """Of a sensor's gauge or counter in this unit. ``modern``: Home Assistant is of 2025.5 or later."""
    medium = str(section.get("type", ""))
    if kind == "gauge":
        return _gauge(section, medium, unit)
    return _counter(section, medium, unit, modern)


def _measured(noun: str, device_class: str, unit: str, precision: int, **more: Any) -> Quantity:
    divisor = more.pop("divisor", 1)
    config = {"device_class": device_class, "state_class": "measurement", "unit_of_measurement": unit}
    return Quantity(noun=noun, config=config | {"suggested_display_precision": precision} | more, divisor=divisor)


def _total(
    noun: str, device_class: str, unit: str, *, divisor: int = 1, state_class: str = "total_increasing"
) -> Quantity:
    config = {"device_class": device_class, "state_class": state_class, "unit_of_measurement": unit}
    return Quantity(noun=noun, config=config | {"suggested_display_precision": 3}, divisor=divisor)


_GAUGES: Final = {  # by unit
    "W": _measured("power", "power", "W", 0),
    "VA": _measured("apparent power", "apparent_power", "VA", 0),
    "var": _measured("reactive power", "reactive_power", "var", 0),
    "V": _measured("voltage", "voltage", "V", 1),
    "A": _measured("current", "current", "A", 2),
    "Hz": _measured("frequency", "frequency", "Hz", 2),
    "°C": _measured("temperature", "temperature", "°C", 1),
    "%": _measured("humidity", "humidity", "%", 0),
    "Pa": _measured("pressure", "atmospheric_pressure", "hPa", 1, divisor=100),
    "lx": _measured("light", "illuminance", "lx", 0),
}
_FLOWS: Final = {  # L/day is none of Home Assistant's units
    "gas": _measured("flow", "volume_flow_rate", "m³/h", 3, divisor=24_000),
    "water": _measured("flow", "volume_flow_rate", "L/min", 2, divisor=1_440),
}
_EVENTS: Final = {"movement": "motion", "vibration": "vibration"}


def _gauge(section: Mapping[str, object], medium: str, unit: str) -> Quantity:
    function = str(section.get("function", ""))
    if medium == "battery":
        return _measured("battery", "voltage", "V", 2, **DIAGNOSTIC)
    if function in ("P1 demand", "P1 month peak"):
        return _measured("", "power", "kW", 3, divisor=1000)
    if unit == "L/day":
        return _FLOWS["gas" if medium == "gas" else "water"]
    if unit in _GAUGES:
        return _GAUGES[unit]
    if "power factor" in function:
        precise = {"suggested_display_precision": 2}
        return Quantity(noun="", config={"device_class": "power_factor", "state_class": "measurement"} | precise)
    if not unit:  # the number of a tariff, a mask of errors
        return Quantity(noun=medium if medium == "error" else "", config=DIAGNOSTIC)
    return Quantity(noun="", config={"state_class": "measurement", "unit_of_measurement": unit})


def _counter(section: Mapping[str, object], medium: str, unit: str, modern: bool) -> Quantity:
    if medium in _EVENTS and section.get("class") == "kube":
        config = {"device_class": _EVENTS[medium], "payload_on": "ON", "off_delay": _EVENT_S}
        return Quantity(noun=medium, config=config, platform="binary_sensor")
    if unit == "Wh":
        falls = section.get("function") == "P1 net"
        return _total("energy", "energy", "kWh", divisor=1000, state_class="total" if falls else "total_increasing")
    if unit == "varh":
        total = _total("reactive energy", "reactive_energy", "kvarh", divisor=1000)
        if modern:
            return total
        return Quantity(noun=total.noun, config={**total.config, "device_class": None}, divisor=total.divisor)
    if unit in ("GJ", "MJ"):
        return _total("energy", "energy", unit)
    if unit == "L":
        return _total(*(("gas", "gas") if medium == "gas" else ("water", "water")), "m³", divisor=1000)
    told: dict[str, Any] = {"unit_of_measurement": unit} if unit else DIAGNOSTIC
    return Quantity(noun="", config={"state_class": "total_increasing"} | told)


def entity_name(function: str, noun: str) -> str:
    """A name for people: the sensor's, and what of it this is unless that is said already."""
    words = function.replace("varh", "reactive energy").replace("var", "reactive power")
    if not noun or noun in words:
        return words or noun
    first, _, rest = noun.partition(" ")
    if rest and first in words.split():  # "apparent 1" is "apparent power 1"
        return words.replace(first, noun, 1)
    return f"{words} {noun}" if words else noun
