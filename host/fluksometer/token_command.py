"""``fluksometer token``: who may read the history by HTTP."""

import time
from argparse import ArgumentParser, Namespace
from pathlib import Path

from fluksometer.command import Command
from fluksometer.errors import Failure

DESCRIPTION = """\
Make, list and remove the tokens that open the history by HTTP ([web]). A token is shown once, when it is made; only its hash is
kept, in tokens.json of the state directory. A running bridge knows of changes at once.

  new               a token for all sensors; with --sensor for one: a function, or an id of 32 hex digits
  ls                all tokens, by the number that rm wants
  rm NUMBER         this token opens nothing any more

examples:
  fluksometer token -c meter.toml new --name "dashboard"
  fluksometer token -c meter.toml new --sensor "solar"
  fluksometer token -c meter.toml rm 1f3a90c2"""


def configure(parser: ArgumentParser) -> None:
    """Arguments of ``token``."""
    parser.add_argument("-c", "--config", type=Path, required=True, metavar="FILE", help="configuration of the bridge")
    words = parser.add_subparsers(dest="word", metavar="WORD", required=True)
    new = words.add_parser("new", help="make one, and show it once")
    new.add_argument("--sensor", metavar="SENSOR", help="only this sensor: its function or id; default: all")
    new.add_argument("--name", default="", help="what it is for, for people")
    words.add_parser("ls", help="list them")
    words.add_parser("rm", help="remove one").add_argument("number", metavar="NUMBER", help="as ls shows it")


def run(arguments: Namespace) -> int:
    """Do what the word says."""
    from fluksometer.adapters.identity import Identity
    from fluksometer.adapters.token_file import TokenFile
    from fluksometer.config import read_config, state_dir
    from fluksometer.domain.api_tokens import new_token

    config = read_config(arguments.config)
    folder = state_dir(config, arguments.config)
    file, identity = TokenFile(folder), Identity(folder)
    functions = {one.sensor_id: one.function for one in config.sensors(identity.sensor_id)}
    tokens = list(file.read())
    if arguments.word == "new":
        sensor_id = _sensor_id(arguments.sensor, functions) if arguments.sensor else None
        token, kept = new_token(sensor_id, arguments.name, int(time.time()))
        file.write([*tokens, kept])
        print(token)
    elif arguments.word == "rm":
        left = [kept for kept in tokens if kept.number != arguments.number]
        if len(left) == len(tokens):
            raise Failure(f"there is no token {arguments.number!r}: fluksometer token ls shows them")
        file.write(left)
    else:
        for kept in tokens:
            made = time.strftime("%Y-%m-%d", time.gmtime(kept.made_s))
            whose = "all sensors" if kept.sensor_id is None else functions.get(kept.sensor_id, kept.sensor_id)
            print(f"{kept.number}  {made}  {whose:16}  {kept.name}".rstrip())
    return 0


def _sensor_id(wanted: str, functions: dict[str, str]) -> str:
    import re

    from fluksometer.domain.api_tokens import SENSOR_ID

    if re.fullmatch(SENSOR_ID, wanted):
        return wanted
    for sensor_id, function in functions.items():
        if function == wanted:
            return sensor_id
    known = ", ".join(map(repr, functions.values()))
    raise Failure(
        f"no sensor is called {wanted!r}; there are {known}; of others give the id, as on /device/+/config/sensor"
    )


COMMAND = Command(help="tokens that open the history by HTTP", description=DESCRIPTION, configure=configure, run=run)
