"""The house file: what hangs on the pins of the emulated Pico. It is the truth that a test compares readings with."""

import tomllib
from fractions import Fraction
from itertools import pairwise
from math import isfinite, sqrt
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

from pydantic import BeforeValidator, Field, Strict, field_validator, model_validator

from fluksometer.faults import FileFaults, Table, read_toml
from house.p1_table import P1
from house.radiofile import Kube, Node, Radio
from house.wiring import CLAMP_GPIO, PULSE_GPIO

Steps = tuple[tuple[float, float], ...]
"""Value from a moment on: ``((t_s, value), ...)``; zero before the first moment. A plain number in the file is one step at 0 s."""

FREQUENCY_DECIMALS: Final = 4
"""More decimals of a frequency would not fit the exact 64-bit phase arithmetic of waves.py."""

MAX_CURRENT_A: Final = 5000.0
MAX_RATE_HZ: Final = 100_000.0
"""Of pulses: a meter gives some tens at most; more is a broken wire beside a motor."""
_CODES: Final = 4096
_REFERENCE_V: Final = 3.300


def _steps(high: float, unit: str) -> BeforeValidator:
    """Reads a number or ``[[t_s, value], ...]``: values in 0..high, times from 0 on and growing."""

    def check(given: object) -> Steps:
        if _is_number(given):
            if not 0 <= given <= high:  # type: ignore[operator]
                raise ValueError(f"in 0..{high:g} {unit}")
            return ((0.0, float(given)),)  # type: ignore[arg-type]
        if not isinstance(given, list) or not given or not all(map(_is_pair, given)):
            raise ValueError("a number or steps [[time in s, value], ...]")
        for t_s, value in given:
            if not 0 <= value <= high:
                raise ValueError(f"the step at {t_s:g} s: {value:g} is not in 0..{high:g} {unit}")
        times_s = [t_s for t_s, _ in given]
        if times_s[0] < 0 or any(later <= earlier for earlier, later in pairwise(times_s)):
            raise ValueError("the times of steps begin at 0 or later and grow")
        return tuple((float(t_s), float(value)) for t_s, value in given)

    return BeforeValidator(check)


def _is_number(given: object) -> bool:
    return isinstance(given, int | float) and not isinstance(given, bool) and isfinite(given)


def _is_pair(given: object) -> bool:
    return isinstance(given, list) and len(given) == 2 and all(map(_is_number, given))


class Mains(Table):
    """What the sockets deliver: ``frequency_hz`` in Hz, ``voltage_v`` in V rms."""

    frequency_hz: float = Field(default=50.0, ge=45, le=65)
    voltage_v: float = Field(default=230.0, gt=0, le=1000)

    @field_validator("frequency_hz")
    @classmethod
    def _few_decimals(cls, value: float) -> float:
        if Fraction(repr(value)).denominator > 10**FREQUENCY_DECIMALS:
            raise ValueError(f"at most {FREQUENCY_DECIMALS} decimals")
        return value


class Converter(Table):
    """The Pico's converter: its measured curve (data/README.md), noise in LSB rms, an error of the bias in LSB.

    ``seed`` makes this board: its noise and its unique id.
    """

    curve: Literal["ideal", "rp2040-a", "rp2040-b", "rp2040-c", "rp2350-a", "rp2350-b", "rp2350-c"] = "ideal"
    noise_lsb: float = Field(default=0.0, ge=0, le=50)
    offset_lsb: float = Field(default=0.0, ge=-500, le=500)
    seed: int = Field(default=1, ge=0, le=2**32 - 1)


class Clamp(Table):
    """One current clamp. ``current_a`` is the total rms, harmonics included; ``rating_a`` A rms give 1 V rms at the pin.

    ``power_factor`` is the cosine of the lag of the fundamental behind the voltage; negative feeds into the grid.
    ``harmonics`` maps the order to its ratio to the fundamental. ``lead_deg``: by which the clamp's output is early.
    """

    port: int
    current_a: Annotated[Steps, _steps(MAX_CURRENT_A, "A")]
    rating_a: float = Field(default=50.0, ge=1, le=5000)
    power_factor: float = Field(default=1.0, ge=-1, le=1)
    harmonics: dict[str, float] = Field(default_factory=dict)
    lead_deg: float = Field(default=0.0, ge=-30, le=30)

    @field_validator("port")
    @classmethod
    def _has_a_pin(cls, port: int) -> int:
        if port not in CLAMP_GPIO:
            raise ValueError(f"clamps hang on ports {', '.join(map(str, CLAMP_GPIO))}")
        return port

    @field_validator("harmonics")
    @classmethod
    def _possible(cls, harmonics: dict[str, float]) -> dict[str, float]:
        for order, ratio in harmonics.items():
            if not order.isdecimal() or not 2 <= int(order) <= 50:
                raise ValueError(f"order {order!r} is not a whole number in 2..50")
            if not 0 <= ratio <= 1:
                raise ValueError(f"ratio {ratio:g} of order {order} is not in 0..1")
        if sum(harmonics.values()) > 2:
            raise ValueError(f"the ratios add up to {sum(harmonics.values()):g}, more than 2")
        return harmonics

    def ratios(self) -> dict[int, float]:
        """Order to ratio to the fundamental, the fundamental included."""
        return {1: 1.0} | {int(order): ratio for order, ratio in self.harmonics.items() if ratio > 0}

    def fundamental_share(self) -> float:
        """rms of the fundamental as a part of the total rms."""
        return 1 / sqrt(sum(ratio * ratio for ratio in self.ratios().values()))

    def lsb_per_a(self) -> float:
        """Codes at the pin per A: 1 V for the rating, 4096 codes for 3.300 V."""
        return _CODES / _REFERENCE_V / self.rating_a

    def largest_a(self) -> float:
        """The largest rms current that the house file lets flow."""
        return max(a for _, a in self.current_a)


