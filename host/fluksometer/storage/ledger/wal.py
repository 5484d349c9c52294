"""Did the write-ahead log end where it was cut off, or is it damaged before its end? Source: SQLite's file format, section 4."""

import struct
from pathlib import Path

_HEADER = struct.Struct(">8I")
_FRAME = struct.Struct(">6I")
_MAGIC_LITTLE, _MAGIC_BIG = 0x377F0682, 0x377F0683


def commits_lost(wal: Path, page_bytes: int, frames_read: int) -> int:
    """Commits that stand behind the ``frames_read`` ones SQLite took over, 0 for a log that was only cut off.

    A commit is on the disk before the next one begins, so a power cut spoils one at most. Raises OSError.
    """
    if not wal.exists():
        return 0
    commits = 0
    with wal.open("rb") as log:
        header = log.read(_HEADER.size)
        if len(header) < _HEADER.size:
            return 0
        salts = _HEADER.unpack(header)[4:6] if _sound(header) else None
        log.seek(_HEADER.size + frames_read * (_FRAME.size + page_bytes))
        while len(frame := log.read(_FRAME.size + page_bytes)) == _FRAME.size + page_bytes:
            _, pages, *found, _, _ = _FRAME.unpack_from(frame)
            salts = salts or tuple(found)
            commits += tuple(found) == salts and pages != 0
    return commits if commits > 1 else 0


def _sound(header: bytes) -> bool:
    """Is the log's own header whole?"""
    magic = int.from_bytes(header[:4], "big")
    if magic not in (_MAGIC_LITTLE, _MAGIC_BIG):
        return False
    words = struct.unpack("<6I" if magic == _MAGIC_LITTLE else ">6I", header[:24])
    first = second = 0
    for even, odd in zip(words[::2], words[1::2], strict=True):
        first = (first + even + second) & 0xFFFFFFFF
        second = (second + odd + first) & 0xFFFFFFFF
    return (first, second) == _HEADER.unpack(header)[6:8]
