"""Keys of encrypted telegrams, from the files that people keep them in."""

from pathlib import Path
from typing import NamedTuple

_KEY_BYTES = 16
_LONGEST_FILE = 1000  # bytes


def key_of(text: str) -> bytes:
    """16 bytes from 32 hex digits, spaces between them allowed. ValueError otherwise; it does not repeat them."""
    try:
        key = bytes.fromhex(text)
    except ValueError:
        key = b""
    if len(key) != _KEY_BYTES:
        raise ValueError("a key is 32 hex digits")
    return key


class P1Keys(NamedTuple):
    """What opens encrypted telegrams."""

    key: bytes
    authentication_key: bytes | None  # None: Luxembourg's
    open_to_others: str  # a key file that others on this machine can read too; "": none


def read_keys(key_file: Path, authentication_key_file: Path | None) -> P1Keys:
    """The keys in these files. Raises FileFaults."""
    files = [key_file] + ([authentication_key_file] if authentication_key_file else [])
    keys = [read_key(path) for path in files]
    readable = (str(path) for path in files if path.stat().st_mode & 0o077)
    return P1Keys(keys[0], keys[1] if authentication_key_file else None, next(readable, ""))


def read_key(path: Path) -> bytes:
    """The key in a file. Raises FileFaults."""
    from fluksometer.faults import FileFaults

    try:
        with path.open("rb") as file:
            return key_of(file.read(_LONGEST_FILE).decode("ascii").strip())
    except OSError as error:
        raise FileFaults(str(path), [f"cannot be read: {error.strerror}"]) from error
    except ValueError as error:
        raise FileFaults(str(path), ["holds no key: a key is 32 hex digits"]) from error
