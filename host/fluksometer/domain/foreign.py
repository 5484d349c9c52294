"""Readings that others publish on the broker, ``[time,value,"unit"]`` as our own: read with distrust."""

import json
from dataclasses import dataclass
from decimal import Decimal
from math import floor
from typing import Final

_PAYLOAD_MOST: Final = 200  # bytes
_VALUE_MOST: Final = 10**12  # in its unit; what lies beyond is no measurement
_TIME_LEAST: Final = 1_234_567_890  # as the Fluksometer has it: a clock that was never set lies before
_AHEAD_S: Final = 60  # that a publisher's clock may be ahead of ours

UNITS: Final = {  # of a total, and of the flow beside it
    "electricity": ("Wh", "W"),
    "gas": ("L", "L/day"),
    "water": ("L", "L/day"),
}
GAUGE_UNITS: Final = {"temperature": "°C", "humidity": "%", "pressure": "Pa", "light": "lx", "battery": "V"}


class ForeignRefused(Exception):
    """What came is no reading of this sensor; the text says why, and holds nothing of what came."""


@dataclass(frozen=True, slots=True)
class ForeignReading:
    """One reading in the sensor's unit."""

    time_s: int
    milli: int


def foreign_reading(payload: bytes, unit: str, *, counts: bool, now_s: float) -> ForeignReading:
    """The reading in a payload: any bytes may come. ``unit``: that it must have; ``counts``: a total, which is not below 0;
    ``now_s``: UTC. Raises ForeignRefused."""
    if len(payload) > _PAYLOAD_MOST:
        raise ForeignRefused(f"longer than {_PAYLOAD_MOST} bytes")
    try:
        told = json.loads(payload, parse_float=Decimal, parse_constant=_no_number)
    except (ValueError, RecursionError, ArithmeticError):
        raise ForeignRefused("not JSON") from None
    if not isinstance(told, list) or len(told) != 3 or not all(type(one) in (int, Decimal) for one in told[:2]):
        raise ForeignRefused(f'not [time,value,"{unit}"]')
    time, value, named = told
    if named != unit:
        raise ForeignRefused(f'another unit than "{unit}"')
    if abs(value) >= _VALUE_MOST or (counts and value < 0):
        raise ForeignRefused("a value that can't be")
    if not _TIME_LEAST < time <= now_s + _AHEAD_S:
        raise ForeignRefused("a time that can't be: UTC in seconds is needed, and right clocks at both ends")
    return ForeignReading(floor(time), round(value * 1000))


def _no_number(_name: str) -> Decimal:
    raise ValueError  # NaN and Infinity are no JSON
