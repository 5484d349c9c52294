"""One published reading: what every sink is given, and what the ledger keeps until all have it."""

from dataclasses import dataclass
from typing import Literal

from .topics import decimal

Kind = Literal["gauge", "counter"]


@dataclass(frozen=True, slots=True)
class Point:
    """A value of one sensor at one second. On MQTT: ``[time_s,value,"unit"]`` on ``/sensor/<id>/<kind>``."""

    sensor_id: str  # 32 lower-case hex digits
    series: int  # of its counter: one more after each deliberate reset
    kind: Kind
    time_s: int  # UTC
    milli: int  # thousandths of the unit
    unit: str
    retain: bool = True  # False: an event, which a client that comes late must not take for a new one

    @property
    def topic(self) -> str:
        """Where it is published."""
        return f"/sensor/{self.sensor_id}/{self.kind}"

    @property
    def payload(self) -> str:
        """What is published there."""
        return f'[{self.time_s},{decimal(self.milli)},"{self.unit}"]'
