"""Units of the v1.0 API, and of today's: how many of them one of a sensor's own unit is (flukso.md 5.2)."""

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

_YEAR_S: Final = 31_536_000
_COUNTED: Final[Mapping[str, Mapping[str, int]]] = {  # per second of a total's unit
    "Wh": {"watt": 3600, "kwhperyear": _YEAR_S // 1000, "eurperyear": 5676, "audperyear": 5991},
    "L": {"lpermin": 60, "lperday": 86_400, "m3peryear": _YEAR_S // 1000},
}
"""The original's, with 0.18 EUR and 0.19 AUD for a kWh."""
UNITS: Final = tuple(name for factors in _COUNTED.values() for name in factors)
_PRICED: Final = ("eurperyear", "audperyear")
_FLOWS: Final = {"W": ("Wh", 3600), "L/day": ("L", 86_400)}  # present values that are flows of a total
RATES: Final[Mapping[str, Mapping[str, Fraction]]] = {
    "Wh": {"W": Fraction(3600), "kW": Fraction(36, 10)},
    "L": {"L/day": Fraction(86_400), "L/min": Fraction(60), "m3/h": Fraction(3600, 1000)},
    "varh": {"var": Fraction(3600)},
    "VAh": {"VA": Fraction(3600)},
    "J": {"W": Fraction(1)},
    "MJ": {"W": Fraction(1_000_000)},
    "GJ": {"W": Fraction(1_000_000_000)},
}
AMOUNTS: Final[Mapping[str, Mapping[str, Fraction]]] = {
    "Wh": {"Wh": Fraction(1), "kWh": Fraction(1, 1000)},
    "L": {"L": Fraction(1), "m3": Fraction(1, 1000)},
}


class BadUnit(ValueError):
    """The text says which units there are."""


@dataclass(frozen=True, slots=True)
class Conversion:
    """``factor``: of what is per second for a total, of the value itself for a present value. ``amount``: of a whole stretch of
    time instead."""

    unit: str
    factor: Fraction
    amount: bool = False


def unit_of(section: Mapping[str, object]) -> tuple[str, bool]:
    """Unit in which the history of a sensor is kept, and whether it is a total; by its published configuration."""
    counts = section.get("data_type", "counter") == "counter"
    if "unit" in section:
        return str(section["unit"]), counts
    if section.get("class") == "voltage":
        return "V", counts
    return ("Wh" if section.get("type") == "electricity" else "L"), counts


def old_conversion(name: str | None, own: str, counts: bool, price: Fraction | None) -> Conversion:
    """A unit of the v1.0 API. ``price``: of a kWh; None: the original's. Raises BadUnit for one that the sensor has not."""
    total, per_s = (own, 1) if counts else _FLOWS.get(own, (own, 1))
    factors = _COUNTED.get(total, {})
    if name is None or name not in factors:
        there = f"one of {', '.join(factors)}" if factors else f"none: it is of {own or 'no unit'}, see /api/v1"
        raise BadUnit(f"unit: this sensor has {there}")
    factor = Fraction(factors[name])
    if name in _PRICED and price is not None:
        factor = _YEAR_S * price / 1000
    return Conversion(name, factor / per_s)


def conversion(name: str | None, own: str, counts: bool, price: Fraction | None) -> Conversion:
    """A unit of today's API: those of v1.0, and as they are written; None: that of the present value. Raises BadUnit."""
    if not counts:
        if name in (None, own):
            return Conversion(own, Fraction(1))
        return old_conversion(name, own, counts, price)
    rates, amounts = RATES.get(own, {}), AMOUNTS.get(own, {own: Fraction(1)})
    if name is None:
        name = next(iter(rates), own)
    if name in rates:
        return Conversion(name, rates[name])
    if name in amounts:
        return Conversion(name, amounts[name], amount=True)
    if name in _COUNTED.get(own, {}):
        return old_conversion(name, own, counts, price)
    raise BadUnit(f"unit: this sensor has one of {', '.join([*rates, *amounts, *_COUNTED.get(own, {})])}")
