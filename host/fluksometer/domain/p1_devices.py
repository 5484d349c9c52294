"""Meters behind the electricity meter (gas, water, heat), on its M-Bus: DSMR P1 4.0, 6.12; e-MUCS P1 1.7, 6.

A channel is where a device was plugged in, no more: after a swap the new one may sit on channel 2 beside a dead channel 1. So a
device is known by its type and its equipment id.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache

from fluksometer.shared.p1_lines import Register as RawRegister

from .p1_time import utc

TYPES = {  # EN 13757-3, table 13
    0: "other",
    1: "oil",
    2: "electricity",
    3: "gas",
    4: "heat",
    5: "steam",
    6: "warm water",
    7: "water",
    8: "heat cost allocator",
    10: "cooling",
    11: "cooling",
    12: "heat",
    13: "heat and cooling",
    21: "hot water",
    22: "cold water",
}
_READINGS = ("24.2.1", "24.2.2", "24.2.3")
_CORRECTED = {
    "24.2.1": True,
    "24.2.3": False,
}  # gas, to the volume it has at 15 degrees: yes in the Netherlands, no in Belgium
_NEVER = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """One of them, with its newest reading."""

    channel: int
    kind: str  # a name of TYPES, "type N", or "unknown"
    id: str  # equipment id; "" when it sends none
    time: datetime | None  # of the reading; None when the device's clock is not set
    milli: int | None  # thousandths of unit; None when there is no reading yet
    unit: str | None
    temperature_corrected: bool | None  # gas only
    valve: int | None


def is_of_device(code: str) -> bool:
    """Whether a code belongs to a device behind the meter rather than to the meter."""
    return code[:2] == "0-" and code[2:4] != "0:" and code.partition(":")[2].startswith(("24.", "96.1."))


@lru_cache(maxsize=64)  # most telegrams say of them what the one before said
def devices(registers: tuple[RawRegister, ...], winter_h: int) -> tuple[Device, ...]:
    """The devices of a telegram, by channel."""
    channels: dict[int, list[RawRegister]] = defaultdict(list)
    for register in registers:
        channel = register[0][2 : register[0].find(":")]
        if is_of_device(register[0]) and channel.isdecimal():
            channels[int(channel)].append(register)
    return tuple(_device(channel, channels[channel], winter_h) for channel in sorted(channels))


def newest(found: Iterable[Device], kind: str, equipment_id: str | None = None) -> Device | None:
    """The device of a type, and of an id if one is given, that was read last; one without a reading only if there is no other."""
    matching = [one for one in found if one.kind == kind and equipment_id in (None, one.id)]
    return max(matching, key=lambda one: (one.milli is not None, one.time or _NEVER), default=None)


def readable(text: str) -> str:
    """A text that the meter sends as hex digits (DSMR P1 4.0, 6.4: octet strings), as people read it; others as they are."""
    try:
        plain = bytes.fromhex(text).decode("ascii")
    except ValueError:
        return text
    return plain if plain.isprintable() else text


def _device(channel: int, registers: Sequence[RawRegister], winter_h: int) -> Device:
    texts = {code.partition(":")[2]: value for code, value, _, _, _ in registers if isinstance(value, str)}
    kind = texts.get("24.1.0", "")
    name = TYPES.get(int(kind), f"type {int(kind)}") if kind.isdecimal() else "unknown"
    reading, time, milli, unit = _reading(registers, winter_h)
    valve = texts.get("24.4.0", "")
    return Device(
        channel=channel,
        kind=name,
        id=readable(texts.get("96.1.0") or texts.get("96.1.1") or ""),
        time=time,
        milli=milli,
        unit=unit,
        temperature_corrected=_CORRECTED.get(reading) if name == "gas" else None,
        valve=int(valve) if valve.isdecimal() else None,
    )


def _reading(registers: Sequence[RawRegister], winter_h: int) -> tuple[str, datetime | None, int | None, str | None]:
    # After a swap some meters send the old one's last reading too, on the same channel: the newest counts.
    readings = [
        (code.partition(":")[2], utc(stamp, winter_h), value, unit)
        for code, value, unit, stamp, _ in registers
        if isinstance(value, int) and code.partition(":")[2] in _READINGS
    ]
    return max(readings, key=lambda one: one[1] or _NEVER, default=("", None, None, None))
