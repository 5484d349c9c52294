"""``fluksometer calibrate``: shows and changes what is known of each board's clamps."""

from argparse import ArgumentParser, ArgumentTypeError, Namespace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from fluksometer.command import Command

if TYPE_CHECKING:
    from fluksometer.domain.calibration import Book, Known

DESCRIPTION = """\
Show what is known of your board's clamps, or change it. A running bridge reads the change within a minute, and the board gets it.

  gain    real / shown: with a kettle of 8.70 A on the clamp and 8.62 A shown it is 8.70 / 8.62 = 1.0093
  phase   lead of the clamp's output over its current in degrees: with a purely resistive load the power factor then reads 1
  floor   variance of the converter's noise in LSB^2; the bridge learns it by itself in quiet minutes
  default forgets a number

examples:
  fluksometer calibrate -c fluksometer.toml
  fluksometer calibrate -c fluksometer.toml --port 1 --gain 1.0093 --how "kettle against a clamp meter"
  fluksometer calibrate -c fluksometer.toml --port 1 --gain default"""
_NAMES = {"gain": "gain", "phase": "phase_deg", "floor": "floor_lsb2"}


def configure(parser: ArgumentParser) -> None:
    """Arguments of ``calibrate``."""
    parser.add_argument("-c", "--config", type=Path, required=True, metavar="FILE", help="the configuration")
    parser.add_argument("--board", metavar="UID", help="16 hex digits, as in the log; needed when several are known")
    parser.add_argument("--port", type=int, choices=(1, 2, 3), help="the clamp's port")
    parser.add_argument("--gain", metavar="X", help="0.5 to 2, or default")
    parser.add_argument("--phase", metavar="DEG", help="-30 to 30, or default")
    parser.add_argument("--floor", metavar="LSB2", help="0 to 30, or default")
    parser.add_argument("--residual", type=_residual, metavar="X", help="how far the measurement disagreed with itself")
    parser.add_argument("--how", default="by hand", metavar="TEXT", help="how it was found (default: %(default)s)")


def run(arguments: Namespace) -> int:
    """Show, or change and show."""
    from fluksometer.adapters.calibration_file import CalibrationFile
    from fluksometer.config import read_config, state_dir
    from fluksometer.faults import FileFaults

    file = CalibrationFile(state_dir(read_config(arguments.config), arguments.config))
    book = file.read()
    given = {name: getattr(arguments, name) for name in _NAMES if getattr(arguments, name) is not None}
    if arguments.residual is not None and not given:
        raise FileFaults("arguments", ["--residual: of which number? --gain, --phase or --floor"])
    if given:
        if arguments.port is None:
            raise FileFaults("arguments", ["--port: which clamp? 1, 2 or 3"])
        known = {_NAMES[name]: _known(name, text, arguments) for name, text in given.items()}
        book = book.with_port(_uid(book, arguments.board), arguments.port, **known)
        file.write(book)
    _show(book, file.path)
    return 0


def _residual(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not 0 <= value < float("inf"):
        raise ArgumentTypeError(f"{text!r} is not a residual: a number of 0 or above")
    return value


def _known(name: str, text: str, arguments: Namespace) -> "Known | None":
    from pydantic import ValidationError

    from fluksometer.domain.calibration import Floor, Gain, Phase
    from fluksometer.faults import FileFaults

    if text == "default":
        return None
    kind = {"gain": Gain, "phase": Phase, "floor": Floor}[name]
    date = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    try:
        return kind(value=float(text), date=date, how=arguments.how, residual=arguments.residual)
    except (ValueError, ValidationError) as error:
        raise FileFaults("arguments", [f"--{name}: {text!r} is not allowed: see --help"]) from error


def _uid(book: "Book", given: str | None) -> str:
    from fluksometer.faults import FileFaults

    if given:
        if len(given) != 16 or any(digit not in "0123456789abcdef" for digit in given):
            raise FileFaults("arguments", [f"--board: {given!r} is not allowed: 16 lower-case hex digits"])
        return given
    if len(book.boards) == 1:
        return next(iter(book.boards))
    known = ", ".join(book.boards) or "none yet: run the bridge once, its log shows the uid"
    raise FileFaults("arguments", [f"--board: which one? known: {known}"])


def _show(book: "Book", path: Path) -> None:
    from rich.console import Console
    from rich.table import Column, Table

    whole = Column("board", min_width=16)  # what --board wants, also where a terminal or pipe is narrow
    table = Table(whole, "port", "what", "value", "residual", "date", "how", title=str(path))
    for uid, ports in sorted(book.boards.items()):
        for port, known in sorted(ports.items()):
            for name, one in known:
                if one is not None:
                    residual = "" if one.residual is None else f"{one.residual:g}"
                    table.add_row(uid, port, name, f"{one.value:g}", residual, one.date, one.how)
    if table.row_count:
        Console(highlight=False).print(table)
    else:
        print(f"{path}: nothing is known yet: typical numbers are used, and noise floors are learned in quiet minutes")


COMMAND = Command(
    help="show or change gain, phase and noise floor of your clamps",
    description=DESCRIPTION,
    configure=configure,
    run=run,
)
