"""One published reading: what the ledger keeps until every sink has it."""

from dataclasses import dataclass
from typing import Literal

Kind = Literal["gauge", "counter"]


@dataclass(frozen=True, slots=True)
class Point:
    """A value of a sensor at a time. (sensor, series, kind, time) is there once."""

    sensor_id: str  # 32 lower-case hex digits
    series: int  # 0, and one more after each deliberate reset of a counter
    kind: Kind
    time_s: int  # UTC
    milli: int  # the value, in thousandths of its unit
    unit: str
    retain: bool  # False: an event, which a client that comes late must not take for a new one
