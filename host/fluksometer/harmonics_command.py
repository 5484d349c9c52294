"""``fluksometer harmonics``: what a recorded current is made of."""

import json
from argparse import ArgumentParser, Namespace
from math import degrees
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fluksometer import recording
from fluksometer.command import Command

if TYPE_CHECKING:
    from fluksometer.domain.harmonics import Harmonics

LONGEST_S = 0.25

DESCRIPTION = """\
Print the harmonics of a recorded current as one JSON object. FILE.npy holds 12-bit codes (uint16), one row for each moment, one
column for each input; its first quarter of a second counts, in whole cycles, at least two. Best are ten (0.2 s at 50 Hz).

  frequency_hz    of the mains, 45 to 65, as found in the recording
  cycles          whole cycles used
  current_a       rms of the whole wave without dc, with the converter's noise
  offset_lsb      dc, beside code 2048
  crest_factor    peak over rms
  thd_percent     rms of orders 2 to 15 together, of the fundamental's (THD-F)
  noise_lsb       rms of what is no order up to the 40th
  orders          of each order 1 to 15: current_a rms, percent of the fundamental, and phase_deg: its angle where the fundamental
                  crosses zero rising; null for orders above half the rate, and for the phase of one lost in noise
  flags           "clipped": the wave touched the converter's ends, and the harmonics are those of the cut wave

With the table of your board (fluksometer linearity) orders of 0.1 % are real from a fifth of the clamp's range on.

example:
  fluksometer harmonics kettle.npy --rate 20000 --clamp 50 --linearity table.json --channel 1"""


def configure(parser: ArgumentParser) -> None:
    """Arguments of ``harmonics``."""
    parser.add_argument("file", type=Path, metavar="FILE.npy", help="the recording")
    parser.add_argument(
        "--rate", type=recording.rate_hz, required=True, metavar="HZ", help="samples a second of each input"
    )
    recording.add_clamp(parser)
    parser.add_argument("--linearity", type=Path, metavar="TABLE.json", help="the converter's table (default: none)")
    recording.add_channel(parser)


def run(arguments: Namespace) -> int:
    """Print the harmonics of the file."""
    import numpy as np

    from fluksometer.domain.harmonics import harmonics
    from fluksometer.domain.linearity import lsb_of, read_table
    from fluksometer.domain.linearity_fit import at_ends
    from fluksometer.faults import FileFaults

    table = None if arguments.linearity is None else read_table(arguments.linearity)
    samples = recording.column(arguments.file, arguments.channel)
    codes = np.array(samples[: int(LONGEST_S * arguments.rate)])
    try:
        found = harmonics(lsb_of(codes, table), arguments.rate)
    except ValueError as error:
        raise FileFaults(str(arguments.file), [str(error)]) from error
    flags = ["clipped"] if at_ends(codes).any() else []
    print(json.dumps(record(found, arguments.clamp) | {"flags": flags}))
    return 0


def record(found: "Harmonics", clamp_a: float) -> dict[str, Any]:
    """The harmonics of a clamp as the command prints them (its help tells the keys)."""
    from fluksometer.domain.linearity import MIDDLE
    from fluksometer.domain.units import LSB_V

    a_per_lsb = float(LSB_V) * clamp_a
    fundamental_lsb = found.order_rms_lsb[0] or 0.0
    orders = [
        {
            "order": order,
            "current_a": None if rms_lsb is None else rms_lsb * a_per_lsb,
            "percent": None if rms_lsb is None else rms_lsb / fundamental_lsb * 100,
            "phase_deg": None if phase_rad is None else degrees(phase_rad),
        }
        for order, (rms_lsb, phase_rad) in enumerate(zip(found.order_rms_lsb, found.order_phase_rad, strict=True), 1)
    ]
    return {
        "frequency_hz": found.frequency_hz,
        "cycles": found.cycles,
        "current_a": found.rms_lsb * a_per_lsb,
        "offset_lsb": found.dc_lsb - MIDDLE,
        "crest_factor": found.crest_factor,
        "thd_percent": found.thd * 100,
        "noise_lsb": found.noise_lsb,
        "orders": orders,
    }


COMMAND = Command(
    help="tell the harmonics of a recorded current", description=DESCRIPTION, configure=configure, run=run
)
