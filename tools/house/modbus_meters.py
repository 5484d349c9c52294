"""Modbus RTU energy meters in the house: what they measure (the truth) and how their registers show it.

The register tables are those of the makers' documents, written down here apart from the bridge's own
(host/fluksometer/data/modbus.toml), so that a wrong number in one of them shows:
Eastron "SDM120-Modbus Smart Meter Modbus Protocol Implementation V2.4", "SDM630-Modbus V2 Modbus Protocol Implementation
V1.8"; ABB "B23/B24 User Manual" 2CMC485003M0201, chapter 9.
"""

import struct
from collections.abc import Callable
from itertools import pairwise
from math import copysign, sqrt
from typing import Any, Final, NamedTuple

from pymodbus.framer import FramerRTU
from pymodbus.pdu import DecodePDU, ExceptionResponse
from pymodbus.pdu.register_message import (
    ReadHoldingRegistersRequest,
    ReadHoldingRegistersResponse,
    ReadInputRegistersResponse,
)

from house.housefile import Clamp, House, Modbus, Steps

_READ_HOLDING, _READ_INPUT = 3, 4
_ILLEGAL_FUNCTION, _ILLEGAL_ADDRESS, _BUSY = 1, 2, 6


def integral(steps: Steps, t_s: float) -> float:
    """Of a stepped value from 0 s on, in its unit x s."""
    ends = [*((later[0]) for _, later in pairwise(steps)), float("inf")]
    return sum(value * max(0.0, min(t_s, end) - begin) for (begin, value), end in zip(steps, ends, strict=True))


def _at(steps: Steps, t_s: float) -> float:
    return next((value for begin, value in reversed(steps) if begin <= t_s), 0.0)


def meter_truth(house: House, meter: Modbus, t_s: float) -> dict[str, float]:
    """What the meter measures at a time: V, A, W, VA, var, power factor, Hz, and import and export in kWh since the power
    came on. Phase n is the n-th clamp of ``ports``, with _n behind its names; totals have no number."""
    clamps = {clamp.port: clamp for clamp in house.clamp}
    truth: dict[str, float] = {"frequency": house.mains.frequency_hz, "import": 0.0, "export": 0.0}
    totals = dict.fromkeys(("power", "apparent", "reactive", "current"), 0.0)
    for phase, port in enumerate(meter.ports, 1):
        one = _phase(clamps[port], house.mains.voltage_v, t_s)
        truth |= {f"{name}_{phase}": value for name, value in one.items()}
        for name in totals:
            totals[name] += one[name]
        clamp, volts = clamps[port], house.mains.voltage_v
        energy = integral(clamp.current_a, t_s) * volts * clamp.fundamental_share() * clamp.power_factor / 3.6e6
        truth["import" if energy > 0 else "export"] += abs(energy)
    truth |= totals | {"voltage": house.mains.voltage_v, "total": truth["import"] + truth["export"]}
    truth["power_factor"] = totals["power"] / totals["apparent"] if totals["apparent"] else 1.0
    return truth


def _phase(clamp: Clamp, volts: float, t_s: float) -> dict[str, float]:
    amps = _at(clamp.current_a, t_s)
    share = clamp.fundamental_share()  # the mains is a sine: harmonics of the current carry no power
    active = volts * amps * share * clamp.power_factor
    reactive = copysign(volts * amps * share * sqrt(1 - clamp.power_factor**2), clamp.power_factor)
    apparent = volts * amps
    factor = active / apparent if apparent else 1.0
    named = {"voltage": volts, "current": amps, "power": active, "apparent": apparent}
    return named | {"reactive": reactive, "power_factor": factor}


class _Register(NamedTuple):
    name: str
    pack: Callable[[float], bytes]


def _float(value: float) -> bytes:
    return struct.pack(">f", value)


def _whole(code: str, per_unit: float) -> Callable[[float], bytes]:
    return lambda value: struct.pack(">" + code, round(value * per_unit))


def _each_phase(start: int, step: int, name: str, pack: Callable[[float], bytes]) -> dict[int, _Register]:
    return {start + step * (phase - 1): _Register(f"{name}_{phase}", pack) for phase in (1, 2, 3)}


