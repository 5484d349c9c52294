"""``fluksometer tmpo``: looks into the history, takes one in."""

import sys
from argparse import SUPPRESS, ArgumentParser, Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from fluksometer.command import Command

if TYPE_CHECKING:
    from fluksometer.storage.tmpo import Store

DESCRIPTION = """\
Look into the history that the bridge keeps in TMPO blocks, also while it runs (what is younger than about four minutes is in no
block yet), or take in that of another Fluksometer.

  ls       the blocks, oldest first
  cat      the text of one block
  check    read every block; exit code 1 if one is damaged or in a wrong place
  export   the values, as CSV or JSON lines
  import   take in the blocks of a directory, as /usr/share/tmpo of a Fluksometer. Stop the bridge before. What is known
           already is left as it is, so it can be done again

A sensor is named by its id, how its id begins, or its function. Times are seconds since 1970 or ISO 8601 (UTC unless they say
otherwise).

examples:
  fluksometer tmpo ls -c meter.toml
  fluksometer tmpo export -c meter.toml "clamp 1" --from 2026-11-01 --format csv > november.csv
  fluksometer tmpo cat /usr/share/tmpo/sensor/0123456789abcdef0123456789abcdef/0/20/1421869056
  fluksometer tmpo import -c meter.toml /media/usb/tmpo"""


def configure(parser: ArgumentParser) -> None:
    """Arguments of ``tmpo``."""
    common = ArgumentParser(add_help=False)
    for one, default in ((parser, None), (common, SUPPRESS)):  # before the word or behind it
        place = one.add_mutually_exclusive_group()
        place.add_argument(
            "-c", "--config", type=Path, default=default, metavar="FILE", help="configuration of the bridge"
        )
        place.add_argument("--store", type=Path, default=default, metavar="DIR", help="or a directory of blocks itself")
    words = parser.add_subparsers(dest="word", metavar="WORD", required=True)
    ls = words.add_parser("ls", parents=[common], help="the blocks")
    ls.add_argument("sensor", nargs="*", metavar="SENSOR", help="only of these")
    cat = words.add_parser("cat", parents=[common], help="the text of a block")
    cat.add_argument("block", metavar="BLOCK", help="a file, or SENSOR/RID/LEVEL/FIRST_SECOND as ls shows it")
    words.add_parser("check", parents=[common], help="read every block")
    export = words.add_parser("export", parents=[common], help="the values")
    export.add_argument("sensor", nargs="*", metavar="SENSOR", help="only of these")
    export.add_argument("--from", dest="begin", metavar="TIME", help="not before")
    export.add_argument("--to", dest="end", metavar="TIME", help="not after")
    export.add_argument("--format", choices=("csv", "jsonl"), default="csv", help="default: %(default)s")
    words.add_parser("import", parents=[common], help="take blocks in").add_argument(
        "directory", type=Path, metavar="DIR", help="that holds sensor/<id>/<rid>/<level>/<first second>"
    )


def run(arguments: Namespace) -> int:
    """Do what the word says."""
    from fluksometer import tmpo_words

    if arguments.word == "cat" and Path(arguments.block).is_file():
        return tmpo_words.cat_file(Path(arguments.block))
    root = _root(arguments)
    match arguments.word:
        case "ls":
            return tmpo_words.show_blocks(_store(root), arguments.sensor)
        case "cat":
            return tmpo_words.cat_block(_store(root), arguments.block)
        case "check":
            return tmpo_words.check(_store(root), sys.stderr)
        case "export":
            begin_s, end_s = tmpo_words.second(arguments.begin, 0), tmpo_words.second(arguments.end, 1 << 40)
            return tmpo_words.export(_store(root), arguments.sensor, begin_s, end_s, arguments.format)
    return tmpo_words.take_blocks(root, arguments.directory)


def _root(arguments: Namespace) -> Path:
    from fluksometer.config import history_dir, read_config
    from fluksometer.errors import Failure

    if arguments.store is not None:
        return Path(arguments.store)
    if arguments.config is None:
        raise Failure("which history? Name the bridge's configuration (-c FILE) or a directory of blocks (--store DIR)")
    return history_dir(read_config(arguments.config), arguments.config)


def _store(root: Path) -> "Store":
    from fluksometer.errors import Failure
    from fluksometer.storage.tmpo import Store

    if not root.is_dir():
        raise Failure(f"{root}: there is no history yet; the bridge makes it when it starts")
    store = Store(root)
    store.look()
    return store


COMMAND = Command(
    help="the history: list, check, export, import its blocks", description=DESCRIPTION, configure=configure, run=run
)
