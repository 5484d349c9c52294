"""``fluksometer linearity``: what a converter's codes really mean, from a recording of a mains current."""

import stat
import sys
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from fluksometer import recording
from fluksometer.command import Command
from fluksometer.errors import Failure

if TYPE_CHECKING:
    from fluksometer.domain.arrays import Codes
    from fluksometer.domain.linearity_fit import Fit

DESCRIPTION = """\
Derive the linearity table of a board's converter from a mains current: no equipment, only a clamp around the wire of a kettle or
heater, for a minute or two. SOURCE is a recording (.npy: 12-bit codes, uint16, one row for each moment, one column for each clamp)
or the port of a live board ("auto" or a path in /dev), whose clamp on port --channel is then read; stop the bridge before.

The larger the current, the more codes it visits; the others keep the chip's default table. A plain resistive load is best: the
harmonics of others can hide smooth bends of the converter. docs/calibration.md tells how, and what it gains.
Then set board.linearity = "table.json" in the configuration: the bridge gives it to the board. fluksometer meter --linearity
uses it on recordings.

examples:
  fluksometer linearity auto -o table.json --channel 1 --seconds 60
  fluksometer linearity kettle.npy -o table.json --channel 1"""


def configure(parser: ArgumentParser) -> None:
    """Arguments of ``linearity``."""
    parser.add_argument("source", metavar="SOURCE", help="the recording (.npy), or the port of a live board")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="TABLE.json", help="where the table goes")
    parser.add_argument(
        "--rate",
        type=recording.rate_hz,
        default=20_000.0,
        metavar="HZ",
        help="samples a second of each clamp (default: 20000)",
    )
    recording.add_channel(parser)
    parser.add_argument(
        "--chip",
        choices=("rp2040", "rp2350"),
        default="rp2040",
        help="whose default table fills up (default: %(default)s)",
    )
    parser.add_argument(
        "--seconds", type=_seconds, default=60, metavar="N", help="of current to read off a live board (default: 60)"
    )
    parser.add_argument("--force", action="store_true", help="write the table even if the recording contradicts itself")


def run(arguments: Namespace) -> int:
    """Derive, tell, write."""

    from fluksometer.domain.linearity import default_table, render
    from fluksometer.domain.linearity_fit import UnfitRecording, fit
    from fluksometer.faults import FileFaults
    from fluksometer.whole_file import replace_file

    date = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    try:
        codes, rate_hz, chip, frequency_hz = _samples(arguments)
        found = fit(codes, rate_hz, default_table(chip), date=date, frequency_hz=frequency_hz)
    except UnfitRecording as error:
        raise FileFaults(arguments.source, [str(error)]) from error
    _report(found)
    if not found.trusted and not arguments.force:
        print(
            f"fluksometer linearity: no table written: {doubt(found)} (--force writes it all the same)", file=sys.stderr
        )
        return 1
    try:
        replace_file(arguments.output, render(found.table), private=False)
    except OSError as error:
        raise Failure(f"{arguments.output}: can't be written: {error.strerror}") from error
    print(f"{arguments.output}: written")
    return 0


def _samples(arguments: Namespace) -> "tuple[Codes, float, str, float | None]":
    """Codes, rate in Hz, chip, and the frequency if the codes are pieces."""
    import numpy as np

    if arguments.source == "auto" or arguments.source.startswith("/dev/") or _is_terminal(arguments.source):
        return _live_samples(arguments)
    codes = np.ascontiguousarray(recording.column(Path(arguments.source), arguments.channel))
    return codes, arguments.rate, arguments.chip, None


def _is_terminal(path: str) -> bool:
    try:
        return stat.S_ISCHR(Path(path).stat().st_mode)
    except OSError:
        return False


