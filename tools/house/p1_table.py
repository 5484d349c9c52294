"""The [p1] table of a house file: which smart meter hangs on the port, and what is wrong with it."""

from datetime import datetime
from typing import Annotated, Final, Literal

from pydantic import BeforeValidator, Field, Strict, field_validator

from fluksometer.faults import Table

Dialect = Literal[
    "dsmr2",
    "dsmr3",
    "dsmr4",
    "dsmr5",
    "smr5.5",
    "emucs",
    "luxembourg",
    "sweden",
    "hungary",
    "austria",
    "switzerland",
    "iskra-ie",
]

_OTHER_NAMES: Final = {"belgium": "emucs", "ireland": "iskra-ie"}


def _dialect(given: object) -> object:
    return _OTHER_NAMES.get(given, given) if isinstance(given, str) else given


class Device(Table):
    """A gas, water or heat meter on the smart meter's M-Bus. ``start``: m3, or GJ, when the power came on; ``rate_per_h``: of
    that each hour. It is read each ``every_s``. A ``dead`` one was never read: it has no reading."""

    type: Literal["gas", "water", "heat"] = "gas"
    channel: int = Field(default=1, ge=1, le=4)
    id: str = Field(default="G0030303030303030", min_length=1, max_length=48, pattern="^[ -~]*$")
    start: float = Field(default=100.0, ge=0, le=99999)
    rate_per_h: float = Field(default=1.0, ge=0, le=1000)
    every_s: float = Field(default=300.0, gt=0, le=86400)
    dead: bool = False


class P1Faults(Table):
    """What a meter or its cable does wrong. The same seed does the same.

    ``corrupt_rate``: of the bytes behind the first line and before the "!", that are another one; ``cut_each``: this many
    telegrams end in their middle; ``noise_bytes``: of any value between telegrams; ``long_text``: characters of the text.
    """

    corrupt_rate: float = Field(default=0.0, ge=0, le=0.1)
    cut_each: int = Field(default=0, ge=0)
    noise_bytes: int = Field(default=0, ge=0, le=1000)
    unpadded_crc: bool = False
    invalid_clock: bool = False
    long_text: int = Field(default=0, ge=0, le=4000)
    seed: int = Field(default=1, ge=0, le=2**32 - 1)


class P1(Table):
    """The smart meter's port. Its dialects are those of docs/p1.md.

    ``clock``: the meter's, in UTC, when the power came on; ``start_kwh``: import and export per tariff at that moment, as far
    as the dialect has them. ``tariff``: [[t_s, tariff], ...]. ``interval_s``: between telegrams, unless it is the dialect's.
    ``inverted``, ``baud``, ``format``: of the line, unless they are the dialect's. ``key``: of encrypted telegrams, 32 hex digits.
    """

    dialect: Annotated[Dialect, BeforeValidator(_dialect)] = "dsmr5"
    meter_id: str = Field(default="E0030303030303030", min_length=1, max_length=48, pattern="^[ -~]*$")
    phases: Literal[1, 3] = 3
    clock: Annotated[datetime, Strict(False)] = datetime.fromisoformat("2026-01-10T07:09:10+00:00")
    tariff: list[Annotated[tuple[float, int], Strict(False)]] = Field(default_factory=lambda: [(0.0, 1)], min_length=1)
    start_kwh: list[float] = Field(default_factory=lambda: [4.426, 2.399, 0.0, 0.0], max_length=4)
    start_export_kwh: list[float] = Field(default_factory=lambda: [2.444, 0.001, 0.0, 0.0], max_length=4)
    interval_s: float | None = Field(default=None, ge=0.5, le=3600)
    inverted: bool = True
    baud: int | None = Field(default=None, ge=300, le=1_000_000)
    format: Literal["8N1", "7E1"] | None = None
    key: str = Field(default="000102030405060708090a0b0c0d0e0f", pattern="^[0-9a-fA-F]{32}$")
    device: list[Device] = Field(default_factory=lambda: [Device()])
    faults: P1Faults = P1Faults()

    @field_validator("clock")
    @classmethod
    def _has_a_zone(cls, clock: datetime) -> datetime:
        if clock.tzinfo is None:
            raise ValueError("a time with its zone, such as 2026-01-10T07:09:10Z")
        return clock
