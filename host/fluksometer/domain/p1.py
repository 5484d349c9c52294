"""A telegram of a smart meter as typed values: what the registers that ``shared/p1.py`` found mean.

Numbers stay exact integers: ``milli`` is thousandths of ``unit``, as the meter sent it. Import and export, each tariff and each
phase are counters of their own; the one netted counter of the original Fluksometer is there beside them (``net_uwh``).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Literal, NamedTuple

from fluksometer.shared.p1 import Telegram as RawTelegram
from fluksometer.shared.p1_lines import Register as RawRegister
from fluksometer.shared.p1_lines import thousandths

from .p1_devices import Device, devices, is_of_device, readable
from .p1_dialect import TARIFF_NAMES, dialect
from .p1_time import CENTRAL_EUROPE_H, utc

Direction = Literal["import", "export"]

# What is done with the values of a code: digits without a unit are a number, or a text; or the value goes into a list.
_COUNT, _TEXT, _DEVICE, _PEAK, _FAILURE = range(5)

_PEAKS, _FAILURES = "0-0:98.1.0", "1-0:99.97.0"
_IDS = ("0-0:96.1.1", "0-0:96.1.0", "0-0:42.0.0", "0-0:0.0.0", "1-0:0.0.0")
_TEXTS = (
    "96.1.",
    "96.13.",
    "42.0.",
    "0.0.",
    "0.2.",
    "1.0.0",
)  # C.D.E of what is no number though it may have digits only
# C of an OBIS code (IEC 62056-61, 5.4.1): direction and phase of active power and energy.
_ACTIVE: dict[str, tuple[Direction, int | None]] = {
    "1": ("import", None),
    "2": ("export", None),
    "21": ("import", 1),
    "22": ("export", 1),
    "41": ("import", 2),
    "42": ("export", 2),
    "61": ("import", 3),
    "62": ("export", 3),
}
_UWH_PER_MILLI = {"Wh": 1_000, "kWh": 1_000_000, "MWh": 1_000_000_000}
_MW_PER_MILLI = {"W": 1, "kW": 1_000}  # milliwatts


class Register(NamedTuple):
    """One value of the electricity meter: a number (``milli``, with or without unit) or a text."""

    milli: int | None = None
    text: str | None = None
    unit: str | None = None
    time: datetime | None = None  # its own, where it has one (a peak)


@dataclass(frozen=True, slots=True, kw_only=True)
class Counter:
    """Energy in one direction since the meter was made; ``tariff`` and ``phase`` are None for all of them together."""

    direction: Direction
    tariff: int | None
    phase: int | None
    energy_uwh: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Power:
    """Active power in one direction now; ``phase`` is None for all of them together."""

    direction: Direction
    phase: int | None
    power_mw: int  # milliwatts


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One line of a list that the meter keeps: a peak of a month, a power failure, a value at the end of a month."""

    time: (
        datetime | None
    )  # of the peak; of the failure's end; of the month's end; None when the meter's clock was not set
    closed: datetime | None  # peaks: when the month was closed
    milli: int
    unit: str | None


