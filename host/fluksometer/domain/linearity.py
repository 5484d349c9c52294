"""What a converter's codes really mean: its linearity table, in memory, in its file, and as the metering core reads it.

A table gives each 12-bit code a corrected value in LSB: 64 straight pieces of 64 codes (the wide codes 511, 1535, 2559 and 3583
of an RP2040 end a piece, so that its jumps lie between pieces), and what is left of each code beside its piece. The pieces
alone do not do: the codes of these chips differ in width by 0.2 to 0.4 LSB rms, so that even perfect pieces are wrong by up to
0.9 % at 1 % of a clamp's range, and pieces of 8 codes around the middle by 0.36 %; with each code's rest it is 0.1 %.

The bridge reads a table at its start: NumPy, which takes a quarter of its time there, is imported by those who compute with it.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, cast, get_args

from pydantic import Field, Strict, ValidationError, field_validator

from fluksometer.faults import FileFaults, Table

if TYPE_CHECKING:
    from .arrays import Codes, Steps, Values

Chip = Literal["rp2040", "rp2350"]

FORMAT: Final = "fluksometer linearity 1"
CHIPS: Final[tuple[str, ...]] = get_args(Chip)
CODES: Final = 4096
MIDDLE: Final = 2048
SEGMENTS: Final = 64
SEGMENT_CODES: Final = 64
REST_STEPS: Final = 64
"""Rests stand in the file as whole 1/64 LSB."""
LOOKUP_STEPS: Final = 8
"""The metering core looks codes up in 1/8 LSB."""
LARGEST_STEP: Final = 16383
"""... and adds 16 of their squares in 32 bits."""
LARGEST_LSB: Final = 64.0
"""No converter that this is for is so far off."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Linearity:
    """A table: ``segments`` are (offset in LSB, slope in LSB per code), ``rests`` 1/64 LSB for each code.

    corrected = code + offset + slope x (code - first code of its segment) + rest / 64. ``visited`` are the lowest and highest
    code whose value was measured; outside stands the chip's default. ``residual_lsb``: rms by which codes of the part of the
    recording kept out of the fit disagree with it.
    """

    chip: str
    date: str
    residual_lsb: float
    samples: int
    visited: tuple[int, int]
    segments: tuple[tuple[float, float], ...]
    rests: tuple[int, ...]

    def values(self) -> list[float]:
        """The value of each code in LSB."""
        lines = (self.segments[code // SEGMENT_CODES] for code in range(CODES))
        return [
            code + offset + slope * (code % SEGMENT_CODES) + rest / REST_STEPS
            for code, (offset, slope), rest in zip(range(CODES), lines, self.rests, strict=True)
        ]

    def corrected(self) -> "Values":
        """The same as an array."""
        import numpy as np

        return np.array(self.values())

    @classmethod
    def of(cls, corrected: "Values", **about: Any) -> "Linearity":
        """The table nearest to these values of all codes."""
        import numpy as np

        error = (corrected - np.arange(CODES)).reshape(SEGMENTS, SEGMENT_CODES)
        within = np.arange(SEGMENT_CODES) - (SEGMENT_CODES - 1) / 2
        slopes = np.round(error @ within / (within @ within), 6)
        offsets = np.round(error.mean(axis=1) + slopes * within[0], 4)
        lines = offsets[:, None] + slopes[:, None] * np.arange(SEGMENT_CODES)
        rests = np.rint((error - lines).ravel() * REST_STEPS).astype(int)
        segments = tuple(zip(offsets.tolist(), slopes.tolist(), strict=True))
        return cls(segments=segments, rests=tuple(rests.tolist()), **about)


def steps_of(table: Linearity) -> tuple[int, ...]:
    """For each code 8 x (corrected - 2048), within +-16383: what the metering core reads.

    Rounding is handed on from code to code, outwards from the middle, so that it never adds up: for the smallest currents this
    is worth another bit (error at 1 % of range 0.08 % instead of 0.2 % with steps of 1/8 LSB).
    """
    exact = [(value - MIDDLE) * LOOKUP_STEPS for value in table.values()]
    above = _rounded_together(exact[MIDDLE:])
    below = _rounded_together(reversed(exact[:MIDDLE]))
    return tuple(max(-LARGEST_STEP, min(LARGEST_STEP, step)) for step in (*reversed(below), *above))


def _rounded_together(values: Iterable[float]) -> list[int]:
    """Whole numbers whose running sum is never more than a half off."""
    found, total, rounded = [], 0.0, 0
    for value in values:
        total += value
        before, rounded = rounded, round(total)
        found.append(rounded - before)
    return found


def lookup(table: Linearity) -> "Steps":
    """The same as an array, as the metering core takes it (metering.py)."""
    import numpy as np

    return np.array(steps_of(table), dtype=np.int16)


def lsb_of(codes: "Codes", table: Linearity | None) -> "Values":
    """What these codes mean in LSB, or the codes themselves without a table. Raises ValueError when a code exceeds 4095."""
    import numpy as np

    if codes.size and int(codes.max()) >= CODES:
        raise ValueError(f"code {int(codes.max())} exceeds {CODES - 1}: these are not 12-bit samples")
    return codes.astype(np.float64) if table is None else table.corrected()[codes]


# Tables in files


class _File(Table):
    """The file of a table."""

    format: Literal["fluksometer linearity 1"]
    chip: Chip
    date: str
    residual_lsb: float = Field(ge=0, le=CODES)
    samples: int = Field(ge=0)
    visited: Annotated[
        tuple[Annotated[int, Field(ge=0, lt=CODES)], Annotated[int, Field(ge=0, lt=CODES)]], Strict(False)
    ]
    segments: list[Annotated[tuple[float, float], Strict(False)]] = Field(min_length=SEGMENTS, max_length=SEGMENTS)
    rests: list[int] = Field(min_length=CODES, max_length=CODES)

    @field_validator("date")
    @classmethod
    def _a_moment(cls, given: str) -> str:
        if not _is_utc(given):
            raise ValueError("a moment as 2025-01-31T12:00:00Z")
        return given

    @field_validator("visited")
    @classmethod
    def _in_order(cls, given: tuple[int, int]) -> tuple[int, int]:
        if given[0] > given[1]:
            raise ValueError("the lowest code, then the highest")
        return given

    @field_validator("segments")
    @classmethod
    def _small(cls, given: list[tuple[float, float]]) -> list[tuple[float, float]]:
        for number, (offset, slope) in enumerate(given):
            if max(abs(offset), abs(offset + slope * SEGMENT_CODES)) > LARGEST_LSB:
                raise ValueError(f"segment {number} corrects by more than {LARGEST_LSB:g} LSB")
        return given

    @field_validator("rests")
    @classmethod
    def _small_rests(cls, given: list[int]) -> list[int]:
        if max(map(abs, given)) > LARGEST_LSB * REST_STEPS:
            raise ValueError(f"a rest exceeds {LARGEST_LSB * REST_STEPS:g} (1/{REST_STEPS} LSB)")
        return given


def _is_utc(text: str) -> bool:
    try:
        datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ")
    except ValueError:
        return False
    return True


def parse_table(text: str, *, source: str) -> Linearity:
    """The table in a file's text. Raises FileFaults with every fault in it; ``source`` is the name shown before each."""
    try:
        values = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise FileFaults(source, [f"not JSON: {error}"]) from error
    try:
        given = _File.model_validate(values)
    except ValidationError as error:
        raise FileFaults(
            source, sorted({_describe(cast(dict[str, Any], fault)) for fault in error.errors()})
        ) from error
    return Linearity(
        chip=given.chip,
        date=given.date,
        residual_lsb=given.residual_lsb,
        samples=given.samples,
        visited=given.visited,
        segments=tuple(given.segments),
        rests=tuple(given.rests),
    )


def _describe(fault: dict[str, Any]) -> str:
    path = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in fault["loc"]).lstrip(".") or "file"
    special = {"missing": "is missing", "extra_forbidden": "unknown key"}.get(fault["type"])
    return f"{path}: {special or fault['msg'].removeprefix('Value error, ').removeprefix('Input should be ')}"


def read_table(path: Path) -> Linearity:
    """The table in a file. Raises FileFaults when it can't be read or anything in it is wrong."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise FileFaults(str(path), [f"cannot be read: {reason}"]) from error
    return parse_table(text, source=str(path))


def default_table(chip: str) -> Linearity:
    """The mean of three measured boards with this chip ("rp2040" or "rp2350")."""
    name = f"linearity-{chip}.json"
    return parse_table((files("fluksometer") / "data" / name).read_text(encoding="utf-8"), source=name)


def render(table: Linearity) -> str:
    """The text of the table's file."""
    lines = [
        f'"format": "{FORMAT}"',
        f'"chip": "{table.chip}"',
        f'"date": "{table.date}"',
        f'"residual_lsb": {round(table.residual_lsb, 4)}',
        f'"samples": {table.samples}',
        f'"visited": {list(table.visited)}',
        '"segments": [\n  ' + ",\n  ".join(str(list(one)) for one in table.segments) + "\n ]",
        '"rests": [\n  ' + ",\n  ".join(_rows(table.rests)) + "\n ]",
    ]
    return "{\n " + ",\n ".join(lines) + "\n}\n"


def _rows(rests: tuple[int, ...]) -> Iterator[str]:
    for at in range(0, CODES, SEGMENT_CODES):
        yield ", ".join(map(str, rests[at : at + SEGMENT_CODES]))
