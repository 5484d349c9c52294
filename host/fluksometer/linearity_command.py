"""``fluksometer linearity``: what a converter's codes really mean, from a recording of a mains current."""

import sys
from argparse import ArgumentParser, Namespace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from fluksometer import recording
from fluksometer.command import Command
from fluksometer.errors import Failure

if TYPE_CHECKING:
    from fluksometer.domain.linearity_fit import Fit

DESCRIPTION = """\
Derive the linearity table of a board's converter from a recorded mains current: no equipment, only a clamp around the wire of a
kettle or heater, for a minute or two. FILE.npy holds 12-bit codes (uint16), one row for each moment, one column for each clamp.

The larger the current, the more codes it visits; the others keep the chip's default table. A plain resistive load is best: the
harmonics of others can hide smooth bends of the converter. docs/calibration.md tells how, and what it gains.
Keep the table: this version makes and judges it; the meter and the board do not use it yet.

example:
  fluksometer linearity kettle.npy -o table.json --channel 1"""


def configure(parser: ArgumentParser) -> None:
    """Arguments of ``linearity``."""
    parser.add_argument("file", type=Path, metavar="FILE.npy", help="the recording")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="TABLE.json", help="where the table goes")
    parser.add_argument(
        "--rate",
        type=recording.rate_hz,
        default=20_000.0,
        metavar="HZ",
        help="samples a second of each clamp (default: 20000)",
    )
    parser.add_argument(
        "--channel",
        type=recording.channel,
        default=1,
        metavar="K",
        help="column of the clamp, from 1 on (default: %(default)s)",
    )
    parser.add_argument(
        "--chip",
        choices=("rp2040", "rp2350"),
        default="rp2040",
        help="whose default table fills up (default: %(default)s)",
    )
    parser.add_argument("--force", action="store_true", help="write the table even if the recording contradicts itself")


def run(arguments: Namespace) -> int:
    """Derive, tell, write."""
    import numpy as np

    from fluksometer.domain.linearity import default_table, render
    from fluksometer.domain.linearity_fit import UnfitRecording, fit
    from fluksometer.faults import FileFaults

    codes = np.ascontiguousarray(recording.column(arguments.file, arguments.channel))
    date = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    try:
        found = fit(codes, arguments.rate, default_table(arguments.chip), date=date)
    except UnfitRecording as error:
        raise FileFaults(str(arguments.file), [str(error)]) from error
    _report(found)
    if not found.trusted and not arguments.force:
        print(
            f"fluksometer linearity: no table written: {doubt(found)} (--force writes it all the same)", file=sys.stderr
        )
        return 1
    try:
        arguments.output.write_text(render(found.table), encoding="utf-8")
    except OSError as error:
        raise Failure(f"{arguments.output}: can't be written: {error.strerror}") from error
    print(f"{arguments.output}: written")
    return 0


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
    from fluksometer.domain.linearity_fit import RESIDUAL_LIMIT_LSB

    if found.table.residual_lsb > RESIDUAL_LIMIT_LSB:
        return (
            f"the halves of the recording disagree by {found.table.residual_lsb:.2f} LSB, more than {RESIDUAL_LIMIT_LSB}: "
            "record longer, a steadier load, or a larger current"
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
