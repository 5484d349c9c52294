"""The text of a TMPO block and its gzip, byte for byte as the original writes and its clients read it (docs/tmpo.md)."""

import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from fluksometer.domain.history import Samples
from fluksometer.domain.tmpo import BlockName
from fluksometer.domain.topics import decimal

_GZIP: Final = zlib.MAX_WBITS | 16
_TEXT_MOST: Final = 64 << 20  # bytes: three times what a million values a second apart take
_MILLI_MOST: Final = 1 << 53  # what a float of another program still holds exactly
Integers = NDArray[np.int64]
_TO_TIMES, _TO_VALUES, _END = b'},"t":[', b'],"v":[', b"]}"


class BadBlock(ValueError):
    """These bytes are no block, or not the one of that name; the text says what is wrong."""


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """Values of one series; at least one."""

    cfg: Mapping[str, object]  # of its sensor, as published when the last value came
    time_s: Integers  # UTC, strictly ascending
    milli: Integers  # thousandths of the unit

    @property
    def samples(self) -> Samples:
        """Times and values."""
        return self.time_s, self.milli

    @classmethod
    def joined(cls, blocks: Sequence[Self]) -> Self:
        """One block of several, ascending; its sensor is as in the last one. Raises BadBlock when they are not ascending."""
        times = np.concatenate([one.time_s for one in blocks])
        if np.any(np.diff(times) < 1):
            raise BadBlock("its parts lie over each other")
        return cls(blocks[-1].cfg, times, np.concatenate([one.milli for one in blocks]))


def encode(block: Block) -> bytes:
    """The gzip file."""
    packer = zlib.compressobj(9, zlib.DEFLATED, _GZIP)
    return packer.compress(text_of(block)) + packer.flush()


def text_of(block: Block) -> bytes:
    """The text: no white space, h before t before v, both beginning with 0."""
    times, values = block.time_s, block.milli
    ends = (f"[{times[at]},{decimal(int(values[at]))}]" for at in (0, -1))
    cfg = json.dumps(block.cfg, separators=(",", ":"), allow_nan=False)
    head = '"head":{},"tail":{}'.format(*ends)
    steps = ",".join(map(str, np.diff(times).tolist()))
    text = f'{{"h":{{{head},"vsn":1,"cfg":{cfg}}},"t":[{_list(steps)}],"v":[{_list(_values_text(np.diff(values)))}]}}'
    return text.encode()


def _list(text: str) -> str:
    return f"0,{text}" if text else "0"


def _values_text(milli: Integers) -> str:
    whole, rest = np.divmod(milli, 1000)
    return ",".join(map(decimal, milli.tolist()) if rest.any() else map(str, whole.tolist()))


def decode(data: bytes, name: BlockName | None = None) -> Block:
    """The block in a gzip file; with ``name`` only if it is of that slot. Raises BadBlock."""
    block = _decode_text(unzip(data))
    if name and not name.bid <= block.time_s[0] <= block.time_s[-1] <= name.tail_s:
        raise BadBlock(f"its values are of {block.time_s[0]} to {block.time_s[-1]}, not of its slot")
    return block


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


def _decode_text(text: bytes) -> Block:
    header, steps, deltas = parts_of(text)
    return checked(header, steps, deltas)


def parts_of(text: bytes) -> tuple[dict[str, Any], Integers, Integers]:
    """Header, differences of time and of value, as they stand there. Raises BadBlock."""
    to_times = text.find(_TO_TIMES)
    to_values = text.find(_TO_VALUES, to_times)
    end = len(text.rstrip(b"\n")) - len(_END)
    if not (text.startswith(b'{"h":{') and 0 < to_times < to_values < end and text.startswith(_END, end)):
        raise BadBlock('not of the form {"h":{...},"t":[...],"v":[...]}')
    header = _header(text[len(b'{"h":') : to_times + 1])
    steps = numbers(text[to_times + len(_TO_TIMES) : to_values])
    return header, steps, _thousandths(text[to_values + len(_TO_VALUES) : end])


def checked(header: Mapping[str, Any], steps: Integers, deltas: Integers) -> Block:
    """The block of these parts, which are changed on the way. Raises BadBlock when they do not belong together."""
    (head_s, head_milli), (tail_s, tail_milli) = _end(header, "head"), _end(header, "tail")
    if len(steps) != len(deltas):
        raise BadBlock(f"{len(steps)} times, {len(deltas)} values")
    if steps[0] or deltas[0]:
        raise BadBlock("the first difference is not 0")
    if len(steps) > 1 and steps[1:].min() < 1:
        raise BadBlock("its times do not ascend")
    steps[0], deltas[0] = head_s, head_milli
    times, values = np.cumsum(steps, out=steps), np.cumsum(deltas, out=deltas)
    if (int(times[-1]), int(values[-1])) != (tail_s, tail_milli) or times.max() != tail_s:
        raise BadBlock("its differences do not lead from head to tail")
    if max(int(values.max()), -int(values.min())) > _MILLI_MOST:
        raise BadBlock("numbers too large")
    return Block(header["cfg"], times, values)


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
            if 0 <= time_s < _MILLI_MOST and abs(value) <= _MILLI_MOST / 1000:
                return time_s, value * 1000 if isinstance(value, int) else round(value * 1000)
    raise BadBlock(f"its {key} is not [second, value]")


def numbers(text: bytes, times: int = 1) -> Integers:
    """Whole numbers, comma by comma, each ``times`` so large; at least one. Raises BadBlock."""
    count = text.count(b",") + 1
    if len(text) == 2 * count - 1:  # the most frequent, and quick: each has one digit
        codes = np.frombuffer(text, np.uint8)
        digits = codes[::2] - np.uint8(48)
        if int(digits.max()) <= 9 and bool((codes[1::2] == 44).all()):
            small: Integers = np.multiply(digits, times, dtype=np.int64)
            return small
    if text.translate(None, b"0123456789,-"):
        raise BadBlock("not whole numbers")
    found: Integers = _parsed(text, count, np.int64)
    if max(int(found.max()), -int(found.min())) >= _MILLI_MOST // times:
        raise BadBlock("numbers too large")
    return np.multiply(found, times, out=found) if times > 1 else found


def _thousandths(text: bytes) -> Integers:
    if not text.translate(None, b"0123456789,-"):
        return numbers(text, 1000)
    if text.translate(None, b"0123456789,-+.eE"):
        raise BadBlock("not numbers")
    exact = _parsed(text, text.count(b",") + 1, np.float64) * 1000
    if not np.abs(exact).max() < _MILLI_MOST:  # nor NaN
        raise BadBlock("numbers too large")
    rounded: Integers = np.rint(exact).astype(np.int64)
    return rounded


def _parsed(text: bytes, count: int, kind: type[Any]) -> NDArray[Any]:
    # Where it finds no number, one NumPy warns and answers what it has, another raises.
    try:
        found = np.fromstring(text, dtype=kind, sep=",")
    except (ValueError, DeprecationWarning) as error:
        raise BadBlock("not numbers with commas between") from error
    if len(found) != count or b"-," in text or text.endswith(b"-"):  # a lone sign counts as 0 for NumPy
        raise BadBlock("not numbers with commas between")
    return found
