"""The smart meter of a house: its telegrams, when they come, and the truth about what stood in each."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from math import floor
from random import Random
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

from rp2040py.gpio_pin import GPIOPinState

from fluksometer.shared.crc16 import crc16
from fluksometer.shared.p1_lines import Register
from house.p1_dialects import DIALECTS, rows_of
from house.p1_line import FAST_8N1, SLOW_7E1, LineFormat, P1Line
from house.p1_table import P1, Device
from house.p1_values import Values
from house.wiring import P1_REQUEST_GPIO, P1_RX_GPIO, P1_UART

if TYPE_CHECKING:
    from house.housefile import House

_ZONE: Final = ZoneInfo("Europe/Amsterdam")
_NEVER: Final = "632525252525W"
_DEVICE_TYPES: Final = {"gas": 3, "water": 7, "heat": 4}
_KILO: Final = {"kWh", "kW", "kvar", "kvarh", "kVA"}
_TITLE: Final = bytes.fromhex("5341473100000001")
_AUTHENTICATION_KEY: Final = bytes.fromhex("00112233445566778899AABBCCDDEEFF")
"""Luxmetering's P1 specification 1.1.3, 3.2.5: the same for all meters."""
PEAK_KW: Final = Fraction("11.173")
_PEAK_MOMENT: Final = datetime(2026, 1, 9, 8, 0, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Number:
    """A number as it is shown: thousandths of its unit, and how many digits stand before and behind the point."""

    thousandths: int
    digits: int
    decimals: int
    unit: str | None

    def text(self) -> str:
        """As it stands in a telegram."""
        sign, size = ("-" if self.thousandths < 0 else ""), abs(self.thousandths)
        whole, part = divmod(size, 1000)
        behind = f".{part:03d}"[: 1 + self.decimals] if self.decimals else ""
        return f"{sign}{whole:0{self.digits}d}{behind}" + (f"*{self.unit}" if self.unit is not None else "")


@dataclass(frozen=True, slots=True)
class Stamp:
    """A moment of the meter's clock."""

    at: str

    def text(self) -> str:
        """As it stands in a telegram."""
        return self.at


@dataclass(frozen=True, slots=True)
class Text:
    """Anything else between brackets."""

    value: str

    def text(self) -> str:
        """As it stands in a telegram."""
        return self.value


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a telegram. ``given``: the registers that it says, where they are not simply its groups."""

    code: str
    groups: tuple[Number | Stamp | Text, ...]
    given: tuple[Register, ...] | None = None
    broken_before: int | None = None  # this group stands on a line of its own

    def text(self) -> str:
        """As it stands in a telegram, with its line end."""
        groups = [f"({group.text()})" for group in self.groups]
        if self.broken_before is not None:
            groups[self.broken_before] = "\r\n" + groups[self.broken_before]
        return self.code + "".join(groups) + "\r\n"

    def registers(self) -> Iterator[Register]:
        """What a reader should find in it: shared/p1_lines.py has the form."""
        if self.given is not None:
            yield from self.given
            return
        stamp = before = None
        for group in self.groups:
            if isinstance(group, Stamp) and len(self.groups) > 1:
                before, stamp = stamp, group.at
            elif isinstance(group, Number) and group.unit is not None:
                yield (self.code, group.thousandths, group.unit, stamp, before)
            elif len(self.groups) == 1 or (stamp and len(self.groups) == 2):
                yield (self.code, group.text(), None, stamp, None)


@dataclass(slots=True)
class Sent:
    """A telegram that went out: its lines are the truth. ``damage``: "", "cut" or "corrupt"."""

    t_s: float
    lines: list[Line]
    data: bytes
    damage: str = ""

    def registers(self) -> list[Register]:
        """What a reader should find."""
        return [register for line in self.lines for register in line.registers()]


class Meter:
    """Makes telegrams. Pure: the same house and time make the same telegram, but for faults, which are drawn one by one."""

    def __init__(self, house: "House") -> None:
        assert house.p1 is not None
        self.p1: P1 = house.p1
        self.dialect = DIALECTS[house.p1.dialect]
        self._values = Values(house)
        self._random = Random(f"p1/{house.p1.faults.seed}")
        self._count = 0

    @property
    def interval_s(self) -> float:
        """Between telegrams."""
        return self.p1.interval_s or self.dialect.interval_s

    @property
    def form(self) -> LineFormat:
        """How its line works."""
        usual = SLOW_7E1 if self.dialect.slow else FAST_8N1
        given = self.p1.format or f"{usual.bits}{usual.parity}1"
        return LineFormat(self.p1.baud or usual.baud, int(given[0]), given[1], self.p1.inverted)

    # --- lines ---

    def lines(self, t_s: float) -> list[Line]:
        """All lines at a time, in s since the power came on."""
        lines = [self._line(row, t_s) for row in rows_of(self.dialect, self.p1.phases)]
        return lines + [line for device in self.p1.device for line in self._device(device, t_s)]

    def stamp(self, moment: datetime) -> str:
        """A moment as the meter's clock shows it."""
        if self.p1.dialect == "sweden":
            return (moment + timedelta(hours=1)).strftime("%y%m%d%H%M%SW")
        local = moment.astimezone(_ZONE)
        return local.strftime("%y%m%d%H%M%S") + ("S" if local.dst() else "W")

    def _line(self, row: list[str], t_s: float) -> Line:
        code, name = row[:2]
        if name.startswith("="):
            return Line(code, (_literal(name[1:]),))
        if len(row) > 2:
            digits, decimals = map(int, row[2].split("."))
            return Line(code, (self._number(name, t_s, digits, decimals, row[3] if len(row) > 3 else None),))
        return Line(code, tuple(getattr(self, f"_{name}")(t_s)))

    def _number(self, name: str, t_s: float, digits: int, decimals: int, unit: str | None) -> Number:
        value = self._values.number(name, t_s) / (1000 if unit in _KILO else 1)
        step = 10 ** (3 - decimals)
        size = floor(abs(value) * 10**decimals) * step
        return Number(-size if value < 0 else size, digits, decimals, unit)

    def _clock(self, t_s: float) -> list[Stamp]:
        return [Stamp(_NEVER if self.p1.faults.invalid_clock else self.stamp(self._values.clock(t_s)))]

    def _id(self, t_s: float) -> list[Text]:
        return [Text(self.p1.meter_id.encode().hex().upper())]

    def _plain_id(self, t_s: float) -> list[Text]:
        return [Text(self.p1.meter_id)]

    def _tariff(self, t_s: float) -> list[Text]:
        return [Text(f"{self._values.tariff(t_s):04d}")]

    def _text(self, t_s: float) -> list[Text]:
        return [Text("3A" * self.p1.faults.long_text)]

    def _failures(self, t_s: float) -> list[Number | Stamp | Text]:
        return [Text("1"), Text("0-0:96.7.19"), Stamp("251214015112W"), Number(4571000, 10, 0, "s")]

    def _peak(self, t_s: float) -> list[Number | Stamp]:
        return [Stamp(self.stamp(_PEAK_MOMENT)), Number(int(PEAK_KW * 1000), 2, 3, "kW")]

    def _peaks(self, t_s: float) -> list[Number | Stamp | Text]:
        groups: list[Number | Stamp | Text] = [Text("3"), Text("1-0:1.6.0"), Text("1-0:1.6.0")]
        for month in (10, 11, 12):
            groups += [Stamp(f"25{month}01000000W"), Stamp(f"25{month - 1:02d}1718150{month % 2}W")]
            groups.append(Number(4000 + month, 2, 3, "kW"))
        return groups

    def _month(self, t_s: float) -> list[Number | Stamp]:
        energies = [Number(1000 * n + 924, 6, 3, "kWh") for n in range(6)]
        return [Stamp("260101000000W"), *energies, Number(15142, 6, 3, "kvarh"), Number(12212, 2, 3, "kW")]

    # --- devices ---

    def _device(self, device: Device, t_s: float) -> list[Line]:
        kind, at = self.dialect.mbus, f"0-{device.channel}:"
        if not kind:
            return []
        number = _DEVICE_TYPES[device.type]
        shown_id = device.id.encode().hex().upper()
        read_s = t_s // device.every_s * device.every_s
        stamp = self.stamp(self._values.clock(read_s))
        amount = Fraction(repr(device.start)) + Fraction(repr(device.rate_per_h)) * Fraction(repr(read_s)) / 3600
        unit = "GJ" if device.type == "heat" else "m3"
        value = Number(floor(amount * 1000), 5, 3, unit)
        if kind in "23":
            return self._old_device(at, number, shown_id, stamp[:12], value, device)
        reading: tuple[Number | Stamp | Text, ...] = (Stamp(stamp), value)
        if device.dead:
            reading = (Stamp(_NEVER), Text("00000.000"))
        belgian = kind == "belgium"
        code = at + ("24.2.3" if belgian and device.type == "gas" else "24.2.1")
        lines = [Line(at + "24.1.0", (Text(f"{number:03d}"),))]
        lines.append(Line(at + ("96.1.1" if belgian else "96.1.0"), (Text(shown_id),)))
        if belgian:
            lines.append(Line(at + "24.4.0", (Text("1"),)))
        return [*lines, Line(code, reading)]

    def _old_device(self, at: str, number: int, shown_id: str, stamp: str, value: Number, device: Device) -> list[Line]:
        assert value.unit is not None
        if device.dead:
            return [Line(at + "24.1.0", (Text("0"),))]
        lines = [Line(at + "96.1.0", (Text(shown_id),))]
        lines.append(Line(at + "24.1.0", (Text(f"{number:0{int(self.dialect.mbus) - 1}d}"),)))
        bare = Number(value.thousandths, 5, 3, None)
        groups = (Stamp(stamp), Text("00"), Text("60"), Text("1"), Text(at + "24.2.1"), Text(value.unit), bare)
        said: Register = (at + "24.2.1", value.thousandths, value.unit, stamp, None)
        return [*lines, Line(at + "24.3.0", groups, (said,), broken_before=6), Line(at + "24.4.0", (Text("1"),))]

    # --- telegrams ---

    def telegram(self, t_s: float) -> Sent:
        """The telegram of a moment, whole."""
        lines = self.lines(t_s)
        body = f"/{self.dialect.head}\r\n\r\n{''.join(line.text() for line in lines)}!".encode("ascii")
        end = b""
        if self.dialect.crc:
            end = b"%X" % crc16(0, body) if self.p1.faults.unpadded_crc else b"%04X" % crc16(0, body)
        data = body + end + b"\r\n"
        return Sent(t_s, lines, self._encrypted(data) if self.dialect.encrypted else data)

    def next(self, t_s: float) -> Sent:
        """The next telegram that goes out, with the faults that the house file asks for."""
        sent, faults = self.telegram(t_s), self.p1.faults
        self._count += 1
        if faults.cut_each and self._count % faults.cut_each == 0:
            sent.data, sent.damage = sent.data[: len(sent.data) // 2], "cut"
        elif faults.corrupt_rate:
            data = bytearray(sent.data)
            for at in range(data.find(b"\n") + 1, data.rfind(b"!")):
                if self._random.random() < faults.corrupt_rate:
                    data[at] ^= self._random.randint(1, 255)
                    sent.damage = "corrupt"
            sent.data = bytes(data)
        return sent

    def noise(self) -> bytes:
        """What stands on the line between two telegrams."""
        return self._random.randbytes(self.p1.faults.noise_bytes)

    def _encrypted(self, data: bytes) -> bytes:
        """General-glo-ciphering with AES-128-GCM, suite 0, tag of 12 bytes: IEC 62056-5-3, Luxmetering's P1 1.1.3, 3.2."""
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        counter = self._count.to_bytes(4, "big")
        sealed = AESGCM(bytes.fromhex(self.p1.key)).encrypt(_TITLE + counter, data, b"\x30" + _AUTHENTICATION_KEY)
        content = sealed[:-16] + sealed[-16:-4]  # of the tag the first twelve bytes
        return b"\xdb\x08" + _TITLE + b"\x82" + (5 + len(content)).to_bytes(2, "big") + b"\x30" + counter + content


def _literal(text: str) -> Number | Text:
    number, star, unit = text.partition("*")
    if not star:
        return Text(text)
    whole, _, part = number.partition(".")
    return Number(int(whole) * 1000 + int((part + "000")[:3]), len(whole), len(part), unit)


@dataclass(slots=True)
class P1Port:
    """The meter at the chip's pins: a telegram each interval while the request line is high. ``sent`` has them all."""

    mcu: Any
    meter: Meter
    line: P1Line = field(init=False)
    sent: list[Sent] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.line = P1Line(self.mcu, P1_UART, P1_RX_GPIO, self.meter.form)
        self._alarm = self.mcu.clock.create_alarm(self._tick)
        self._wait()

    _alarm: Any = field(init=False)

    @property
    def requested(self) -> bool:
        """Whether the board asks for telegrams."""
        return bool(self.mcu.gpio[P1_REQUEST_GPIO].value == GPIOPinState.HIGH)

    def swap(self, meter: Meter) -> None:
        """Another meter on the same cable."""
        self.meter = meter
        self.line.hang(meter.form)
        self._alarm.cancel()
        self._wait()

    def _wait(self) -> None:
        interval_ns = self.meter.interval_s * 1e9
        self._alarm.schedule(interval_ns - self.mcu.clock.nanos % interval_ns)

    def _tick(self) -> None:
        if self.requested and not self.line.busy:
            sent = self.meter.next(round(self.mcu.clock.nanos / 1e6) / 1000)
            self.sent.append(sent)
            self.line.send(sent.data + self.meter.noise())
        self._wait()
