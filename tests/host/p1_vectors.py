"""Telegrams of tests/vectors/p1: NAME.txt as a meter sends it, NAME.json what ``fluksometer p1 --net`` prints for it.

They were written from the companion standards that docs/p1.md names; ids and values are invented.
"""

from places import ROOT

from fluksometer.domain.terminal_readings import P1Piece
from fluksometer.shared import terminal_records
from fluksometer.shared.p1 import OK, Frame, Parser
from fluksometer.shared.p1_wire import encode

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


def p1_pieces(sent: bytes, number: int, t_us: int) -> list[P1Piece]:
    """What the board makes of bytes that hold one telegram or frame."""
    parser = Parser()
    (said,) = parser.push(sent) + parser.pause()
    if isinstance(said, Frame):
        form, left_out, data = terminal_records.P1_FRAME, 0, said.data
    else:
        form = terminal_records.P1_CRC_OK if said.crc == OK else terminal_records.P1_NO_CRC
        left_out, data = said.left_out, encode(said)
    size = terminal_records.P1_PIECE_BYTES
    parts = [data[at : at + size] for at in range(0, len(data), size)]
    return [
        P1Piece(t_us=t_us, number=number, piece=index, pieces=len(parts), form=form, left_out=left_out, data=part)
        for index, part in enumerate(parts)
    ]
