"""Recordings of the converter's codes as files (.npy), and the arguments that describe them, shared by commands."""

from argparse import ArgumentParser, ArgumentTypeError
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fluksometer.domain.arrays import Codes


def column(path: Path, channel: int) -> "Codes":
    """One input's codes (uint16) in a file of N or N x channels; ``channel`` counts from 1. Raises FileFaults as ``columns``."""
    from fluksometer.faults import FileFaults

    samples = columns(path)
    if channel > samples.shape[1]:
        raise FileFaults(str(path), [f"has {samples.shape[1]} channels, there is no channel {channel}"])
    codes: Codes = samples[:, channel - 1]
    return codes


def columns(path: Path, most: int = 16) -> "Codes":
    """All codes (N x channels of uint16) in a file of N or N x channels, of ``most`` channels.

    The file is mapped, so that a slice of a long one is quick. Raises FileFaults when there is no such thing in it.
    """
    import numpy as np

    from fluksometer.faults import FileFaults

    try:
        samples = np.load(path, mmap_mode="r", allow_pickle=False)
    except OSError as error:
        raise FileFaults(str(path), [f"cannot be read: {error.strerror or error}"]) from error
    except (ValueError, EOFError, SyntaxError) as error:
        raise FileFaults(str(path), ["is not a NumPy file (.npy) of numbers"]) from error
    if not isinstance(samples, np.ndarray):
        raise FileFaults(str(path), ["is an archive of arrays (.npz): want one array (.npy)"])
    if samples.ndim == 1:
        samples = samples[:, np.newaxis]
    if samples.ndim != 2 or samples.dtype != np.uint16 or not 1 <= samples.shape[1] <= most:
        raise FileFaults(str(path), [f"want N x 1 to {most} of uint16, not {samples.shape} of {samples.dtype}"])
    codes: Codes = samples
    return codes


def add_clamp(parser: ArgumentParser) -> None:
    """The argument that tells the clamp of a recording."""
    parser.add_argument(
        "--clamp", type=clamp_a, required=True, metavar="A", help="so many A rms give 1 V rms at the pin (50, 100, ...)"
    )


def add_channel(parser: ArgumentParser) -> None:
    """The argument that tells which column of a recording is meant."""
    parser.add_argument(
        "--channel", type=channel, default=1, metavar="K", help="column of the clamp, from 1 on (default: %(default)s)"
    )


def rate_hz(text: str) -> float:
    """Argument: samples a second of each input."""
    rate = _number(text)
    if not 1000 < rate <= 500_000:
        raise ArgumentTypeError(f"{text!r} is not a rate: above 1000, up to 500000 samples a second")
    return rate


def clamp_a(text: str) -> float:
    """Argument: so many A rms give 1 V rms at the pin."""
    rating = _number(text)
    if not 0 < rating <= 10_000:
        raise ArgumentTypeError(f"{text!r} is not a clamp: above 0, at most 10000 A")
    return rating


def channel(text: str) -> int:
    """Argument: the column of an input, from 1 on."""
    if not text.isdecimal() or not 1 <= int(text) <= 16:
        raise ArgumentTypeError(f"{text!r} is not a channel: 1 for the first")
    return int(text)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0
