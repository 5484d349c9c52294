"""The readings of one commit as a few bytes: per point the number of its channel, then steps of time and the value.

Numbers are LEB128 (seven bits a byte, lowest first), signed ones zig-zag before (0, -1, 1, -2 ... are 0, 1, 2, 3 ...). Times are
steps from the point before, that of the first from 0. Four bytes CRC-32 of the block's id and all of that end it.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple
from zlib import crc32

from fluksometer.domain.points import Kind, Point


class Channel(NamedTuple):
    """What the points of a sensor have in common; the ledger gives it a small number."""

    sensor_id: str
    series: int
    kind: Kind
    unit: str
    retain: bool


class DamagedBlock(ValueError):
    """The bytes are not those that were written."""


def channel_of(point: Point) -> Channel:
    """The channel a point belongs to."""
    return Channel(point.sensor_id, point.series, point.kind, point.unit, point.retain)


def pack(last_id: int, points: Iterable[Point], number: Callable[[Channel], int]) -> bytes:
    """A block of points; ``last_id`` is the id of its last one."""
    body = bytearray()
    before_s = 0
    for point in points:
        _append(body, number(channel_of(point)))
        _append(body, _zigzag(point.time_s - before_s))
        _append(body, _zigzag(point.milli))
        before_s = point.time_s
    return bytes(body) + _check(last_id, body)


def is_whole(last_id: int, block: bytes) -> bool:
    """Are these the bytes that were written under this id?"""
    return _check(last_id, block[:-4]) == block[-4:]


def count_points(block: bytes) -> int:
    """How many points a whole block has."""
    return sum(byte < 0x80 for byte in block[:-4]) // 3


def unpack(last_id: int, block: bytes, channels: Mapping[int, Channel]) -> list[Point]:
    """The points of a block. Raises DamagedBlock, or KeyError for a channel that is not in ``channels``."""
    if not is_whole(last_id, block):
        raise DamagedBlock("its CRC does not fit")
    numbers = _numbers(block[:-4])
    points, time_s = [], 0
    for channel, step, milli in zip(numbers[::3], numbers[1::3], numbers[2::3], strict=True):
        time_s += (step >> 1) ^ -(step & 1)
        sensor_id, series, kind, unit, retain = channels[channel]
        points.append(Point(sensor_id, series, kind, time_s, (milli >> 1) ^ -(milli & 1), unit, retain))
    return points


def _check(last_id: int, body: bytes | bytearray) -> bytes:
    return crc32(body, crc32(last_id.to_bytes(8, "little"))).to_bytes(4, "little")


def _zigzag(value: int) -> int:
    return value << 1 if value >= 0 else (-value << 1) - 1


def _append(body: bytearray, number: int) -> None:
    while number > 0x7F:
        body.append(number & 0x7F | 0x80)
        number >>= 7
    body.append(number)


def _numbers(body: bytes) -> list[int]:
    numbers, number, shift = [], 0, 0
    for byte in body:
        if byte & 0x80:
            number |= (byte & 0x7F) << shift
            shift += 7
        else:
            numbers.append(number | byte << shift)
            number = shift = 0
    return numbers
