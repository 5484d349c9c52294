"""The command line: a table from word to command. A command is imported only when its word is used, so that help is quick."""

import argparse
import importlib
import importlib.metadata
import importlib.util
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

from fluksometer import __version__
from fluksometer.command import Command
from fluksometer.errors import Failure

if TYPE_CHECKING:
    from fluksometer.faults import FileFaults

COMMANDS = {
    "run": "fluksometer.run_command:COMMAND",
    "check": "fluksometer.check_command:COMMAND",
    "init": "fluksometer.init_command:COMMAND",
    "top": "fluksometer.top_command:COMMAND",
    "clamps": "fluksometer.clamps_command:COMMAND",
    "counters": "fluksometer.counters_command:COMMAND",
    "token": "fluksometer.token_command:COMMAND",
    "tmpo": "fluksometer.tmpo_command:COMMAND",
    "kubes": "fluksometer.kubes_command:COMMAND",
    "devices": "fluksometer.devices_command:COMMAND",
    "calibrate": "fluksometer.calibrate_command:COMMAND",
    "meter": "fluksometer.meter_command:COMMAND",
    "linearity": "fluksometer.linearity_command:COMMAND",
    "harmonics": "fluksometer.harmonics_command:COMMAND",
    "p1": "fluksometer.p1_command:COMMAND",
}
ENTRY_POINTS = "fluksometer.commands"  # other packages add words here (emulate)
# Our matrices are small: threads of NumPy's algebra library only wait for each other, for minutes on a busy machine.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
EXIT_CODES = (
    "exit codes: 0 done; 1 failed at run time, the reason is on standard error; 2 wrong input, nothing was done"
)


def words() -> dict[str, str]:
    """Every word that can be used here, with where its command is (``module:NAME``)."""
    places = dict(COMMANDS)
    for point in importlib.metadata.entry_points(group=ENTRY_POINTS):
        places.setdefault(point.name, point.value)
    return {word: place for word, place in places.items() if _is_there(place.partition(":")[0])}


def _is_there(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:  # not even its package
        return False


def load(place: str) -> Command:
    """The command at ``module:NAME``."""
    module, _, name = place.partition(":")
    return cast(Command, getattr(importlib.import_module(module), name))


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; answers the exit code."""
    try:
        code = _main(list(sys.argv[1:] if argv is None else argv))
        sys.stdout.flush()
    except KeyboardInterrupt:  # also while a command is still being loaded
        return 130
    except BrokenPipeError:  # whoever read the output has had enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return code


def _main(arguments: list[str]) -> int:
    word = arguments[0] if arguments else "--help"
    if word in ("-h", "--help", "help"):
        print(overview())
        return 0 if arguments else 2
    if word == "--version":
        print(version())
        return 0
    known = words()
    if word not in known:
        print(f"fluksometer: unknown command {word!r}; one of: {', '.join(known)}", file=sys.stderr)
        return 2
    return _run(word, load(known[word]), arguments[1:])


def _run(word: str, command: Command, arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog=f"fluksometer {word}",
        description=command.description,
        epilog=EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.configure(parser)
    try:
        return command.run(parser.parse_args(arguments))
    except _file_faults() as faults:  # asked only once something was raised, so that help needs no pydantic
        print("\n".join(faults.lines()), file=sys.stderr)
        return 2
    except Failure as failure:
        print(f"fluksometer: {failure}", file=sys.stderr)
        return 1


def _file_faults() -> type["FileFaults"]:
    from fluksometer.faults import FileFaults

    return FileFaults


def version() -> str:
    """Package and wire version."""
    from fluksometer.domain.wire import WIRE_VERSION

    return f"fluksometer {__version__} (wire {WIRE_VERSION})"


def overview() -> str:
    """What ``fluksometer --help`` prints."""
    lines = ["usage: fluksometer COMMAND [options]   (fluksometer COMMAND --help tells more)", "", "commands:"]
    for word, place in words().items():
        try:
            text = load(place).help
        except ImportError as error:
            text = f"can't be loaded: {error}"
        lines.append(f"  {word:<10} {text}")
    lines += ["  --version  version of the bridge and of the wire to the board", "", EXIT_CODES]
    return "\n".join(lines)