class Adapter(Table):
    """An AC adapter that shows the mains voltage instead of a clamp: ``rating_v`` V rms give 1 V rms at the pin."""

    port: int
    rating_v: float = Field(default=400.0, ge=1, le=5000)
    lead_deg: float = Field(default=0.0, ge=-30, le=30)

    @field_validator("port")
    @classmethod
    def _has_a_pin(cls, port: int) -> int:
        if port not in CLAMP_GPIO:
            raise ValueError(f"adapters hang on ports {', '.join(map(str, CLAMP_GPIO))}")
        return port


class Pulse(Table):
    """One pulse input: a meter's S0 output or a reed contact.

    A pulse closes it for ``width_ms``; at each edge it chatters for ``bounce_ms``. After ``count`` pulses it rests. All of it comes
    ``delay_ms`` later than the rate says: by it the edges of two ports fall together or not.
    """

    port: int
    rate_hz: Annotated[Steps, _steps(MAX_RATE_HZ, "Hz")]
    width_ms: float = Field(default=30.0, gt=0, le=60_000)
    bounce_ms: float = Field(default=0.0, ge=0, le=1000)
    delay_ms: float = Field(default=0.0, ge=0, le=60_000)
    count: int | None = Field(default=None, ge=0)
    seed: int = Field(default=1, ge=0, le=2**32 - 1)

    @field_validator("port")
    @classmethod
    def _has_a_pin(cls, port: int) -> int:
        if port not in PULSE_GPIO:
            raise ValueError(f"pulses come in on ports {', '.join(map(str, PULSE_GPIO))}")
        return port

    @model_validator(mode="after")
    def _pulse_fits(self) -> Self:
        rate = max(hz for _, hz in self.rate_hz)
        if self.bounce_ms >= self.width_ms:
            raise ValueError(f"bounce_ms {self.bounce_ms:g} leaves nothing of width_ms {self.width_ms:g}")
        if rate * (self.width_ms + self.bounce_ms) >= 1000:
            raise ValueError(f"at {rate:g} Hz width_ms and bounce_ms must stay below {1000 / rate:g} together")
        return self


class Press(Table):
    """A finger on the button: from when on, and for how long."""

    at_s: float = Field(ge=0)
    for_s: float = Field(gt=0, le=3600)


class Rs485(Table):
    """The transceiver of port 6. ``echo``: its receiver is always on, so that the chip hears itself."""

    echo: bool = False


class Modbus(Table):
    """An energy meter on RS-485. ``ports``: the clamps whose loads it measures too, one a phase.

    ``turnaround_us``: from the request's last stop bit to its answer, never less than 3.5 characters. ``fault``: it never
    answers, its answers have a wrong CRC, or they are the exception "busy".
    """

    address: int = Field(ge=1, le=247)
    model: Literal["sdm120", "sdm630", "abb-b23"]
    ports: list[int] = Field(default_factory=lambda: [1], min_length=1, max_length=3)
    baud: int = Field(default=115_200, ge=300, le=1_000_000)
    format: Literal["8N1", "8E1", "8O1", "8N2"] = "8N1"
    turnaround_us: float = Field(default=0.0, ge=0, le=5_000_000)
    fault: Literal["silent", "crc", "exception"] | None = None


