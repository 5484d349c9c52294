"""What people ask about kubes over MQTT, and what they are told (docs/mqtt.md)."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from pydantic import model_validator

from fluksometer.faults import FileFaults, Table, check_values
from fluksometer.shared.kube import NODES, PAIR_GROUP, PAIRING_S
from fluksometer.shared.rf12 import NODE

from .kube_sensors import TYPE_NAMES, called
from .kubes import Kube, KubeBook, KubeRefused
from .terminal_readings import RadioPacket
from .topics import Message, decimal

MAX_PAIRING_S: Final = 60
_MAX_REQUEST: Final = 1000  # bytes


@dataclass(slots=True)
class KubeLife:
    """What was heard of a kube since the bridge started."""

    heard_s: float  # monotonic, of its last packet
    rssi_dbm: int = 0  # 0: unknown
    battery_mv: int | None = None
    errors: list[str] = field(default_factory=list)


class KubeRequest(Table):
    """Empty: tell of all. Else another name for a kube, or its end."""

    node: int | None = None
    name: str | None = None
    remove: bool = False

    @model_validator(mode="after")
    def _one_thing(self) -> "KubeRequest":
        if (self.name is not None) + self.remove != (self.node is not None):
            raise ValueError('nothing, {"node": 5, "name": "attic"}, or {"node": 5, "remove": true}')
        return self


def pair_seconds(payload: bytes) -> int:
    """How long to pair; 0: end it. Any bytes may come; raises KubeRefused."""
    text = payload.strip()
    if not text:
        return PAIRING_S
    if not text.isdigit() or len(text) > 3 or int(text) > MAX_PAIRING_S:
        raise KubeRefused(f"seconds: 0 to {MAX_PAIRING_S}, or nothing for {PAIRING_S}")
    return int(text)


def kube_request(payload: bytes) -> KubeRequest:
    """The request in a payload. Any bytes may come; raises KubeRefused."""
    if not payload.strip():
        return KubeRequest()
    try:
        if len(payload) > _MAX_REQUEST:
            raise ValueError("too long")
        return check_values(json.loads(payload), KubeRequest, source="request")
    except FileFaults as faults:
        raise KubeRefused("; ".join(faults.faults)) from None
    except (ValueError, RecursionError):
        raise KubeRefused('not JSON: {"node": 5, "name": "attic"} is') from None


def kube_config(device_id: str, group: int, book: KubeBook) -> Message:
    """The kubes of the house, kept by the broker: sections as a Fluksometer publishes them."""
    sections: dict[str, dict[str, object]] = {
        "main": {"pair_group": PAIR_GROUP, "collect_group": group, "max_nodes": NODES, "encryption": 0}
    }
    for node, kube in book.kubes.items():
        sections[node] = {
            "hw_id": kube.hw_id,
            "hw_type": kube.hw_type,
            "sw_version": kube.version,
            "enable": 1,
            "name": called(int(node), kube),
        }
    return _message(f"/device/{device_id}/config/kube", sections, retain=True)


def no_kubes(device_id: str) -> Message:
    """The same of a bridge without a radio, which takes none."""
    main = {"pair_group": PAIR_GROUP, "collect_group": 0, "max_nodes": 0, "encryption": 0}
    return _message(f"/device/{device_id}/config/kube", {"main": main}, retain=True)


def pair_state(device_id: str, state: str, **more: object) -> Message:
    """How the pairing goes: ``open``, ``paired``, ``refused``, ``closed``."""
    return _message(f"/device/{device_id}/pair", {"state": state, **more})


def kube_list(device_id: str, book: KubeBook, lives: Mapping[int, KubeLife], now_s: float) -> Message:
    """All kubes, and how they fare."""
    kubes = {node: _told(kube, lives.get(int(node)), now_s) for node, kube in book.kubes.items()}
    return _message(f"/device/{device_id}/kube", {"kubes": kubes})


def kube_error(device_id: str, reason: str) -> Message:
    """Why a request about a kube was not served."""
    return _message(f"/device/{device_id}/kube", {"error": reason})


def raw_packet(device_id: str, packet: RadioPacket, time_s: float | None) -> Message:
    """A packet of a node that is no kube, as it came."""
    told = {
        "time": None if time_s is None else round(time_s, 3),
        "header": packet.header,
        "rssi_dbm": packet.rssi_dbm or None,
        "payload": packet.payload.hex(),
    }
    return _message(f"/device/{device_id}/radio/{packet.header & NODE}", told)


def _told(kube: Kube, life: KubeLife | None, now_s: float) -> dict[str, Any]:
    told: dict[str, Any] = {
        "name": kube.name,
        "type": TYPE_NAMES[kube.hw_type],
        "hw_id": kube.hw_id,
        "version": kube.version,
        "heard_s": None,
        "rssi_dbm": None,
        "battery_v": None,
        "errors": [],
    }
    if life:
        battery_v = None if life.battery_mv is None else float(decimal(life.battery_mv))
        told |= {"heard_s": round(now_s - life.heard_s), "rssi_dbm": life.rssi_dbm or None, "battery_v": battery_v}
        told["errors"] = life.errors
    return told


def _message(topic: str, told: Mapping[str, object], *, retain: bool = False) -> Message:
    return Message(topic, json.dumps(told, separators=(",", ":")), retain)
