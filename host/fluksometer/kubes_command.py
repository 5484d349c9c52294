"""``fluksometer kubes``: the radio nodes of a house, through the bridge that hears them."""

import json
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from fluksometer.command import Command
from fluksometer.errors import Failure
from fluksometer.top_command import add_broker, broker_of

if TYPE_CHECKING:
    from fluksometer.adapters.mqtt_watch import MqttWatch

DESCRIPTION = """\
List, pair, name or remove the FluksoKubes of a bridge with a radio, through its MQTT broker. Without a word it lists.

  pair              listen for a new kube, for 20 s: put its battery in meanwhile. A kube that was paired before keeps its node,
                    its name and its sensors
  name NODE NAME    call it so; up to 32 characters
  remove NODE       forget it: paired again it is a new one

examples:
  fluksometer kubes
  fluksometer kubes --host 192.168.1.20 pair
  fluksometer kubes name 5 attic"""

_FIND_S, _ANSWER_S = 2.0, 5.0
_MORE_S = 0.3  # further bridges of the same broker tell of themselves within this
Next = Callable[[float], tuple[str, Any] | None]
"""Waits so many seconds for a message: its topic and what its JSON says; None: there was none."""


def configure(parser: ArgumentParser) -> None:
    """Arguments of ``kubes``."""
    add_broker(parser)
    parser.add_argument(
        "--device", default="", metavar="ID", help="the bridge's id, or how it begins, if there are more"
    )
    words = parser.add_subparsers(dest="word", metavar="WORD")
    words.add_parser("list", help="what is there, and how it fares (the default)")
    pair = words.add_parser("pair", help="listen for a new kube")
    pair.add_argument("--seconds", type=int, default=20, help="so long, 1 to 60 (default: %(default)s)")
    for word, what in (("name", "give a kube another name"), ("remove", "forget a kube")):
        one = words.add_parser(word, help=what)
        one.add_argument("node", type=int, metavar="NODE")
        if word == "name":
            one.add_argument("name", metavar="NAME")


def run(arguments: Namespace) -> int:
    """Ask the bridge, show its answer."""
    import queue

    from fluksometer.adapters.mqtt_watch import MqttWatch

    heard: queue.Queue[tuple[str, bytes]] = queue.Queue()
    watch = MqttWatch(
        **broker_of(arguments),
        take=lambda topic, payload, _retained: heard.put((topic, payload)),
        topics=("/device/+/config/kube", "/device/+/kube", "/device/+/pair"),
    )

    def wait(timeout_s: float) -> tuple[str, Any] | None:
        try:
            topic, payload = heard.get(timeout=timeout_s)
            return topic, json.loads(payload)
        except queue.Empty:
            return None
        except (ValueError, RecursionError):
            return "", None

    watch.start()
    try:
        device = f"/device/{_device(wait, watch, arguments.device)}"
        if arguments.word == "pair":
            watch.publish(f"{device}/request/pair", str(arguments.seconds))
            return _pair(wait, f"{device}/pair", arguments.seconds)
        watch.publish(f"{device}/request/kube", _request(arguments))
        return _show(_answer(wait, f"{device}/kube", _ANSWER_S))
    except KeyboardInterrupt:
        return 130
    finally:
        watch.stop()


def _request(arguments: Namespace) -> str:
    if arguments.word == "name":
        return json.dumps({"node": arguments.node, "name": arguments.name})
    return json.dumps({"node": arguments.node, "remove": True}) if arguments.word == "remove" else ""


def _messages(wait: Next, seconds: float) -> Iterator[tuple[str, Any]]:
    import time

    end_s = time.monotonic() + seconds
    while (left_s := end_s - time.monotonic()) > 0:
        if message := wait(left_s):
            yield message


def _device(wait: Next, watch: "MqttWatch", begin: str) -> str:
    """The id of the one bridge with a radio on this broker."""
    found: list[str] = []
    for topic, told in _messages(wait, _FIND_S):
        if _has_radio(topic, told) and (device := topic.split("/")[2]).startswith(begin):
            found.append(device)
            break
    for topic, told in _messages(wait, _MORE_S if found else 0):
        if _has_radio(topic, told) and (device := topic.split("/")[2]).startswith(begin):
            found.append(device)
    if not found:
        named = f" with an id that begins with {begin}" if begin else ""
        raise Failure(
            watch.problem or f"no bridge with a radio{named} is on this broker: has its configuration a [radio]?"
        )
    if len(set(found)) > 1:
        raise Failure(f"more than one bridge with a radio, take one with --device: {', '.join(sorted(set(found)))}")
    return found[0]


def _has_radio(topic: str, told: Any) -> bool:
    # A bridge without one says that it takes no kubes.
    main = told.get("main") if isinstance(told, dict) else None
    return topic.endswith("/config/kube") and not (isinstance(main, dict) and main.get("max_nodes") == 0)


def _answer(wait: Next, wanted: str, seconds: float) -> dict[str, Any]:
    for topic, told in _messages(wait, seconds):
        if topic == wanted and isinstance(told, dict):
            return told
    raise Failure("the bridge did not answer: does it run?")


def _pair(wait: Next, topic: str, seconds: int) -> int:
    told = _answer(wait, topic, _ANSWER_S)
    if told.get("state") == "open":
        print(f"listening for {told.get('seconds', seconds)} s: put the kube's battery in now", flush=True)
    while told.get("state") in ("open", "refused"):
        if told["state"] == "refused":
            print(f"refused: {told.get('error')}", file=sys.stderr, flush=True)
        told = _answer(wait, topic, seconds + _ANSWER_S)
    if told.get("state") != "paired":
        raise Failure(str(told.get("error", "no kube has asked to be paired")))
    node, name = told.get("node"), told.get("name")
    if told.get("known"):
        print(f"kube {node} is back{f', {name}' if name else ''}: it keeps its sensors")
    else:
        print(f"kube {node} is paired; give it a name: fluksometer kubes name {node} attic")
    return 0


def _show(told: dict[str, Any]) -> int:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    if "error" in told:
        raise Failure(str(told["error"]))
    table = Table()
    for title in ("node", "name", "type", "firmware", "heard", "signal", "battery", "errors"):
        table.add_column(title)
    for node, kube in told["kubes"].items():
        cells = (
            node,
            kube["name"] or "-",
            kube["type"],
            str(kube["version"] or "-"),
            "not yet" if kube["heard_s"] is None else f"{kube['heard_s']} s ago",
            "-" if kube["rssi_dbm"] is None else f"{kube['rssi_dbm']} dBm",
            "-" if kube["battery_v"] is None else f"{kube['battery_v']} V",
            ", ".join(kube["errors"]) or "-",
        )
        table.add_row(*map(Text, cells))
    Console(highlight=False).print(table)
    return 0


COMMAND = Command(help="list, pair, name and remove radio nodes", description=DESCRIPTION, configure=configure, run=run)
