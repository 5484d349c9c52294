"""``fluksometer meter``: the board's own arithmetic over recorded samples."""

import json
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fluksometer import recording
from fluksometer.command import Command

if TYPE_CHECKING:
    from fluksometer.domain.power import Electrical, PairScale
    from fluksometer.metering import Closed, Core, Pair, Window

DESCRIPTION = """\
Run the native core over recorded 12-bit samples and print one JSON object per window and input: the very arithmetic of the board,
on this machine. A window has whole cycles of the mains and is about a second long; what the file does not fill is not printed.

FILE.npy holds uint16 codes of 0 to 4095, N x channels (1 to 3); column k is port k+1. Columns of one row are of one moment; with
--in-turn they were converted one after the other, as the board does.

Power: with --voltage-channel real power, reactive power (positive where the current is late) and their signs are measured. With
--voltage there is only apparent power, and nobody can tell a direction. What is not known is null.

  flags   clipped, gap, no_signal, bias_moved (the mean moved by more than 3 LSB), no_mains (the window is no whole cycles)

examples:
  fluksometer meter samples.npy --rate 20000 --clamp 50 --voltage 230
  fluksometer meter samples.npy --rate 20000 --clamp 50 --voltage-channel 1 --adapter 400 --linearity table.json"""
_CHUNK_ROWS = 1 << 16


def configure(parser: ArgumentParser) -> None:
    """Arguments of ``meter``."""
    parser.add_argument("file", type=Path, metavar="FILE.npy", help="the recording")
    parser.add_argument("--rate", type=_rate, required=True, metavar="HZ", help="samples a second of each channel")
    recording.add_clamp(parser)
    parser.add_argument("--voltage", type=_volts, metavar="V", help="mains voltage to assume for apparent power")
    parser.add_argument(
        "--voltage-channel", type=recording.channel, metavar="K", help="column of the voltage, from 1 on"
    )
    parser.add_argument(
        "--adapter",
        type=_adapter,
        metavar="V",
        help="so many V rms give 1 V rms at the voltage's pin (default: that of --voltage, or 230)",
    )
    parser.add_argument(
        "--phase", type=_degrees, default=0.0, metavar="DEG", help="lead of the clamps over the voltage (default: 0)"
    )
    parser.add_argument("--in-turn", action="store_true", help="the columns were converted in turn, evenly spread")
    parser.add_argument("--linearity", type=Path, metavar="TABLE.json", help="the converter's table (default: none)")
    parser.add_argument(
        "--noise", type=_lsb, default=0.0, metavar="LSB", help="rms of the converter's noise, taken off (default: 0)"
    )


def run(arguments: Namespace) -> int:
    """Print the windows of the file."""
    for record in records(arguments):
        print(json.dumps(record))
    return 0


def records(arguments: Namespace) -> Iterator[dict[str, Any]]:
    """One record per window and input. Raises FileFaults when the file can't be used, before the first record if it can tell."""
    import numpy as np

    from fluksometer.faults import FileFaults

    source = str(arguments.file)
    codes = recording.columns(arguments.file, most=3)
    if (arguments.voltage_channel or 1) > codes.shape[1]:
        raise FileFaults(source, [f"has {codes.shape[1]} channels, there is no channel {arguments.voltage_channel}"])
    core, ended, windows = _core(arguments, codes.shape[1]), 0, 0
    for at in range(0, len(codes), _CHUNK_ROWS):
        try:
            closed = core.fold(np.ascontiguousarray(codes[at : at + _CHUNK_ROWS]))
        except ValueError as error:
            raise FileFaults(source, [f"rows {at} to {min(at + _CHUNK_ROWS, len(codes)) - 1}: {error}"]) from error
        for window in closed:
            ended += window.channels[0].samples
            windows += 1
            yield from _records(window, ended / arguments.rate, arguments)
    if not windows:
        raise FileFaults(source, [f"{len(codes)} samples are less than one window (about {arguments.rate})"])


def _core(arguments: Namespace, channels: int) -> "Core":
    from fluksometer.domain.linearity import lookup, read_table
    from fluksometer.metering import Core

    table = None if arguments.linearity is None else lookup(read_table(arguments.linearity))
    core = Core(channels, arguments.rate, table)
    if arguments.voltage_channel:
        voltage = arguments.voltage_channel - 1
        core.watch(voltage)
        for channel in range(channels):
            if channel != voltage:
                core.multiply(min(voltage, channel), max(voltage, channel))
    return core


def _records(closed: "Closed", t_s: float, arguments: Namespace) -> Iterator[dict[str, Any]]:
    from fluksometer.domain.power import floor_subtracted, signed_rms
    from fluksometer.domain.units import LSB_V

    voltage = (arguments.voltage_channel or 0) - 1
    adapter_v = arguments.adapter or arguments.voltage or 230.0
    measured_v = None
    if voltage >= 0:
        square = floor_subtracted(_mean_square(closed.channels[voltage]), arguments.noise**2)
        measured_v = max(0.0, signed_rms(square)) * float(LSB_V) * adapter_v
    for channel, window in enumerate(closed.channels):
        record = _record(t_s, channel + 1, window, arguments, measured_v)
        if channel == voltage:
            record |= {"current_a": None, "apparent_va": None, "peak_a": None}
        elif measured_v is not None:
            pair = closed.pairs[(min(voltage, channel), max(voltage, channel))]
            record |= _power(_electrical(closed, channel, pair, arguments), record["current_a"] * measured_v)
        yield record


