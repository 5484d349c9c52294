"""``fluksometer meter``: the board's own arithmetic over recorded samples."""

import json
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fluksometer.command import Command

if TYPE_CHECKING:
    from fluksometer.metering import Window

DESCRIPTION = """\
Run the native core over recorded 12-bit samples and print one JSON object per window (a second) and input: the very
arithmetic of the board, on this machine.

FILE.npy holds uint16 codes of 0 to 4095, N x channels (1 to 3); column k is port k+1. A window that the file does not
fill is not printed. What this version does not measure (real power, frequency) is null.

example:
  fluksometer meter samples.npy --rate 20000 --clamp 50 --voltage 230"""
_CHUNK_ROWS = 1 << 16


def configure(parser: ArgumentParser) -> None:
    """Arguments of ``meter``."""
    parser.add_argument("file", type=Path, metavar="FILE.npy", help="the recording")
    parser.add_argument("--rate", type=int, required=True, metavar="HZ", help="samples a second of each channel")
    parser.add_argument(
        "--clamp", type=float, required=True, metavar="A", help="so many A rms give 1 V rms at the pin (50, 100, ...)"
    )
    parser.add_argument("--voltage", type=float, metavar="V", help="mains voltage to assume for apparent power")


def run(arguments: Namespace) -> int:
    """Print the windows of the file."""
    from fluksometer.faults import FileFaults

    faults = _argument_faults(arguments)
    if faults:
        raise FileFaults("arguments", faults)
    for record in records(arguments.file, arguments.rate, arguments.clamp, arguments.voltage):
        print(json.dumps(record))
    return 0


def _argument_faults(arguments: Namespace) -> list[str]:
    faults = []
    if not 1 <= arguments.rate <= 500_000:
        faults.append(f"--rate: {arguments.rate} is not allowed: 1 to 500000")
    if not 0 < arguments.clamp <= 10_000:
        faults.append(f"--clamp: {arguments.clamp} is not allowed: above 0, at most 10000")
    if arguments.voltage is not None and not 0 < arguments.voltage <= 1000:
        faults.append(f"--voltage: {arguments.voltage} is not allowed: above 0, at most 1000")
    return faults


def records(file: Path, rate_hz: int, clamp_a: float, voltage_v: float | None) -> Iterator[dict[str, Any]]:
    """One record per window and input. Raises FileFaults when the file can't be used, before the first record if it can tell."""
    import numpy as np

    from fluksometer.faults import FileFaults
    from fluksometer.metering import Core

    codes = _load(file)
    core = Core(codes.shape[1], rate_hz, rate_hz)
    windows = 0
    for at in range(0, len(codes), _CHUNK_ROWS):
        try:
            closed = core.fold(np.ascontiguousarray(codes[at : at + _CHUNK_ROWS]))
        except ValueError as error:
            raise FileFaults(str(file), [f"rows {at} to {min(at + _CHUNK_ROWS, len(codes)) - 1}: {error}"]) from error
        for channels in closed:
            windows += 1
            for index, window in enumerate(channels):
                yield _record(windows, index + 1, window, clamp_a, voltage_v)
    if not windows:
        raise FileFaults(str(file), [f"{len(codes)} samples are less than one window of {rate_hz}"])


def _load(file: Path) -> Any:
    import numpy as np

    from fluksometer.faults import FileFaults

    try:
        codes = np.load(file, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise FileFaults(str(file), [f"cannot be read as .npy: {error}"]) from error
    if not isinstance(codes, np.ndarray):
        raise FileFaults(str(file), ["holds several arrays (.npz): save the samples alone with numpy.save"])
    if codes.ndim == 1:
        codes = codes.reshape(-1, 1)
    if codes.dtype != np.uint16 or codes.ndim != 2 or not 1 <= codes.shape[1] <= 3:
        raise FileFaults(str(file), [f"holds {codes.shape} of {codes.dtype}: want N x 1 to N x 3 of uint16"])
    return codes


def _record(second: int, port: int, window: "Window", clamp_a: float, voltage_v: float | None) -> dict[str, Any]:
    from fluksometer.domain.units import LSB_V, mean_square_lsb2, rms_a

    square = mean_square_lsb2(samples=window.samples, sum_sq=window.sum_sq, sum_lsb=window.sum)
    current_a = rms_a(square, 1) * clamp_a
    offset_lsb = window.sum / window.samples
    peak_lsb = max(window.high - offset_lsb, offset_lsb - window.low)
    flags = ["clipped"] if window.low == -2048 or window.high == 2047 else []
    if window.low == window.high:
        flags.append("no_signal")
    return {
        "t_s": float(second),
        "port": port,
        "current_a": current_a,
        "voltage_v": None,
        "assumed_voltage_v": voltage_v,
        "real_w": None,
        "apparent_va": None if voltage_v is None else current_a * voltage_v,
        "reactive_var": None,
        "power_factor": None,
        "frequency_hz": None,
        "offset_lsb": offset_lsb,
        "peak_a": peak_lsb * float(LSB_V) * clamp_a,
        "samples": window.samples,
        "gaps": 0,
        "flags": flags,
    }


COMMAND = Command(
    help="run the board's arithmetic over recorded samples",
    description=DESCRIPTION,
    configure=configure,
    run=run,
)
