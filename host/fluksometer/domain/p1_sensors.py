"""What a telegram tells, as values of sensors: a name of the sensor that stays, a name for people, and a number in its unit.

A sensor belongs to a meter (or to a gas, water or heat meter) by that one's id, never to a channel or a port: another meter has
other sensors, and never goes on with the counters of this one.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from .p1 import Direction, Register, Telegram
from .p1_devices import Device, newest
from .p1_dialect import TARIFF_NAMES

# Unit as sent: unit as published, and how many of it.
_UNITS = {
    "Wh": ("Wh", 1),
    "kWh": ("Wh", 1_000),
    "MWh": ("Wh", 1_000_000),
    "W": ("W", 1),
    "kW": ("W", 1_000),
    "varh": ("varh", 1),
    "kvarh": ("varh", 1_000),
    "var": ("var", 1),
    "kvar": ("var", 1_000),
    "V": ("V", 1),
    "A": ("A", 1),
    "Hz": ("Hz", 1),
    "l": ("L", 1),
    "m3": ("L", 1_000),
    "MJ": ("MJ", 1),
    "GJ": ("GJ", 1),
}
_DIRECTIONS: tuple[Direction, ...] = ("import", "export")
_PHASE_CODES = {1: "3", 2: "5", 3: "7"}  # first digit of C in what is no power: 32.7.0 is the voltage of line 1
_LEFT_BEHIND = timedelta(days=2)  # the slowest devices tell once a day
_DEVICE_NAMES = {"heat cost allocator": "heat cost", "heat and cooling": "heat", "warm water": "hot water"}


class _Known(NamedTuple):
    what: str  # end of the sensor's lasting name, and of its name for people
    unit: str  # that it must have; "" for a count
    counts: bool = False
    steady: bool = False


_REGISTERS = {  # by C.D.E
    "14.7.0": _Known("frequency", "Hz"),
    "3.8.0": _Known("varh import", "varh", counts=True),
    "4.8.0": _Known("varh export", "varh", counts=True),
    "3.7.0": _Known("var import", "var"),
    "4.7.0": _Known("var export", "var"),
    "1.4.0": _Known("demand", "W"),
    "1.6.0": _Known("month peak", "W", steady=True),
    "96.14.0": _Known("tariff", "", steady=True),
    "96.7.21": _Known("failures", "", counts=True),
    "96.7.9": _Known("long failures", "", counts=True),
}
for _phase, _digit in _PHASE_CODES.items():
    _REGISTERS[f"{_digit}2.7.0"] = _Known(f"voltage L{_phase}", "V")
    _REGISTERS[f"{_digit}1.7.0"] = _Known(f"current L{_phase}", "A")
    _REGISTERS[f"{_digit}2.32.0"] = _Known(f"sags L{_phase}", "", counts=True)
    _REGISTERS[f"{_digit}2.36.0"] = _Known(f"swells L{_phase}", "", counts=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """One sensor's value. ``milli`` is in thousandths of ``unit``."""

    meter: str  # id of the meter, or of the device behind it
    slot: str  # the sensor's lasting name
    function: str  # its name for people
    kind: str  # "electricity", "gas", "water", "heat" ...
    unit: str
    milli: int
    counts: bool = False  # a total
    falls: bool = False  # a total that may fall: import less export
    steady: bool = False  # a present value that is told over and over again: published when it changes
    flow_milli: int | None = None  # beside a total: the present flow in W
    time: datetime | None = None  # its own, where it has one


def values(telegram: Telegram) -> list[Value]:
    """All that is published of a telegram, the same names in the same order each time."""
    return [
        *_energy(telegram),
        *_power(telegram),
        *_registers(telegram),
        *_devices(telegram.devices, telegram.meter_id),
    ]


def phase_volts(telegram: Telegram) -> dict[int, int]:
    """Voltage of each line that the meter tells, in mV."""
    found = _by_value_group(telegram)
    volts = {phase: found.get(f"{digit}2.7.0") for phase, digit in _PHASE_CODES.items()}
    return {phase: one.milli for phase, one in volts.items() if one and one.unit == "V" and one.milli is not None}