_EASTRON: Final = {
    "frequency": 0x46,
    "import": 0x48,
    "export": 0x4A,
    "total": 0x156,
}
_EASTRON_PHASES: Final = {
    "voltage": 0x00,
    "current": 0x06,
    "power": 0x0C,
    "apparent": 0x12,
    "reactive": 0x18,
    "power_factor": 0x1E,
}
_SDM120: Final = {number: _Register(name, _float) for name, number in _EASTRON.items()} | {
    number: _Register(name + "_1", _float) for name, number in _EASTRON_PHASES.items()
}
_SDM630: Final = (
    {number: _Register(name, _float) for name, number in _EASTRON.items()}
    | {k: v for name, at in _EASTRON_PHASES.items() for k, v in _each_phase(at, 2, name, _float).items()}
    | {
        number: _Register(name, _float)
        for name, number in {
            "current": 0x30,
            "power": 0x34,
            "apparent": 0x38,
            "reactive": 0x3C,
            "power_factor": 0x3E,
        }.items()
    }
)
_B23: Final = (
    {0x5000: _Register("import", _whole("Q", 100)), 0x5004: _Register("export", _whole("Q", 100))}
    | _each_phase(0x5B00, 2, "voltage", _whole("I", 10))
    | _each_phase(0x5B0C, 2, "current", _whole("I", 100))
    | {0x5B14: _Register("power", _whole("i", 100))}
    | _each_phase(0x5B16, 2, "power", _whole("i", 100))
    | {0x5B2C: _Register("frequency", _whole("H", 100)), 0x5B3A: _Register("power_factor", _whole("h", 1000))}
)
TABLES: Final = {
    "sdm120": (_READ_INPUT, _SDM120),
    "sdm630": (_READ_INPUT, _SDM630),
    "abb-b23": (_READ_HOLDING, _B23),
}
"""By model: the function that reads its registers, and what stands where."""


class ModbusMeter:
    """One meter: a request in, its answer out."""

    def __init__(self, house: House, meter: Modbus) -> None:
        self.meter = meter
        self._house = house
        self._function, self._table = TABLES[meter.model]
        self._framer: Any = FramerRTU(DecodePDU(True))
        self.answered = 0

    def answer(self, request: bytes, t_s: float) -> bytes:
        """The answer to what stood between two silences; empty: it is not for this meter, or damaged, or the meter is mute."""
        if len(request) < 4 or request[0] != self.meter.address or self.meter.fault == "silent":
            return b""
        try:
            _used, asked = self._framer.handleFrame(request, 0, 0)
        except Exception:  # pymodbus raises several for what is no request
            return b""
        if asked is None or not FramerRTU.check_CRC(request[:-2], int.from_bytes(request[-2:], "big")):
            return b""
        said = self._said(asked, t_s)
        said.dev_id = self.meter.address
        frame = bytes(self._framer.buildFrame(said))
        self.answered += 1
        return frame[:-1] + bytes([frame[-1] ^ 0xFF]) if self.meter.fault == "crc" else frame

    def _said(self, asked: Any, t_s: float) -> Any:
        if self.meter.fault == "exception":
            return ExceptionResponse(asked.function_code, _BUSY)
        if not isinstance(asked, ReadHoldingRegistersRequest) or asked.function_code != self._function:
            return ExceptionResponse(asked.function_code, _ILLEGAL_FUNCTION)
        registers = self._registers(asked.address, asked.count, meter_truth(self._house, self.meter, t_s))
        if registers is None:
            return ExceptionResponse(asked.function_code, _ILLEGAL_ADDRESS)
        kind = ReadInputRegistersResponse if self._function == _READ_INPUT else ReadHoldingRegistersResponse
        return kind(registers=registers)

    def _registers(self, first: int, count: int, truth: dict[str, float]) -> list[int] | None:
        # What stands between the table's places reads as zero, as in these meters; beyond its end there is nothing.
        end = max(at + len(one.pack(0.0)) // 2 for at, one in self._table.items())
        if not min(self._table) <= first or first + count > end:
            return None
        image = bytearray(2 * (end - min(self._table)))
        for at, one in self._table.items():
            raw = one.pack(truth.get(one.name, 0.0))
            image[2 * (at - min(self._table)) : 2 * (at - min(self._table)) + len(raw)] = raw
        words = struct.unpack(f">{len(image) // 2}H", image)
        return list(words[first - min(self._table) :][:count])
