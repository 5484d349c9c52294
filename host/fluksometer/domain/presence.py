"""Whether the bridge is there, as MQTT clients are told: said on connecting, taken back by itself or by the broker (last will)."""

import json
from dataclasses import dataclass

from .topics import Message


@dataclass(frozen=True, slots=True)
class Presence:
    """Both are kept by the broker and sent at QoS 1. ``offline`` is also the last will of each connection."""

    online: Message
    offline: Message


def state_topic(device_id: str) -> str:
    """Where it is told."""
    return f"/device/{device_id}/bridge/state"


def presence(device_id: str) -> Presence:
    """Of the bridge of this device, in the form of zigbee2mqtt's."""
    topic = state_topic(device_id)
    online, offline = (
        Message(topic, json.dumps({"state": one}, separators=(",", ":"))) for one in ("online", "offline")
    )
    return Presence(online, offline)