class Telegram(NamedTuple):
    """What one telegram says."""

    dialect: str
    head: str  # identification
    meter_id: str
    time: datetime | None
    crc: str  # "ok"; "none" before DSMR 4
    registers: dict[str, Register]  # of the electricity meter, by OBIS code
    devices: tuple[Device, ...]  # behind it
    peaks: tuple[Entry, ...]
    failures: tuple[Entry, ...]
    month_end: tuple[Entry, ...]
    left_out: int  # lines, texts and registers not understood or too many

    @property
    def tariff(self) -> int | None:
        """Number of the tariff in force (0-0:96.14.0)."""
        register = self.registers.get("0-0:96.14.0")
        return None if register is None or register.milli is None else register.milli // 1000

    @property
    def tariff_name(self) -> str | None:
        """``low`` or ``normal`` where the dialect says which number is which."""
        return TARIFF_NAMES.get(self.dialect, {}).get(self.tariff or 0)

    @property
    def counters(self) -> tuple[Counter, ...]:
        """Every counter of active energy that the telegram has."""
        found = []
        for code, register in self.registers.items():
            active = _active(code, "8")
            scale = _UWH_PER_MILLI.get(register.unit or "")
            if active and scale and register.milli is not None:
                direction, phase, tariff = active
                energy_uwh = register.milli * scale
                found.append(Counter(direction=direction, tariff=tariff or None, phase=phase, energy_uwh=energy_uwh))
        return tuple(found)

    @property
    def powers(self) -> tuple[Power, ...]:
        """Every active power that the telegram has."""
        found = []
        for code, register in self.registers.items():
            active = _active(code, "7")
            scale = _MW_PER_MILLI.get(register.unit or "")
            if active and scale and register.milli is not None and active[2] == 0:
                found.append(Power(direction=active[0], phase=active[1], power_mw=register.milli * scale))
        return tuple(found)

    def energy_uwh(self, direction: Direction) -> int | None:
        """All energy in one direction: the meter's total, else the sum of its tariffs; None when it sends neither."""
        whole = [one for one in self.counters if one.direction == direction and one.phase is None]
        totals = [one for one in whole if one.tariff is None]
        return sum(one.energy_uwh for one in totals[:1] or whole) if whole else None

    @property
    def net_uwh(self) -> int | None:
        """Import less export, as the original's one counter had it: it falls while the sun shines."""
        drawn, fed = self.energy_uwh("import"), self.energy_uwh("export")
        return None if drawn is None and fed is None else (drawn or 0) - (fed or 0)

    @property
    def net_mw(self) -> int | None:
        """Power drawn less power fed, in milliwatts, as the original's gauge had it."""
        signed = [
            one.power_mw if one.direction == "import" else -one.power_mw for one in self.powers if one.phase is None
        ]
        return sum(signed) if signed else None


def read(raw: RawTelegram, winter_h: int = CENTRAL_EUROPE_H) -> Telegram:
    """What a telegram says. ``winter_h``: hours that winter time is before UTC where the meter is."""
    registers: dict[str, Register] = {}
    texts: dict[str, str] = {}
    units: dict[str, str | None] = {}
    lists: tuple[list[RawRegister], ...] = ([], [], [], [], [])
    for one in raw.registers:
        code, value, unit, stamp, _ = one
        units[code] = unit
        if isinstance(value, str):
            texts[code] = value
        role = _role(code)
        if role > _TEXT:
            lists[role].append(one)
        elif code not in registers:
            time = utc(stamp, winter_h) if stamp else None
            if isinstance(value, int):
                registers[code] = Register(value, None, unit, time)
            else:
                registers[code] = Register(None, value, None, time) if role == _TEXT else _count(value, time)
    name = dialect(texts, units)
    peaks = _entries(lists[_PEAK], winter_h)
    return Telegram(
        dialect=name,
        head=raw.head,
        meter_id=next((readable(texts[code]) for code in _IDS if texts.get(code)), raw.head),
        time=utc(texts.get("0-0:1.0.0"), winter_h),
        crc=raw.crc,
        registers=registers,
        devices=devices(tuple(lists[_DEVICE]), winter_h),
        peaks=peaks if name != "hungary" else (),
        failures=_entries(lists[_FAILURE], winter_h),
        month_end=peaks if name == "hungary" else (),
        left_out=raw.left_out,
    )


@lru_cache(maxsize=1024)  # a meter sends the same codes in each telegram
def _role(code: str) -> int:
    if code in (_PEAKS, _FAILURES):
        return _PEAK if code == _PEAKS else _FAILURE
    if is_of_device(code):
        return _DEVICE
    return _TEXT if code.partition(":")[2].startswith(_TEXTS) else _COUNT


def _count(value: str, time: datetime | None) -> Register:
    if value.isdecimal() and len(value) < 10:  # most are
        return Register(int(value) * 1000, None, None, time)
    try:
        return Register(thousandths(value.encode()), None, None, time)
    except ValueError:
        return Register(None, value, None, time)


def _entries(registers: Sequence[RawRegister], winter_h: int) -> tuple[Entry, ...]:
    return tuple(
        Entry(time=utc(stamp, winter_h), closed=utc(before, winter_h), milli=value, unit=unit)
        for _, value, unit, stamp, before in registers
        if isinstance(value, int)
    )


def _active(code: str, kind: str) -> tuple[Direction, int | None, int] | None:
    """Direction, phase and E of a code of active energy (kind 8) or power (kind 7); None for every other."""
    medium, _, rest = code.partition(":")
    parts = rest.split(".")
    if not medium.startswith("1-") or len(parts) != 3 or parts[1] != kind or not parts[2].isdecimal():
        return None
    known = _ACTIVE.get(parts[0])
    return None if known is None else (*known, int(parts[2]))
