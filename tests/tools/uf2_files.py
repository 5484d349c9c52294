"""UF2 files made for tests."""

import struct

RP2040 = 0xE48BFF56


def uf2_block(number: int, total: int, content: bytes, family: int = RP2040, flags: int = 0x2000) -> bytes:
    """One block of 512 bytes."""
    head = struct.pack(
        "<8I", 0x0A324655, 0x9E5D5157, flags, 0x10000000 + 256 * number, len(content), number, total, family
    )
    return head + content.ljust(476, b"\0") + struct.pack("<I", 0x0AB16F30)


def uf2_file(content: bytes, family: int = RP2040) -> bytes:
    """A whole file with 256 bytes of content in each block."""
    parts = [content[at : at + 256].ljust(256, b"\0") for at in range(0, len(content), 256)]
    return b"".join(uf2_block(number, len(parts), part, family) for number, part in enumerate(parts))


def micropython_uf2(version: str, family: int = RP2040) -> bytes:
    """A file that passes for an image of MicroPython."""
    return uf2_file(b"\0" * 500 + f"3.4.0; MicroPython v{version} on 2025-01-02\0".encode() + b"\0" * 500, family)
