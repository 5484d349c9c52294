"""Telegrams of tests/vectors/p1: NAME.txt as a meter sends it, NAME.json what ``fluksometer p1 --net`` prints for it.

They were written from the companion standards that docs/p1.md names; ids and values are invented.
"""

from places import ROOT

FOLDER = ROOT / "tests/vectors/p1"
TELEGRAMS = {path.stem: path.read_bytes() for path in sorted(FOLDER.glob("*.txt"))}
WITH_CRC = {name: data for name, data in TELEGRAMS.items() if data.strip()[-1:] != b"!"}
LUXEMBOURG_FRAME = (FOLDER / "luxembourg.bin").read_bytes()
LUXEMBOURG_KEY = bytes(range(16))


def crc(data: bytes) -> int:
    """CRC-16/ARC bit by bit: an arithmetic of its own, to check the parser's."""
    value = 0
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = (value >> 1) ^ 0xA001 if value & 1 else value >> 1
    return value


def sealed(*lines: str, head: str = "TST5\\TEST") -> bytes:
    """A telegram of these lines with its CRC."""
    body = f"/{head}\r\n\r\n{''.join(line + chr(13) + chr(10) for line in lines)}!".encode("latin-1")
    return body + b"%04X\r\n" % crc(body)
