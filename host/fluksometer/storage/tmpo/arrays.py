"""Blocks as NumPy arrays, some thirty times as quick as ``codec.decode``: for reading years."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fluksometer.domain.history import Samples
from fluksometer.domain.tmpo import BlockName

from .codec import MILLI_MOST, BadBlock, ends, fits, split, unzip

Integers = NDArray[np.int64]


def decode_arrays(data: bytes, name: BlockName) -> Samples:
    """What ``codec.decode`` finds in the same bytes. Raises BadBlock."""
    header, times_text, values_text = split(unzip(data))
    (head_s, head_milli), (tail_s, tail_milli) = ends(header)
    steps, deltas = numbers(times_text), thousandths(values_text)
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
    if max(int(values.max()), -int(values.min())) > MILLI_MOST:
        raise BadBlock("numbers too large")
    fits(name, head_s, tail_s)
    return times, values


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
    if max(int(found.max()), -int(found.min())) >= MILLI_MOST // times:
        raise BadBlock("numbers too large")
    return np.multiply(found, times, out=found) if times > 1 else found


def thousandths(text: bytes) -> Integers:
    """Numbers, comma by comma, in thousandths; at least one. Raises BadBlock."""
    if not text.translate(None, b"0123456789,-"):
        return numbers(text, 1000)
    if text.translate(None, b"0123456789,-+.eE"):
        raise BadBlock("not numbers")
    exact = _parsed(text, text.count(b",") + 1, np.float64) * 1000
    if not np.abs(exact).max() < MILLI_MOST:  # nor NaN
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
