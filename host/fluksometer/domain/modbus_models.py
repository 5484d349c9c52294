"""Modbus energy meters by model: which registers to read and what they mean (data/modbus.toml names each source)."""

import difflib
import re
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from functools import cache
from importlib import resources
from math import isfinite
from typing import Annotated, Final, Literal, Self

from pydantic import AfterValidator, Field, PlainValidator, model_validator

from fluksometer.faults import Table, parse_toml

REGISTERS_MOST: Final = 120  # of one request; the standard's limit is 125 (Modbus Application Protocol V1.1b3, 6.3)
_FORMATS: Final = {
    "float32": "f",
    "uint16": "H",
    "int16": "h",
    "uint32": "I",
    "int32": "i",
    "uint64": "Q",
    "int64": "q",
}
_LARGEST: Final = 10**12  # in the value's unit: what lies beyond is no measurement
_NAME = re.compile(r"(import|export|power|apparent|reactive|voltage|current|frequency|power_factor)(_[123])?")
_WH_PER_KWH: Final = 1000


@dataclass(frozen=True, slots=True)
class Quantity:
    """What a kind of value is published as; ``counts``: an energy, read in kWh and told in Wh."""

    unit: str
    counts: bool = False


QUANTITIES: Final = {
    "import": Quantity("Wh", counts=True),
    "export": Quantity("Wh", counts=True),
    "power": Quantity("W"),
    "apparent": Quantity("VA"),
    "reactive": Quantity("var"),
    "voltage": Quantity("V"),
    "current": Quantity("A"),
    "frequency": Quantity("Hz"),
    "power_factor": Quantity(""),
}


def _exact(value: object) -> Fraction:
    # 0.01 in the file is 1/100, not the nearest binary fraction.
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= 1_000_000:
        raise ValueError("a number above 0")
    return Fraction(Decimal(str(value)))


def _register(value: int) -> int:
    if not 0 <= value <= 0xFFFF:
        raise ValueError("0 to 65535")
    return value


class Value(Table):
    """Where a value stands and how."""

    first: Annotated[int, AfterValidator(_register)] = Field(alias="register")
    format: Literal["float32", "uint16", "int16", "uint32", "int32", "uint64", "int64"]
    step: Annotated[Fraction, PlainValidator(_exact)] = Fraction(1)
    word_order: Literal["high first", "low first"] = "high first"

    @property
    def registers(self) -> int:
        """How many it takes."""
        return struct.calcsize(">" + _FORMATS[self.format]) // 2

    def milli(self, words: Sequence[int], *, counts: bool) -> int | None:
        """Thousandths of the unit; an energy of kWh as thousandths of Wh, in whole Wh. None for what is no number: NaN,
        what stands for "not available" in whole numbers (the largest, or all ones), a negative energy."""
        ordered = words if self.word_order == "high first" else words[::-1]
        raw = struct.pack(f">{len(ordered)}H", *ordered)
        (number,) = struct.unpack(">" + _FORMATS[self.format], raw)
        if isinstance(number, float):
            if not isfinite(number):
                return None
        elif raw == (b"\x7f" if self.format.startswith("int") else b"\xff") + b"\xff" * (len(raw) - 1):
            return None
        value = Fraction(number) * self.step
        if abs(value) > _LARGEST or (counts and value < 0):
            return None
        return round(value * _WH_PER_KWH) * 1000 if counts else round(value * 1000)


class Model(Table):
    """One model of meter."""

    name: str
    document: str
    function: Literal[3, 4]
    reads: list[list[int]]
    values: dict[str, Value]

    @model_validator(mode="after")
    def _all_is_read(self) -> Self:
        for read in self.reads:
            if len(read) != 2 or not 0 <= read[0] <= 0xFFFF or not 1 <= read[1] <= REGISTERS_MOST:
                raise ValueError(f"reads: [first register, count of 1 to {REGISTERS_MOST}], not {read}")
        for name, value in self.values.items():
            if not _NAME.fullmatch(name):
                raise ValueError(f"values.{name}: no such quantity")
            if self.read_of(value) is None:
                raise ValueError(f"values.{name}: register {value.first} is in none of the reads")
        return self

    def read_of(self, value: Value) -> int | None:
        """Index of the read that the value lies in."""
        inside = (
            index
            for index, (first, count) in enumerate(self.reads)
            if first <= value.first and value.first + value.registers <= first + count
        )
        return next(inside, None)

    def milli(self, name: str, answers: Mapping[int, Sequence[int]]) -> int | None:
        """A value out of the registers that each read has brought; None as in Value.milli, or when its read is not there."""
        value = self.values[name]
        index = self.read_of(value)
        if index is None or index not in answers:
            return None
        begin = value.first - self.reads[index][0]
        return value.milli(answers[index][begin : begin + value.registers], counts=quantity_of(name).counts)


class _Models(Table):
    model: dict[str, Model]


def quantity_of(name: str) -> Quantity:
    """Of a value's name, with or without a phase."""
    return QUANTITIES[re.sub(r"_[123]$", "", name)]


@cache
def modbus_models() -> dict[str, Model]:
    """All models by name."""
    text = resources.files("fluksometer").joinpath("data", "modbus.toml").read_text(encoding="utf-8")
    return parse_models(text, source="modbus.toml")


def parse_models(text: str, *, source: str) -> dict[str, Model]:
    """Models out of such a file's text. Raises FileFaults."""
    nested = re.sub(r"^\[([^\]]+)\]", r"[model.\1]", text, flags=re.MULTILINE)
    return parse_toml(nested, _Models, source=source).model


def known_model(name: str) -> str:
    """The name, if there is such a model; ValueError names the nearest."""
    names = sorted(modbus_models())
    if name not in names:
        near = difflib.get_close_matches(name, names, 1)
        raise ValueError(f"one of {', '.join(names)}" + (f"; did you mean {near[0]}?" if near else ""))
    return name