class Faults(Table):
    """What goes wrong, and when (s since the power came on): the tests of reliability drive these."""

    bit_error_rate: float = Field(default=0.0, ge=0, le=0.1)
    unplugged_s: list[Annotated[tuple[float, float], Strict(False)]] = Field(default_factory=list)
    frozen_reader_s: list[Annotated[tuple[float, float], Strict(False)]] = Field(default_factory=list)
    power_cuts_s: list[float] = Field(default_factory=list)
    radio_loss: float = Field(default=0.0, ge=0, le=1)
    radio_jam_s: list[Annotated[tuple[float, float], Strict(False)]] = Field(default_factory=list)


class House(Table):
    """The whole house file."""

    mains: Mains = Mains()
    converter: Converter = Converter()
    clamp: list[Clamp] = Field(default_factory=list)
    adapter: list[Adapter] = Field(default_factory=list)
    pulse: list[Pulse] = Field(default_factory=list)
    p1: P1 | None = None
    radio: Radio = Radio()
    kube: list[Kube] = Field(default_factory=list)
    press: list[Press] = Field(default_factory=list)
    node: list[Node] = Field(default_factory=list)
    faults: Faults | None = None
    rs485: Rs485 | None = None
    modbus: list[Modbus] = Field(default_factory=list)

    @model_validator(mode="after")
    def _meters_fit(self) -> Self:
        clamps, addresses = {clamp.port for clamp in self.clamp}, [meter.address for meter in self.modbus]
        faults = [f"modbus: address {one} is given {addresses.count(one)} times" for one in _repeated(addresses)]
        for meter in self.modbus:
            missing = [port for port in meter.ports if port not in clamps]
            faults += [
                f"modbus: meter {meter.address} measures the load of port {port}, which has no clamp"
                for port in missing
            ]
        if faults:
            raise ValueError("; ".join(faults))
        return self

    @model_validator(mode="after")
    def _each_place_once(self) -> Self:
        analog = [clamp.port for clamp in self.clamp] + [adapter.port for adapter in self.adapter]
        faults = place_faults(analog, [p.port for p in self.pulse], [k.node for k in self.kube])
        presses = sorted((press.at_s, press.at_s + press.for_s) for press in self.press)
        faults += [f"press: at {at:g} s it is still held" for (_, end), (at, _) in pairwise(presses) if at <= end]
        if faults:
            raise ValueError("; ".join(faults))
        return self


def place_faults(clamps: list[int], pulses: list[int], nodes: list[int]) -> list[str]:
    """One line for each port or radio node that is given away twice."""
    faults = [f"clamp: port {port} is given {clamps.count(port)} times" for port in _repeated(clamps)]
    faults += [f"pulse: port {port} is given {pulses.count(port)} times" for port in _repeated(pulses)]
    faults += [f"pulse: port {port} already has a clamp" for port in sorted(set(clamps) & set(pulses))]
    return faults + [f"kube: node {node} is given {nodes.count(node)} times" for node in _repeated(nodes)]


def _repeated(numbers: list[int]) -> list[int]:
    return sorted({number for number in numbers if numbers.count(number) > 1})


def read_house(path: Path) -> House:
    """The house in a file. Raises FileFaults with every fault in it, also those that only show between tables."""
    try:
        return read_toml(path, House)
    except FileFaults as error:
        faults = [fault for fault in error.faults if not fault.startswith("file: ")]
        raise FileFaults(error.source, faults + _place_faults_of(path)) from error


def _place_faults_of(path: Path) -> list[str]:
    """The place faults of a file that has others, too: looks only at what is there and whole."""
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return []
    analog = _numbers(values, "clamp", "port") + _numbers(values, "adapter", "port")
    return place_faults(analog, _numbers(values, "pulse", "port"), _numbers(values, "kube", "node"))


def _numbers(values: dict[str, Any], table: str, key: str) -> list[int]:
    entries = values.get(table)
    rows = [entry for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []
    return [entry[key] for entry in rows if isinstance(entry.get(key), int)]


def warnings(house: House) -> list[str]:
    """What a person should know about this house before it runs: what clips, and what is not simulated yet."""
    lines = [line for clamp in house.clamp if (line := _clipping(clamp, house.converter.offset_lsb))]
    radio_only = {"radio_loss", "radio_jam_s"}
    others = house.faults is not None and house.faults.model_fields_set - radio_only
    if others:
        lines.append("faults: accepted, but not simulated yet")
    return lines


def _clipping(clamp: Clamp, offset_lsb: float) -> str | None:
    """A warning when the crest of the wave leaves the converter's range (the worst case: all harmonics peak together)."""
    crest = sqrt(2) * clamp.fundamental_share() * sum(clamp.ratios().values())
    limit_a = (_CODES / 2 - abs(offset_lsb)) / clamp.lsb_per_a() / crest
    if clamp.largest_a() <= limit_a:
        return None
    return f"clamp on port {clamp.port}: {clamp.largest_a():g} A may clip, the converter's range ends near {limit_a:.1f} A rms"
