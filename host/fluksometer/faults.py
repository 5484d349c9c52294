"""Files written by people (configuration, house file): every fault at once, each with its path and its limit."""

import tomllib
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

_Model = TypeVar("_Model", bound="Table")


class Table(BaseModel):
    """A TOML table with known keys only; values keep their types (a string is no number) and can't change later."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    @classmethod
    def cross_faults(cls, values: dict[str, Any]) -> list[str]:
        """Faults between keys, as ``path: limit``. Looks at the raw file, so that they show beside the faults of single keys;
        must bear values of any type."""
        return []


class FileFaults(Exception):
    """A file that can't be used: ``source`` names it, ``faults`` holds one line for each fault."""

    def __init__(self, source: str, faults: list[str]) -> None:
        super().__init__(f"{source}: {len(faults)} fault{'s' if len(faults) != 1 else ''}")
        self.source = source
        self.faults = faults

    def lines(self) -> list[str]:
        """What a person reads: one line a fault, each beginning with the file's name."""
        return [f"{self.source}: {fault}" for fault in self.faults]


def read_toml(path: Path, model: type[_Model]) -> _Model:
    """Read and check a TOML file. Raises FileFaults with all faults when it is missing, not TOML, or wrong."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise FileFaults(str(path), [f"cannot be read: {reason}"]) from error
    return parse_toml(text, model, source=str(path))


def parse_toml(text: str, model: type[_Model], *, source: str) -> _Model:
    """As read_toml, for text already in hand; ``source`` is the name shown before each fault."""
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise FileFaults(source, [f"not TOML: {error}"]) from error
    faults = []
    try:
        checked = model.model_validate(values)
    except ValidationError as error:
        faults = [_describe(dict(fault)) for fault in error.errors()]
    faults += model.cross_faults(values)
    if faults:
        raise FileFaults(source, faults)
    return checked


def _describe(fault: dict[str, object]) -> str:
    """One fault as ``sensor[2].voltage_v: 0 is not allowed: greater than 0``."""
    location = fault["loc"]
    assert isinstance(location, tuple)
    path = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location).lstrip(".") or "file"
    if fault["type"] == "missing":
        return f"{path}: is missing"
    if fault["type"] == "extra_forbidden":
        return f"{path}: unknown key"
    message = str(fault["msg"]).removeprefix("Value error, ").removeprefix("Input should be ")
    value = fault["input"]
    shown = "" if isinstance(value, dict | list) else f"{value!r} is not allowed: "
    return f"{path}: {shown}{message}"
