"""``fluksometer counters``: the totals that the bridge keeps, and how one of them begins anew."""

from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fluksometer.command import Command
from fluksometer.errors import Failure

if TYPE_CHECKING:
    from fluksometer.domain.totals import Total

DESCRIPTION = """\
List the totals that the bridge keeps in its ledger, also while it runs. Without a word it lists.

  reset SENSOR      the total of this sensor begins at 0, in a new series: what it counted before stays what it was, and no reader
                    takes the fall for a fault. Stop the bridge before. SENSOR is a function, or how an id begins

examples:
  fluksometer counters -c meter.toml
  sudo systemctl stop fluksometer && fluksometer counters -c meter.toml reset "gas"; sudo systemctl start fluksometer"""


def configure(parser: ArgumentParser) -> None:
    """Arguments of ``counters``."""
    parser.add_argument("-c", "--config", type=Path, required=True, metavar="FILE", help="configuration of the bridge")
    words = parser.add_subparsers(dest="word", metavar="WORD")
    words.add_parser("list", help="all totals (the default)")
    reset = words.add_parser("reset", help="a total begins at 0 again")
    reset.add_argument("sensor", metavar="SENSOR", help="its function, or the beginning of its id")


def run(arguments: Namespace) -> int:
    """Show the totals, or reset one."""
    from fluksometer.adapters.identity import Identity
    from fluksometer.config import read_config, state_dir
    from fluksometer.domain.totals import reset, totals_of
    from fluksometer.keeper import LEDGER_FILE
    from fluksometer.storage.ledger import Ledger, read_states

    config = read_config(arguments.config)
    folder = state_dir(config, arguments.config)
    path = folder / LEDGER_FILE
    functions = {one.sensor_id: one.function for one in config.sensors(Identity(folder).sensor_id)}
    if not path.exists():
        raise Failure(f"{path}: there is no ledger yet; the bridge makes it when it starts")
    if arguments.word != "reset":
        _show(totals_of(read_states(path), functions))
        return 0
    ledger = Ledger.open(path, limit_bytes=config.device.ledger_mb << 20)
    try:
        total = _chosen(totals_of(ledger.states, functions), arguments.sensor)
        anew: dict[str, Any] = {total.name: reset(ledger.states[total.name])}
        ledger.commit(states=anew)
    finally:
        ledger.close()
    print(f"{total.function}: {total.text} stay in series {total.series}; series {total.series + 1} begins at 0")
    return 0


def _chosen(totals: "list[Total]", wanted: str) -> "Total":
    found = [one for one in totals if one.function == wanted] or [
        one for one in totals if one.sensor_id.startswith(wanted)
    ]
    if len(found) == 1:
        return found[0]
    known = ", ".join(repr(one.function) for one in totals) or "none yet"
    raise Failure(f"{len(found) or 'no'} totals are called {wanted!r}; there are: {known}")


def _show(totals: "list[Total]") -> None:
    width = max((len(one.function) for one in totals), default=0)
    for one in totals:
        print(f"{one.function:{width}}  {one.text:>16}  series {one.series}  {one.sensor_id}")


COMMAND = Command(
    help="the totals the bridge keeps; begin one anew", description=DESCRIPTION, configure=configure, run=run
)
