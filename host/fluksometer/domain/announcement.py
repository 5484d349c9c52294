"""What the local network is told by mDNS and DNS-SD (RFC 6762, RFC 6763): the services of a Fluksometer, as the original's."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

_TXT_MOST: Final = 1200  # bytes; RFC 6763, 6.2: to stay within one packet of an Ethernet
_LOOPBACK: Final = "127."


@dataclass(frozen=True, slots=True)
class Listener:
    """Where something listens: an IPv4 address, "0.0.0.0" for all, and a TCP port."""

    host: str
    port: int

    @property
    def open(self) -> bool:
        """Whether others on the network reach it."""
        return not self.host.startswith(_LOOPBACK)


@dataclass(frozen=True, slots=True, kw_only=True)
class Listeners:
    """All of a bridge; None: not there."""

    api: Listener | None = None
    mqtt: Listener | None = None
    websockets: Listener | None = None


@dataclass(frozen=True, slots=True)
class Service:
    """One service: its type, where it listens, its TXT record."""

    kind: str
    listener: Listener
    text: Mapping[str, str]


def services(listeners: Listeners, sections: Mapping[str, Mapping[str, object]]) -> list[Service]:
    """What is announced: only what others reach. The API names the ids of its sensors."""
    known = [
        ("_flukso._tcp", listeners.api, _api_text(sections)),
        ("_http._tcp", listeners.api, {}),
        ("_mqtt._tcp", listeners.mqtt, {}),
        ("_ws._tcp", listeners.websockets, {"path": "/mqtt"}),
    ]
    return [Service(kind, where, text) for kind, where, text in known if where and where.open]


def host_name(device_id: str) -> str:
    """As a Fluksometer calls itself."""
    return f"flukso-{device_id[:6]}"


def _api_text(sections: Mapping[str, Mapping[str, object]]) -> dict[str, str]:
    text = {"path": "/sensor", "version": "1.0"}
    size = sum(len(key) + len(value) + 2 for key, value in text.items())
    for name in sorted((one for one in sections if one.isdecimal()), key=int):
        section = sections[name]
        if section.get("enable") != 1 or section.get("class") == "uart":
            continue
        key, value = f"id{name}", str(section.get("id", ""))
        size += len(key) + len(value) + 2
        if size > _TXT_MOST:
            break
        text[key] = value
    return text