def _live_samples(arguments: Namespace) -> "tuple[Codes, float, str, float | None]":
    import asyncio

    import numpy as np

    from fluksometer.domain.harmonics import harmonics
    from fluksometer.domain.linearity import default_table, lsb_of
    from fluksometer.domain.linearity_fit import block_samples
    from fluksometer.linearity_tables import CHIPS
    from fluksometer.live_recording import RATE_HZ, SETS, LiveRecording

    if not 1 <= arguments.channel <= 3:
        raise Failure("--channel: a board has clamps on ports 1 to 3")
    wanted = -(-arguments.seconds * RATE_HZ // SETS)

    def progress(captures: int) -> None:
        print(f"fluksometer linearity: {captures} of {wanted} pieces read", file=sys.stderr, flush=True)

    live = LiveRecording(arguments.source, arguments.channel, wanted, progress)
    hello = asyncio.run(live.run())
    chip = next((name for name, number in CHIPS.items() if number == hello.chip), arguments.chip)
    try:
        waves = [harmonics(lsb_of(piece, default_table(chip)), RATE_HZ) for piece in live.pieces]
    except ValueError as error:
        raise Failure(f"{error}: is a load on, and the clamp on port {arguments.channel}?") from error
    frequency_hz = float(np.median([wave.frequency_hz for wave in waves]))
    length = block_samples(RATE_HZ, frequency_hz)
    whole = [piece[: len(piece) // length * length] for piece in live.pieces]
    return np.concatenate(whole), RATE_HZ, chip, frequency_hz


def _seconds(text: str) -> int:
    if not text.isdecimal() or not 6 <= int(text) <= 3600:
        raise ArgumentTypeError(f"{text!r} is not a time: 6 to 3600 seconds")
    return int(text)


def _report(found: "Fit") -> None:
    from rich.console import Console
    from rich.table import Table

    low, high = found.table.visited
    table = Table(show_header=False)
    rows = [
        ("mains", f"{found.frequency_hz:.2f} Hz"),
        ("wave's peak", f"{found.peak_lsb:.0f} LSB"),
        ("noise", f"{found.noise_lsb:.2f} LSB rms"),
        ("samples used", f"{found.table.samples} in {found.blocks} pieces, {found.dropped} pieces left out"),
        ("codes visited", f"{low} to {high}; {found.thin:.1%} of them too seldom"),
        ("residual", f"{found.table.residual_lsb:.3f} LSB rms between fit and held-out half"),
        (
            "the table moves",
            f"codes by up to {found.moved_lsb:.1f} LSB, {found.beside_default_lsb:.2f} LSB rms beside the default",
        ),
        ("expect", expectation(found)),
    ]
    for row in rows:
        table.add_row(*row)
    Console(highlight=False).print(table)


def doubt(found: "Fit") -> str:
    """Why a table is not to be trusted, and what helps."""
    from fluksometer.domain.linearity_fit import RESIDUAL_LIMIT_LSB, STRANGER_LSB

    if found.table.residual_lsb > RESIDUAL_LIMIT_LSB:
        return (
            f"the halves of the recording disagree by {found.table.residual_lsb:.2f} LSB, more than {RESIDUAL_LIMIT_LSB}: "
            "record longer, a steadier load, or a larger current"
        )
    if found.beside_default_lsb > STRANGER_LSB:
        return (
            f"the codes lie {found.beside_default_lsb:.1f} LSB rms beside the default table of an {found.table.chip}, boards with "
            "one lie within 0.4: is --chip right? A Pico has an rp2040, a Pico 2 an rp2350"
        )
    return (
        f"the wave's harmonics hide so much that small currents could be {found.hidden:.1%} wrong, the default table is as "
        "good: record a larger current, or a plain heater"
    )


def expectation(found: "Fit") -> str:
    """What a reader may hope for; the figures of docs/calibration.md bear it out."""
    if not found.trusted:
        return doubt(found)
    error = (LEAST_ERROR**2 + found.hidden**2) ** 0.5
    share = found.peak_lsb / RANGE_PEAK_LSB
    return f"about {error:.1%} at 1 % of the clamp's range, less above; beyond {share:.0%} the default table's errors"


LEAST_ERROR = 0.001
"""At 1 % of range, with steps of 1/8 LSB and the noise of a minute's recording."""

RANGE_PEAK_LSB = 4096 / 3.3 * 2**0.5
"""Peak of a sine of 1 V rms, a clamp's rated current."""


COMMAND = Command(
    help="derive a converter's linearity table from a recording", description=DESCRIPTION, configure=configure, run=run
)
