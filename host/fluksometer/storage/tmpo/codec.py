"""The text of a TMPO block and its gzip, byte for byte as the original writes and its clients read it (docs/tmpo.md).

In plain Python: what only writes needs no more memory than it has to. Who reads years takes ``arrays.py``.
"""

import json
import zlib
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, islice
from typing import Any, Final, Self

from fluksometer.domain.tmpo import BlockName
from fluksometer.domain.topics import decimal

Integers = array  # of type "q": 64 bits
_GZIP: Final = zlib.MAX_WBITS | 16
_TEXT_MOST: Final = 64 << 20  # bytes: three times what a million values a second apart take
MILLI_MOST: Final = 1 << 53  # what a float of another program still holds exactly
_TO_TIMES, _TO_VALUES, _END = b'},"t":[', b'],"v":[', b"]}"
_AT_ONCE: Final = 10_000  # numbers that are text at a time


class BadBlock(ValueError):
    """These bytes are no block, or not the one of that name; the text says what is wrong."""


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """Values of one series; at least one."""

    cfg: Mapping[str, object]  # of its sensor, as published when the last value came
    time_s: "Integers[int]"  # UTC, strictly ascending
    milli: "Integers[int]"  # thousandths of the unit

    @classmethod
    def of(cls, cfg: Mapping[str, object], time_s: Iterable[int], milli: Iterable[int]) -> Self:
        """From any numbers."""
        return cls(cfg, array("q", time_s), array("q", milli))

    @classmethod
    def joined(cls, blocks: Sequence[Self]) -> Self:
        """One block of several, ascending; its sensor is as in the last one. Raises BadBlock when they are not ascending."""
        times, values = array("q"), array("q")
        for one in blocks:
            if times and one.time_s[0] <= times[-1]:
                raise BadBlock("its parts lie over each other")
            times += one.time_s
            values += one.milli
        return cls(blocks[-1].cfg, times, values)

    def contains(self, part: "Block") -> bool:
        """Whether it has all values of another one."""
        for time_s, milli in zip(part.time_s, part.milli, strict=True):
            at = bisect_left(self.time_s, time_s)
            if at == len(self.time_s) or self.time_s[at] != time_s or self.milli[at] != milli:
                return False
        return True


def encode(block: Block) -> bytes:
    """The gzip file."""
    packer = zlib.compressobj(9, zlib.DEFLATED, _GZIP)
    return b"".join([*(packer.compress(part.encode()) for part in _parts(block)), packer.flush()])


def text_of(block: Block) -> bytes:
    """The text: no white space, h before t before v, both beginning with 0."""
    return "".join(_parts(block)).encode()


def _parts(block: Block) -> Iterator[str]:
    times, values = block.time_s, block.milli
    head, tail = (f"[{times[at]},{decimal(values[at])}]" for at in (0, -1))
    cfg = json.dumps(block.cfg, separators=(",", ":"), allow_nan=False)
    yield f'{{"h":{{"head":{head},"tail":{tail},"vsn":1,"cfg":{cfg}}},"t":[0'
    yield from _in_text(map(str, _steps(times)))
    yield '],"v":[0'
    yield from _in_text(map(_shown, _steps(values)))
    yield "]}"


def _steps(numbers: "Integers[int]") -> Iterator[int]:
    return map(int.__sub__, islice(numbers, 1, None), numbers)


