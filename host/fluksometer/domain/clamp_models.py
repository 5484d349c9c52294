"""Current transformers by name: rating, output, burden, typical phase (data/clamps.toml tells each number's source)."""

import difflib
from decimal import Decimal
from fractions import Fraction
from functools import cache
from importlib import resources
from typing import Annotated, Literal, Self

from pydantic import PlainValidator, model_validator

from fluksometer.faults import Table, parse_toml

_A_PER_V_OFF = Fraction(1, 2000)  # a_per_v is rounded to the milliampere
_SECONDARY_OFF = Fraction(1, 200)  # share by which a maker may have rounded the secondary current


def _exact(value: object) -> Fraction:
    # 26.6 in the file is 266/10, not the nearest binary fraction.
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1_000_000:
        raise ValueError("a number above 0")
    return Fraction(Decimal(str(value)))


_Exact = Annotated[Fraction, PlainValidator(_exact)]


class ClampModel(Table):
    """One transformer. With a voltage output its burden is inside; with a current output ``burden_ohm`` goes across its leads."""

    maker: str
    rated_a: _Exact  # primary, rms
    kind: Literal["voltage", "current"]
    output_mv: _Exact | None = None  # voltage: rms at rated_a
    turns: _Exact | None = None  # current: primary over secondary current
    secondary_ma: _Exact | None = None  # current: rms at rated_a
    burden_ohm: _Exact | None = None  # current: what this project proposes
    a_per_v: _Exact  # A rms that give 1 V rms at the pin
    phase_deg: float | None = (
        None  # typical lead of the output, degrees at 50 Hz with burden_ohm; None: no source states it
    )
    source: str
    phase_source: str | None = None  # None: as source

    @property
    def rated_v(self) -> Fraction:
        """V rms at the pin at the rated current."""
        return self.rated_a / self.a_per_v

    @model_validator(mode="after")
    def _numbers_agree(self) -> Self:
        a_per_v = self._voltage_a_per_v() if self.kind == "voltage" else self._current_a_per_v()
        if abs(self.a_per_v - a_per_v) > _A_PER_V_OFF:
            raise ValueError(f"a_per_v is {float(self.a_per_v):g}, its other numbers make it {float(a_per_v):.3f}")
        return self

    def _voltage_a_per_v(self) -> Fraction:
        if self.output_mv is None or self.turns or self.secondary_ma or self.burden_ohm:
            raise ValueError("a voltage output has output_mv, and no turns, secondary_ma or burden_ohm")
        return self.rated_a * 1000 / self.output_mv

    def _current_a_per_v(self) -> Fraction:
        if self.turns is None or self.secondary_ma is None or self.burden_ohm is None or self.output_mv:
            raise ValueError("a current output has turns, secondary_ma and burden_ohm, and no output_mv")
        secondary_ma = self.rated_a * 1000 / self.turns
        if abs(self.secondary_ma - secondary_ma) > secondary_ma * _SECONDARY_OFF:
            raise ValueError(f"secondary_ma is {float(self.secondary_ma):g}, its turns make it {float(secondary_ma):g}")
        return self.turns / self.burden_ohm


class ClampFile(Table):
    """data/clamps.toml: a table ``[clamp.NAME]`` for each transformer."""

    clamp: dict[str, ClampModel]


@cache
def clamp_models() -> dict[str, ClampModel]:
    """Every preset by name, in the order of the file."""
    text = resources.files("fluksometer").joinpath("data/clamps.toml").read_text(encoding="utf-8")
    return parse_toml(text, ClampFile, source="clamps.toml").clamp


def known_model(name: str) -> str:
    """``name`` if there is such a preset. Raises ValueError with the names that come close."""
    models = clamp_models()
    if name in models:
        return name
    close = difflib.get_close_matches(name.lower(), models, n=4, cutoff=0.5)
    hint = f"close names are {', '.join(close)}" if close else "no name of a clamp"
    raise ValueError(f"{hint}; `fluksometer clamps` shows all")
