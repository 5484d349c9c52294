"""How TMPO blocks are addressed and told of: paths, topics, and the lists by which two ends agree on what one of them lacks.

Both ways of the original: a device that pushes to its server by MQTT, and a client that pulls by HTTP (docs/tmpo.md).
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from .tmpo import LEVELS, MOST_S, BlockName, begin_of, block_name, is_sensor_id

EXTENSION: Final = "gz"
LIST_MOST_BYTES: Final = 1 << 20  # of a list that somebody sends
BLOCK_MOST_BYTES: Final = 16 << 20
NOTHING: Final = BlockName(0, 0, 0)
"""The newest block of somebody who has none."""


class BadSync(ValueError):
    """What somebody sent is no list of blocks, or names none."""


def block_path(sensor_id: str, name: BlockName) -> str:
    """Where it lies, in the store and on the server."""
    return f"sensor/{sensor_id}/{name.rid}/{name.lvl}/{name.bid}"


def block_topic(sensor_id: str, name: BlockName) -> str:
    """Where it is published."""
    return f"/sensor/{sensor_id}/tmpo/{name.rid}/{name.lvl}/{name.bid}/{EXTENSION}"


def sync_topic(device_id: str) -> str:
    """Where a device asks for the list of what the server has, with an empty message."""
    return f"/device/{device_id}/tmpo/sync"


def answer_topic(device_id: str) -> str:
    """Where the server tells it."""
    return f"/d/device/{device_id}/tmpo/sync"


def block_of_topic(topic: str) -> tuple[str, BlockName] | None:
    """Sensor and block of a topic as ``block_topic`` makes it; None of any other."""
    match topic.split("/"):
        case ["", "sensor", sensor_id, "tmpo", rid, lvl, bid, "gz"] if is_sensor_id(sensor_id):
            name = block_name(rid, lvl, bid)
            return (sensor_id, name) if name else None
    return None


# --- a device and its server ---


def device_list(newest: Mapping[str, BlockName | None]) -> str:
    """What a server tells a device: of each of its sensors the newest block that the server has."""
    known = {sensor_id: name or NOTHING for sensor_id, name in newest.items()}
    return _text([{"sid": one, "rid": name.rid, "lvl": name.lvl, "bid": name.bid} for one, name in known.items()])


def read_device_list(payload: bytes) -> dict[str, BlockName]:
    """By sensor, the newest block that the server has. Entries that name no block or sensor are left out. Raises BadSync when
    it is no list at all."""
    if len(payload) > LIST_MOST_BYTES:
        raise BadSync(f"{len(payload)} bytes are more than {LIST_MOST_BYTES}")
    try:
        entries = json.loads(payload)
    except (ValueError, RecursionError) as error:
        raise BadSync("not JSON") from error
    if not isinstance(entries, list):
        raise BadSync("not a list")
    found: dict[str, BlockName] = {}
    for entry in entries:
        if not isinstance(entry, dict) or not is_sensor_id(entry.get("sid")):
            continue
        match [entry.get(key) for key in ("rid", "lvl", "bid")]:
            case [int(rid), int(lvl), int(bid)] if min(rid, lvl, bid) >= 0 and max(rid, bid) < MOST_S:
                name = BlockName(int(rid), int(lvl), int(bid))  # JSON's true is an int for Python too
                if name == NOTHING or name.lvl in LEVELS:
                    found[entry["sid"]] = name
    return found


def to_push(blocks: Iterable[BlockName], newest: BlockName) -> list[BlockName]:
    """What a server lacks whose newest block is this, in the order in which a device sends it."""
    lacking = [one for one in blocks if one.rid >= newest.rid and one.tail_s > newest.tail_s]
    return sorted(lacking, key=lambda one: (one.rid, -one.lvl, one.bid))


def superseded(blocks: Iterable[BlockName], new: BlockName) -> list[BlockName]:
    """Blocks that a server deletes when it has got this one: all of lower levels that lie inside."""
    return [one for one in blocks if one.lvl < new.lvl and new.covers(one)]


# --- a client and the HTTP interface ---


def newest_asked(rid: str, lvl: str, bid: str) -> BlockName:
    """The newest block of a client, from the parameters of its request. Raises BadSync."""
    name = NOTHING if (rid, lvl, bid) == ("0", "0", "0") else block_name(rid, lvl, bid)
    if name is None:
        raise BadSync("rid, lvl and bid name no block")
    return name


def to_pull(blocks: Sequence[BlockName], newest: BlockName) -> list[BlockName]:
    """What a client lacks, in the order in which it has to store it; never a block that it has already."""
    top = LEVELS[-1]
    begin_s = begin_of(newest.bid, top)
    lacking = [one for one in blocks if one.rid >= newest.rid and one.bid >= begin_s and one.tail_s > newest.tail_s]
    return sorted(lacking, key=lambda one: (one.rid, -one.lvl, one.bid))


def client_list(blocks: Sequence[BlockName], newest: BlockName) -> str:
    """The body that answers a client's request: ``[{"rid":0,"lvl":8,"bid":1422801920,"ext":"gz"}]``."""
    found = to_pull(blocks, newest)
    return _text([{"rid": one.rid, "lvl": one.lvl, "bid": one.bid, "ext": EXTENSION} for one in found])


def _text(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))
