# What must outlive a power cut is kept in slots: two files that take turns, so that a cut while one is written leaves the
# other. A slot is magic, version, generation, length, content, CRC-32; the content is parts: tag, length, bytes.
import struct
from binascii import crc32

_MAGIC = b"FLKS"
_VERSION = 1
_HEAD = "<4sBIH"
_HEAD_BYTES = struct.calcsize(_HEAD)
_CRC_BYTES = 4
_PART = "<BH"
_PART_BYTES = struct.calcsize(_PART)


def sealed(generation, parts):
    """Pieces of a slot, in order; parts: (tag, bytes). In pieces, for a table of 8 kB should not be copied."""
    pieces = [b""]
    for tag, data in parts:
        pieces += [struct.pack(_PART, tag, len(data)), data]
    pieces[0] = struct.pack(_HEAD, _MAGIC, _VERSION, generation, sum([len(piece) for piece in pieces]))
    crc = 0
    for piece in pieces:
        crc = crc32(piece, crc)
    return pieces + [struct.pack("<I", crc)]


def opened(data):
    """(generation, content) of a slot; None when it is not whole."""
    if len(data) < _HEAD_BYTES + _CRC_BYTES:
        return None
    magic, version, generation, length = struct.unpack(_HEAD, data[:_HEAD_BYTES])
    end = _HEAD_BYTES + length
    if magic != _MAGIC or version != _VERSION or len(data) != end + _CRC_BYTES:
        return None
    view = memoryview(data)
    if crc32(view[:end]) != struct.unpack("<I", view[end:])[0]:
        return None
    return generation, view[_HEAD_BYTES:end]


def parts_of(content):
    """(tag, bytes) of each part of a slot's content; a part that does not fit ends it."""
    at = 0
    while at + _PART_BYTES <= len(content):
        tag, length = struct.unpack(_PART, content[at : at + _PART_BYTES])
        at += _PART_BYTES + length
        if at > len(content):
            return
        yield tag, content[at - length : at]


class Slots:
    """Two files. read(name) -> bytes, None: there is no such file; write(name, pieces): whole, or OSError."""

    def __init__(self, names, read, write):
        self._names = names
        self._read = read
        self._write = write
        self._generation = 0
        self._next = 0  # which file is written next: not the one in force
        self.torn = 0  # files that were there and not whole

    def load(self):
        """Content of the newer whole slot; None when there is none."""
        content = None
        for place, name in enumerate(self._names):
            data = self._read(name)
            if data is None:
                continue
            slot = opened(data)
            if slot is None:
                self.torn += 1
            elif slot[0] > self._generation:
                self._generation, content = slot
                self._next = 1 - place
        return content

    def save(self, parts):
        """Writes the older slot; OSError when the file system can't."""
        self._write(self._names[self._next], sealed(self._generation + 1, parts))
        self._generation += 1
        self._next = 1 - self._next