def _shown(milli: int) -> str:
    return decimal(milli) if milli % 1000 else str(milli // 1000)


def _in_text(numbers: Iterator[str]) -> Iterator[str]:
    while some := list(islice(numbers, _AT_ONCE)):
        yield "," + ",".join(some)


def decode(data: bytes, name: BlockName | None = None) -> Block:
    """The block in a gzip file; with ``name`` only if it is of that slot. Raises BadBlock."""
    header, times_text, values_text = split(unzip(data))
    block = checked(header, numbers(times_text), thousandths(values_text))
    fits(name, block.time_s[0], block.time_s[-1])
    return block


def fits(name: BlockName | None, first_s: int, last_s: int) -> None:
    """Raises BadBlock when these seconds are not of that slot."""
    if name and not name.bid <= first_s <= last_s <= name.tail_s:
        raise BadBlock(f"its values are of {first_s} to {last_s}, not of its slot")


def unzip(data: bytes) -> bytes:
    """What is in one gzip member with nothing behind it. Raises BadBlock."""
    unpacker = zlib.decompressobj(_GZIP)
    try:
        text = unpacker.decompress(data, _TEXT_MOST)
    except zlib.error as error:
        raise BadBlock(f"not gzip, or torn: {error}") from error
    if not unpacker.eof:
        raise BadBlock("too long" if unpacker.unconsumed_tail else "torn: its end is missing")
    if unpacker.unused_data:
        raise BadBlock("there is something behind its end")
    return text


def split(text: bytes) -> tuple[dict[str, Any], bytes, bytes]:
    """Header, and the texts of the two arrays. Raises BadBlock."""
    to_times = text.find(_TO_TIMES)
    to_values = text.find(_TO_VALUES, to_times)
    end = len(text.rstrip(b"\n")) - len(_END)
    if not (text.startswith(b'{"h":{') and 0 < to_times < to_values < end and text.startswith(_END, end)):
        raise BadBlock('not of the form {"h":{...},"t":[...],"v":[...]}')
    header = _header(text[len(b'{"h":') : to_times + 1])
    return header, text[to_times + len(_TO_TIMES) : to_values], text[to_values + len(_TO_VALUES) : end]


def checked(header: Mapping[str, Any], steps: Sequence[int], deltas: Sequence[int]) -> Block:
    """The block of these parts. Raises BadBlock when they do not belong together."""
    (head_s, head_milli), tail = ends(header)
    if len(steps) != len(deltas):
        raise BadBlock(f"{len(steps)} times, {len(deltas)} values")
    if steps[0] or deltas[0]:
        raise BadBlock("the first difference is not 0")
    if min(islice(steps, 1, None), default=1) < 1:
        raise BadBlock("its times do not ascend")
    try:
        times, values = (
            array("q", accumulate(steps, initial=head_s)),
            array("q", accumulate(deltas, initial=head_milli)),
        )
    except OverflowError as error:
        raise BadBlock("numbers too large") from error
    del times[0], values[0]  # the differences begin with 0
    if (times[-1], values[-1]) != tail:
        raise BadBlock("its differences do not lead from head to tail")
    if max(max(values), -min(values)) > MILLI_MOST:
        raise BadBlock("numbers too large")
    return Block(header["cfg"], times, values)


def ends(header: Mapping[str, Any]) -> tuple[tuple[int, int], tuple[int, int]]:
    """Second and thousandths of the first and the last value. Raises BadBlock."""
    return _end(header, "head"), _end(header, "tail")


def _header(text: bytes) -> dict[str, Any]:
    try:
        header = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadBlock(f"its header is not JSON: {error}") from error
    if header.setdefault("vsn", 1) != 1:
        raise BadBlock(f"version {header['vsn']} is not known")
    if not isinstance(header.setdefault("cfg", {}), dict):
        header["cfg"] = {}
    return dict(header)


def _end(header: Mapping[str, Any], key: str) -> tuple[int, int]:
    match header.get(key):
        case [int(time_s), int() | float() as value] if type(time_s) is int and type(value) is not bool:
            if 0 <= time_s < MILLI_MOST and abs(value) <= MILLI_MOST / 1000:
                return time_s, value * 1000 if isinstance(value, int) else round(value * 1000)
    raise BadBlock(f"its {key} is not [second, value]")


def numbers(text: bytes) -> list[int]:
    """Whole numbers, comma by comma; at least one. Raises BadBlock."""
    if text.translate(None, b"0123456789,-"):
        raise BadBlock("not whole numbers")
    return _numbers(text)


def thousandths(text: bytes) -> list[int]:
    """Numbers, comma by comma, in thousandths; at least one. Raises BadBlock."""
    if text.translate(None, b"0123456789,-+.eE"):
        raise BadBlock("not numbers")
    try:
        return [one * 1000 if type(one) is int else round(one * 1000) for one in _numbers(text)]
    except OverflowError as error:
        raise BadBlock("numbers too large") from error


def _numbers(text: bytes) -> list[Any]:
    try:
        found: list[Any] = json.loads(b"[%b]" % text)
    except (ValueError, RecursionError) as error:
        raise BadBlock("not numbers with commas between") from error
    if not found:
        raise BadBlock("not even one number")
    return found
