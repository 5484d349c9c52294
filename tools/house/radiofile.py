"""What the house file says about the radio: the chip on the board, kubes, other nodes. docs/radio.md describes the keys."""

from typing import Final, Literal, Self

from pydantic import Field, model_validator

from fluksometer.faults import Table

SETTLES_MS: Final = 250
ANSWERS_MS: Final = 2500
"""How long a kube waits for the empty answer to what it asks, and then for the real one (docs/radio.md)."""


class Radio(Table):
    """The chip on the board's SPI. ``noise_s``: mean time until noise looks like a sync word, 0: never; ``seed``: its luck."""

    chip: Literal["rfm12b", "rfm69", "none"] = "rfm12b"
    noise_s: float = Field(default=0.0, ge=0)
    seed: int = Field(default=1, ge=0, le=2**32 - 1)


class Kube(Table):
    """A FluksoKube. ``paired``: it has its node and ``group`` already; else it asks for both. It starts at ``start_s``, measures
    every ``period_s`` and looks at its counters eight times as often; ``restart_s``: behind so long it starts anew.

    Measured: ``temperature_c``, ``humidity_pct``, ``pressure_pa``, ``light_lx``, ``battery_v``; ``movement_hz`` and
    ``vibration_hz`` count. ``version``: of its firmware. ``dbm``: how loud the board hears it.
    """

    node: int = Field(ge=1, le=30)
    type: Literal["a", "b"] = "b"
    hw_id: str = Field(default="", pattern="^([0-9a-f]{32})?$")
    paired: bool = False
    group: int = Field(default=93, ge=1, le=250)
    start_s: float = Field(default=1.0, ge=0)
    period_s: float = Field(default=64.0, ge=0.1, le=65536)
    restart_s: float = Field(default=65536.0, gt=0)
    version: int = Field(default=1, ge=0, le=65535)
    dbm: float = Field(default=-60.0, ge=-110, le=0)
    temperature_c: float = Field(default=21.5, ge=-40, le=125)
    humidity_pct: float = Field(default=55.0, ge=0, le=100)
    pressure_pa: float = Field(default=101325.0, ge=0, le=250_000)
    light_lx: float = Field(default=120.0, ge=0, le=16_000)
    battery_v: float = Field(default=2.9, ge=1.4, le=5)
    error: int = Field(default=0, ge=0, le=31)
    movement_hz: float = Field(default=0.0, ge=0, le=1000)
    vibration_hz: float = Field(default=0.0, ge=0, le=1000)

    @property
    def hardware_id(self) -> bytes:
        """The 16 bytes that tell this kube from all others; made from the node if the file gives none."""
        return bytes.fromhex(self.hw_id) if self.hw_id else bytes([self.node]) * 16


class Node(Table):
    """A radio node that is no kube: sends ``payload`` every ``period_s`` (with some ms of luck) as node ``node`` of ``group``.

    ``ack``: it asks for an ack and waits ``ack_ms`` for it. ``air``: how it sounds. ``count``: after so many packets it rests.
    """

    node: int = Field(ge=1, le=30)
    group: int = Field(default=212, ge=1, le=250)
    air: Literal["flukso", "jeenode"] = "jeenode"
    payload: str = Field(default="68656c6c6f", pattern="^([0-9a-f]{2}){0,66}$")
    ack: bool = True
    ack_ms: float = Field(default=10.0, gt=0, le=10_000)
    start_s: float = Field(default=1.0, ge=0)
    period_s: float = Field(default=10.0, gt=0)
    count: int | None = Field(default=None, ge=0)
    dbm: float = Field(default=-60.0, ge=-110, le=0)

    @model_validator(mode="after")
    def _has_time_to_wait(self) -> Self:
        if self.ack and self.ack_ms >= 1000 * self.period_s:
            raise ValueError(f"ack_ms {self.ack_ms:g} must be shorter than period_s {self.period_s:g}")
        return self
