"""Is this file a MicroPython image for that chip? Reads UF2 (512-byte blocks, https://github.com/microsoft/uf2)."""

from __future__ import annotations

import re
import struct
from pathlib import Path

_BLOCK = 512  # bytes
_HEADER = struct.Struct("<8I")  # magic, magic, flags, address, payload bytes, block number, blocks, family
_MAGIC = (0x0A324655, 0x9E5D5157)
_MAGIC_END = struct.pack("<I", 0x0AB16F30)
_NOT_FOR_FLASH = 0x00000001
_HAS_FAMILY = 0x00002000
_MOST_PAYLOAD = 476  # bytes in a block

RP2040 = 0xE48BFF56
RP2350 = 0xE48BFF59  # its Arm cores, secure
_ABSOLUTE = 0xE48BFF57  # official RP2350 files open with one such block (erratum E10 of that chip)
FAMILY_NAMES = {RP2040: "RP2040", RP2350: "RP2350"}

_VERSION = re.compile(rb"MicroPython v(\d+\.\d+(?:\.\d+)?[-.\w]*)")


class NotAnImage(ValueError):
    """The file is not the image that was asked for; the text says why."""


def payload(data: bytes, family: int) -> bytes:
    """The flash contents of a whole and intact UF2 file for the chip family. Raises NotAnImage."""
    if not data:
        raise NotAnImage("the file is empty")
    if data[:4] != struct.pack("<I", _MAGIC[0]):
        raise NotAnImage("not a UF2 file: it does not begin with 'UF2'")
    if len(data) % _BLOCK:
        raise NotAnImage(f"truncated: {len(data)} bytes are no whole number of {_BLOCK}-byte blocks")
    parts: list[bytes] = []
    total = 0
    for at in range(0, len(data), _BLOCK):
        block = _block(data[at : at + _BLOCK], at // _BLOCK, family)
        if block is None:
            continue
        number, total, content = block
        if number != len(parts):
            raise NotAnImage(f"block {at // _BLOCK}: has number {number}, expected {len(parts)}")
        parts.append(content)
    if not parts or len(parts) != total:
        raise NotAnImage(f"truncated: {len(parts)} of {total} blocks")
    return b"".join(parts)


def _block(block: bytes, position: int, family: int) -> tuple[int, int, bytes] | None:
    """Number, count of blocks and content; None for a block that is not for this chip's program flash."""
    magic, magic_2, flags, _address, size, number, total, its_family = _HEADER.unpack_from(block)
    if (magic, magic_2) != _MAGIC or block[-4:] != _MAGIC_END or size > _MOST_PAYLOAD:
        raise NotAnImage(f"block {position}: broken (magic numbers or length)")
    if flags & _NOT_FOR_FLASH or (flags & _HAS_FAMILY and its_family == _ABSOLUTE):
        return None
    if not flags & _HAS_FAMILY or its_family != family:
        found = FAMILY_NAMES.get(its_family, f"family 0x{its_family:08x}") if flags & _HAS_FAMILY else "no chip"
        raise NotAnImage(f"made for {found}, not for {FAMILY_NAMES[family]}")
    return number, total, block[_HEADER.size : _HEADER.size + size]


def version_in(content: bytes) -> str | None:
    """The MicroPython version of flash contents; None when it is not MicroPython."""
    found = _VERSION.search(content)
    return found.group(1).decode() if found else None


def check(path: Path, family: int, version: str | None = None) -> str:
    """The version in an image file. Raises NotAnImage, also when it is not the version asked for."""
    try:
        found = version_in(payload(path.read_bytes(), family))
    except NotAnImage as fault:
        raise NotAnImage(f"{path}: {fault}") from None
    if found is None:
        raise NotAnImage(f"{path}: no MicroPython inside")
    if version is not None and found != version:
        raise NotAnImage(f"{path}: MicroPython {found}, wanted {version}")
    return found
