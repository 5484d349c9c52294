"""``fluksometer devices``: which other bridges and Fluksometers may upload to this one."""

import sys
import time
from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fluksometer.command import Command
from fluksometer.errors import Failure

if TYPE_CHECKING:
    from fluksometer.adapters.device_file import DeviceFile
    from fluksometer.domain.device_server import Device

DESCRIPTION = """\
List, add and remove the devices that may upload to this bridge (its configuration needs a [server]). Without a word it lists.
A running bridge takes a change at once.

  add ID NAME    let this device upload. ID is its device id, 32 hex digits: `fluksometer devices id` on that bridge shows it. A new
                 key is made and printed, this once: it belongs into the file upload.key_file on that bridge. An original
                 Fluksometer has a key already: give it with --key-file (- reads it from standard input)
  rm NAME        it may upload no more; NAME is its name, or how its id begins. Its readings stay
  id             the id of this bridge, to be added where it uploads to

examples:
  fluksometer devices -c meter.toml add 0123456789abcdef0123456789abcde1 cottage
  fluksometer devices -c meter.toml rm cottage"""


def configure(parser: ArgumentParser) -> None:
    """Arguments of ``devices``."""
    parser.add_argument("-c", "--config", type=Path, required=True, metavar="FILE", help="configuration of the bridge")
    words = parser.add_subparsers(dest="word", metavar="WORD")
    words.add_parser("ls", help="all of them, and when they were heard (the default)")
    words.add_parser("id", help="the id of this bridge")
    add = words.add_parser("add", help="let a device upload")
    add.add_argument("id", metavar="ID", help="its device id")
    add.add_argument("name", metavar="NAME", help="what to call it, 1 to 32 characters")
    add.add_argument("--key-file", metavar="FILE", help="the key it has already; -: from standard input")
    add.add_argument(
        "--sensor",
        action="append",
        default=[],
        metavar="ID=TYPE",
        help="a sensor of it that does not tell its type itself: electricity, gas or water",
    )
    remove = words.add_parser("rm", help="let it upload no more")
    remove.add_argument("name", metavar="NAME", help="its name, or the beginning of its id")


def run(arguments: Namespace) -> int:
    """Show or change the list."""
    from fluksometer.adapters.device_file import DeviceFile
    from fluksometer.adapters.identity import Identity
    from fluksometer.config import read_config, state_dir

    config = read_config(arguments.config)
    folder = state_dir(config, arguments.config)
    if arguments.word == "id":
        print(Identity(folder).device_id)
        return 0
    file = DeviceFile(folder)
    if arguments.word == "add":
        return _add(file, arguments)
    if arguments.word == "rm":
        return _remove(file, arguments.name)
    return _show(file.devices(), _beats(folder))


def _add(file: "DeviceFile", arguments: Namespace) -> int:
    import secrets

    from fluksometer.adapters.device_file import is_name
    from fluksometer.domain.device_server import Device
    from fluksometer.domain.flukso_call import IDS

    devices = dict(file.devices())
    if not IDS.fullmatch(arguments.id):
        raise Failure(f"{arguments.id!r} is no device id: 32 lower-case hex digits")
    if not is_name(arguments.name):
        raise Failure(f"{arguments.name!r} is no name: 1 to 32 printable characters")
    if arguments.id in devices or any(one.name == arguments.name for one in devices.values()):
        raise Failure("this id or name is there already: remove it first")
    sensors = dict(one.partition("=")[::2] for one in arguments.sensor)
    if not all(IDS.fullmatch(one) and kind in ("electricity", "gas", "water") for one, kind in sensors.items()):
        raise Failure("--sensor: an id of 32 hex digits, =, and electricity, gas or water")
    key = _given_key(arguments.key_file) if arguments.key_file else secrets.token_hex(16)
    if not IDS.fullmatch(key):
        raise Failure("a key is 32 lower-case hex digits")
    if any(one.key == key for one in devices.values()):
        raise Failure("another device has this key: each needs its own")
    file.write(devices | {arguments.id: Device(arguments.name, key, sensors)})
    if not arguments.key_file:
        print(f"{arguments.name} may upload. Its key, for upload.key_file there (chmod 600):", file=sys.stderr)
        print(key)
    return 0


def _given_key(name: str) -> str:
    try:
        text = sys.stdin.readline() if name == "-" else Path(name).read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError) as error:
        raise Failure(f"{name}: can't be read: {error}") from error
    return text.strip()


def _remove(file: "DeviceFile", wanted: str) -> int:
    devices = dict(file.devices())
    found = [one for one, device in devices.items() if device.name == wanted] or [
        one for one in devices if one.startswith(wanted)
    ]
    if len(found) != 1:
        known = ", ".join(repr(device.name) for device in devices.values()) or "none yet"
        raise Failure(f"{len(found) or 'no'} devices are called {wanted!r}; there are: {known}")
    print(f"{devices.pop(found[0]).name} ({found[0]}) may upload no more")
    file.write(devices)
    return 0


def _beats(folder: Path) -> dict[str, Any]:
    from fluksometer.keeper import LEDGER_FILE
    from fluksometer.storage.ledger import read_states

    path = folder / LEDGER_FILE
    states = read_states(path) if path.exists() else {}
    return {name.removeprefix("server "): state for name, state in states.items() if name.startswith("server ")}


def _show(devices: "dict[str, Device]", states: dict[str, Any]) -> int:
    width = max((len(one.name) for one in devices.values()), default=0)
    now_s = time.time()
    for one, device in devices.items():
        state = states.get(one, {"beat": None, "sensors": {}})
        last_s = max([sensor["last_s"] for sensor in state["sensors"].values()] + [(state["beat"] or [0])[0]])
        heard = f"heard {max(0, now_s - last_s):.0f} s ago" if last_s else "not heard yet"
        print(f"{device.name:{width}}  {one}  {len(state['sensors'])} sensors  {heard}")
    return 0


COMMAND = Command(help="which devices may upload to this bridge", description=DESCRIPTION, configure=configure, run=run)
