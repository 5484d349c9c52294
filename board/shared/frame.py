# One record on the wire: sealed with kind, sequence number and CRC-32, then put into the envelope of its direction.
# docs/wire.md describes every byte; tests/vectors/wire.json holds examples made by hand from it.
import struct
from binascii import a2b_base64, b2a_base64, crc32

from ._compat import const

WIRE_VERSION = const(4)
MAX_PAYLOAD = const(1024)  # bytes; no record is longer, so neither end ever buffers more
_HEAD = "<BII"  # kind, sequence number, the one before it
_OVERHEAD = const(13)  # bytes a seal adds: head 9, CRC 4
# A sealed record, plus one code byte per 254 bytes of COBS, is the most that can stand between two zero bytes.
MAX_STUFFED = const(MAX_PAYLOAD + _OVERHEAD + (MAX_PAYLOAD + _OVERHEAD) // 254 + 1)
MAX_LINE = const(1500)  # base64 of the longest sealed record, with its colon


class FrameError(ValueError):
    """Bytes that are not a whole, undamaged record."""


def seal(kind, seq, payload, prev=0):
    """Record as bytes: kind u8, seq u32, prev u32, payload, CRC-32 of all that."""
    if len(payload) > MAX_PAYLOAD:
        raise FrameError("payload: 0..%d bytes" % MAX_PAYLOAD)
    head = struct.pack(_HEAD, kind, seq, prev)
    return b"".join((head, payload, struct.pack("<I", crc32(payload, crc32(head)))))


def unseal(sealed):
    """(kind, seq, prev, payload) of a sealed record; FrameError when damaged."""
    if len(sealed) < _OVERHEAD:
        raise FrameError("short")
    body = sealed[:-4]
    if struct.unpack("<I", sealed[-4:])[0] != crc32(body):
        raise FrameError("crc")
    kind, seq, prev = struct.unpack(_HEAD, body[:9])
    return kind, seq, prev, bytes(body[9:])


def to_host(sealed):
    """Envelope towards the host: COBS between two zero bytes, so that text before or after it never harms it."""
    out = bytearray(1)
    for block in sealed.split(b"\x00"):
        if len(block) >= 254:
            block = memoryview(block)  # each copy of a long record costs the chip a search for memory
            while len(block) >= 254:
                out.append(255)
                out += block[:254]
                block = block[254:]
        out.append(len(block) + 1)
        out += block
    out.append(0)
    return out


def unstuff(stuffed):
    """What stands between two zero bytes, without its COBS code bytes; FrameError when cut or padded."""
    out = bytearray()
    at, end = 0, len(stuffed)
    while at < end:
        code = stuffed[at]
        if code == 0 or at + code > end:
            raise FrameError("cobs")
        out += stuffed[at + 1 : at + code]
        at += code
        if code < 255 and at < end:
            out.append(0)
    return bytes(out)


# Towards the board the bytes pass the console's input: 0x03 there means "interrupt", 0x04 "reset", 0x01 "raw mode".
# Base64 keeps all of them out, and a line typed into an idle prompt by mistake does nothing but complain.
def to_board(sealed):
    """Envelope towards the board: a line of ':' and base64."""
    return b":" + b2a_base64(sealed)


def unline(line):
    """Sealed record in a line received by the board; FrameError when it is none."""
    if line[:1] != b":":
        raise FrameError("text")
    try:
        return a2b_base64(line[1:])
    except ValueError:
        raise FrameError("base64")
