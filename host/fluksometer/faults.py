"""Files written by people (configuration, house file): every fault at once, each with its path and its limit."""

import tomllib
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

_Model = TypeVar("_Model", bound="Table")
_SHOWN_MOST = 80  # characters of a value in a message


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
        text = path.read_text(encoding="utf-8-sig")  # some editors put a byte order mark in front
    except (OSError, UnicodeDecodeError) as error:
        reason = (error.strerror or str(error)) if isinstance(error, OSError) else "it is not UTF-8 text"
        raise FileFaults(str(path), [f"cannot be read: {reason}"]) from error
    return parse_toml(text, model, source=str(path))


def parse_toml(text: str, model: type[_Model], *, source: str) -> _Model:
    """As read_toml, for text already in hand; ``source`` is the name shown before each fault."""
    try:
        values = tomllib.loads(text)
    except ValueError as error:  # TOMLDecodeError, or a number of thousands of digits
        raise FileFaults(source, [f"not TOML: {error}"]) from error
    except RecursionError as error:
        raise FileFaults(source, ["not TOML: nested too deep"]) from error
    return check_values(values, model, source=source)


def check_values(values: dict[str, Any], model: type[_Model], *, source: str) -> _Model:
    """The model of values that were read from a file. Raises FileFaults with all faults."""
    faults = []
    try:
        checked = model.model_validate(values)
    except ValidationError as error:
        faults = [_describe(dict(fault)) for fault in error.errors()]
    faults += model.cross_faults(values) if isinstance(values, dict) else []
    if faults:
        raise FileFaults(source, faults)
    return checked


def shown(value: object) -> str:
    """A value from a file as a message shows it: short, whatever it is."""
    try:
        text = repr(value)
    except ValueError:  # Python refuses to write out thousands of digits
        return "a number of thousands of digits"
    return text if len(text) <= _SHOWN_MOST else f"{text[:_SHOWN_MOST]}..."


def _describe(fault: dict[str, object]) -> str:
    """One fault as ``sensor[2].voltage_v: 0 is not allowed: greater than 0``."""
    location = fault["loc"]
    assert isinstance(location, tuple)
    path = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location).lstrip(".") or "file"
    if fault["type"] == "missing":
        return f"{path}: is missing"
    if fault["type"] == "extra_forbidden":
        return f"{path}: unknown key"
    value = fault["input"]
    if fault["type"] == "list_type" and isinstance(value, dict):
        return f"{path}: a list of tables is needed: [[{path}]] with two brackets, not [{path}]"
    message = str(fault["msg"]).removeprefix("Value error, ").removeprefix("Input should be ")
    if fault["type"] == "model_type":
        message = "a table" if "[" in path else f"a table: [{path}] with its keys below"
    refused = "" if isinstance(value, dict | list) else f"{shown(value)} is not allowed: "
    return f"{path}: {refused}{message}"
