"""Checks of single values in the configuration file; each names its limit."""

import re
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from fluksometer.faults import FileFaults

_SECRET_MOST: Final = 1024  # characters


def within(low: float, high: float) -> Callable[[Any], Any]:
    def check(value: float) -> float:
        if not low <= value <= high:
            raise ValueError(f"{low} to {high}")
        return value

    return check


def one_of(*values: Any) -> Callable[[Any], Any]:
    shown = [repr(value) for value in values]
    return that(lambda value: value in values, ", ".join(shown[:-1]) + f" or {shown[-1]}")


def matching(pattern: re.Pattern[str], limit: str) -> Callable[[str], str]:
    return that(lambda value: pattern.fullmatch(value) is not None, limit)


def that(is_right: Callable[[Any], bool], limit: str) -> Callable[[Any], Any]:
    def check(value: Any) -> Any:
        if not is_right(value):
            raise ValueError(limit)
        return value

    return check


def thousandths(low: str, high: str) -> Callable[[object], int]:
    # Exact: 0.1 in the file is 100 thousandths, not the nearest binary fraction.
    def check(value: object) -> int:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ValueError("a number")
        milli = Decimal(str(value)) * 1000 if 0 < value < 65_536 else Decimal(0)
        if milli != int(milli) or not Decimal(low) * 1000 <= milli <= Decimal(high) * 1000:
            raise ValueError(f"{low} to {high}, with at most 3 decimals")
        return int(milli)

    return check


def beside(source: Path, key: str, path: str) -> Path:
    """A path of the configuration ``source``: relative ones begin in its directory. FileFaults names the key."""
    try:
        return source.absolute().parent / Path(path).expanduser()
    except RuntimeError as error:
        raise FileFaults(str(source), [f"{key}: {path}: there is no such home directory, name one"]) from error


def read_secret(source: Path, key: str, file: str) -> str:
    """The one line of a file that holds a password or token; paths as in ``beside``. FileFaults names the key."""
    path = beside(source, key, file)
    try:
        secret = path.read_text(encoding="utf-8-sig").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise FileFaults(str(source), [f"{key}: {path} can't be read: {reason}"]) from error
    if not secret or "\n" in secret or len(secret) > _SECRET_MOST:
        raise FileFaults(str(source), [f"{key}: {path} must hold one line, the password"])
    return secret