def _value(telegram: Telegram, what: str, unit: str, milli: int, name: str = "", **more: Any) -> Value:
    meter = telegram.meter_id
    slot, function = f"p1 {meter} {what}", f"P1 {name or what}"
    return Value(meter=meter, slot=slot, function=function, kind="electricity", unit=unit, milli=milli, **more)


def _energy(telegram: Telegram) -> Iterator[Value]:
    for direction in _DIRECTIONS:
        total_uwh = telegram.energy_uwh(direction)
        if total_uwh is not None:
            yield _value(telegram, direction, "Wh", total_uwh // 1000, counts=True)
    tariffs = TARIFF_NAMES.get(telegram.dialect, {})
    for counter in telegram.counters:
        what, name = _part(counter.phase, counter.tariff, tariffs)
        if what:
            slot, function = f"{counter.direction} {what}", f"{counter.direction} {name}"
            yield _value(telegram, slot, "Wh", counter.energy_uwh // 1000, name=function, counts=True)
    if telegram.net_uwh is not None:
        yield _value(
            telegram, "net", "Wh", telegram.net_uwh // 1000, counts=True, falls=True, flow_milli=telegram.net_mw
        )


def _part(phase: int | None, tariff: int | None, names: dict[int, str]) -> tuple[str, str]:
    # Of a counter: the end of its lasting name, and of its name for people; empty for the total.
    if phase is None:
        return ("", "") if tariff is None else (str(tariff), names.get(tariff, str(tariff)))
    what = f"L{phase}" if tariff is None else f"L{phase} T{tariff}"
    return what, what


def _power(telegram: Telegram) -> Iterator[Value]:
    if telegram.net_mw is not None:
        yield _value(telegram, "power", "W", telegram.net_mw)
    for phase in _PHASE_CODES:
        signed = [
            one.power_mw if one.direction == "import" else -one.power_mw
            for one in telegram.powers
            if one.phase == phase
        ]
        if signed:
            yield _value(telegram, f"power L{phase}", "W", sum(signed))


def _by_value_group(telegram: Telegram) -> dict[str, Register]:
    # By C.D.E: meters differ in A and B (1-0, 1-1). Past values (*01) have another last field.
    found: dict[str, Register] = {}
    for code, register in telegram.registers.items():
        found.setdefault(code.partition(":")[2], register)
    return found


def _registers(telegram: Telegram) -> Iterator[Value]:
    found = _by_value_group(telegram)
    for group, known in _REGISTERS.items():
        register = found.get(group)
        if register is None or register.milli is None:
            continue
        unit, scale = _UNITS.get(register.unit, (register.unit, 1)) if register.unit else ("", 1)
        if unit == known.unit:
            milli = register.milli * scale
            yield _value(
                telegram, known.what, unit, milli, counts=known.counts, steady=known.steady, time=register.time
            )


def _devices(devices: tuple[Device, ...], meter_id: str) -> Iterator[Value]:
    # In the order of their channels, so that names stay; but a dead one that was left behind comes after the one in use.
    each = dict.fromkeys((one.kind, one.id) for one in sorted(devices, key=lambda one: _is_left_behind(one, devices)))
    names: dict[str, int] = {}
    for kind, device_id in each:
        device = newest(devices, kind, device_id)
        if device is None or device.milli is None or device.unit not in _UNITS:
            continue
        unit, scale = _UNITS[device.unit]
        name = _DEVICE_NAMES.get(kind, kind)[:11]
        names[name] = names.get(name, 0) + 1
        yield Value(
            meter=device_id or meter_id,
            slot=f"p1 {kind} {device_id}" if device_id else f"p1 {meter_id} {kind}",
            function=f"P1 {name}" if names[name] == 1 else f"P1 {name} {names[name]}",
            kind=kind,
            unit=unit,
            milli=device.milli * scale,
            counts=True,
            time=device.time,
        )


def _is_left_behind(device: Device, devices: tuple[Device, ...]) -> bool:
    times = [one.time for one in devices if one.kind == device.kind and one.time]
    return bool(times) and (device.time is None or max(times) - device.time > _LEFT_BEHIND)