def _mean_square(window: "Window") -> float:
    from fluksometer.domain.units import mean_square_lsb2

    return float(mean_square_lsb2(samples=window.samples, sum_sq=window.sum_sq, sum_steps=window.sum))


def _record(t_s: float, port: int, window: "Window", arguments: Namespace, measured_v: float | None) -> dict[str, Any]:
    from fluksometer.domain.power import floor_subtracted, signed_rms
    from fluksometer.domain.units import LSB_V, STEPS
    from fluksometer.domain.wire import flag_names

    a_per_lsb = float(LSB_V) * arguments.clamp
    square = floor_subtracted(_mean_square(window), arguments.noise**2)
    current_a = max(0.0, signed_rms(square)) * a_per_lsb
    offset_lsb = window.sum / window.samples / STEPS
    peak_lsb = max(window.high / STEPS - offset_lsb, offset_lsb - window.low / STEPS)
    assumed_v = arguments.voltage if measured_v is None else None
    return {
        "t_s": t_s,
        "port": port,
        "current_a": current_a,
        "voltage_v": measured_v,
        "assumed_voltage_v": assumed_v,
        "real_w": None,
        "apparent_va": None if assumed_v is None else current_a * assumed_v,
        "reactive_var": None,
        "power_factor": None,
        "frequency_hz": window.frequency_mhz / 1000 or None,
        "offset_lsb": offset_lsb,
        "peak_a": peak_lsb * a_per_lsb,
        "samples": window.samples,
        "cycles": window.cycles or None,
        "gaps": 0,
        "flags": flag_names(window.flags),
    }


def _power(found: "Electrical | None", apparent_va: float) -> dict[str, Any]:
    if found is None:
        return {"apparent_va": apparent_va}
    return {
        "real_w": found.active_w,
        "apparent_va": apparent_va,
        "reactive_var": found.reactive_var,
        "power_factor": found.power_factor,
    }


def _electrical(closed: "Closed", channel: int, pair: "Pair", arguments: Namespace) -> "Electrical | None":
    from fluksometer.domain.power import PairMoments, electrical
    from fluksometer.domain.units import PRODUCT_PER_LSB2

    window = closed.channels[channel]
    if not 0 < 2 * window.frequency_mhz < 1000 * arguments.rate:
        return None
    voltage = arguments.voltage_channel - 1
    a, b = min(voltage, channel), max(voltage, channel)
    moments = PairMoments(
        variance_a=_mean_square(closed.channels[a]),
        variance_b=_mean_square(closed.channels[b]),
        product=pair.product / PRODUCT_PER_LSB2,
        lagged=pair.lagged / PRODUCT_PER_LSB2,
        frequency_hz=window.frequency_mhz / 1000,
        rate_hz=arguments.rate,
    )
    return electrical(moments, _scale(a, b, len(closed.channels), arguments))


def _scale(a: int, b: int, channels: int, arguments: Namespace) -> "PairScale":
    from fluksometer.domain.power import PairScale
    from fluksometer.domain.units import LSB_V

    voltage = arguments.voltage_channel - 1
    adapter_v = arguments.adapter or arguments.voltage or 230.0
    per_lsb = [float(LSB_V) * (adapter_v if channel == voltage else arguments.clamp) for channel in (a, b)]
    leads_deg = [0.0 if channel == voltage else arguments.phase for channel in (a, b)]
    return PairScale(
        voltage_is_a=a == voltage,
        channel_a=a if arguments.in_turn else 0,
        channel_b=b if arguments.in_turn else 0,
        channels=channels,
        a_per_lsb=per_lsb[0],
        b_per_lsb=per_lsb[1],
        lead_a_deg=leads_deg[0],
        lead_b_deg=leads_deg[1],
        floor_a=arguments.noise**2,
        floor_b=arguments.noise**2,
    )


def _rate(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 500_000:
        raise ArgumentTypeError(f"{text!r} is not a rate: 1 to 500000 samples a second")
    return int(text)


def _between(text: str, low: float, high: float, what: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not low <= value <= high:
        raise ArgumentTypeError(f"{text!r} is not {what}: {low:g} to {high:g}")
    return value


def _volts(text: str) -> float:
    return _between(text, 0.001, 1000, "a voltage")


def _adapter(text: str) -> float:
    return _between(text, 1, 10_000, "an adapter")


def _degrees(text: str) -> float:
    return _between(text, -90, 90, "a lead in degrees")


def _lsb(text: str) -> float:
    return _between(text, 0, 50, "a noise in LSB rms")


COMMAND = Command(
    help="run the board's arithmetic over recorded samples",
    description=DESCRIPTION,
    configure=configure,
    run=run,
)
