"""The ``[upload]`` table of the configuration file (docs/configuration.md)."""

import re
from typing import Annotated, Any, Final
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

from fluksometer.config_influx import HttpUrl, Text, tls_faults
from fluksometer.config_values import matching, that, within
from fluksometer.domain.flukso_call import IDS
from fluksometer.faults import Table

_PORTS: Final = {"mqtts": 8883, "mqtt": 1883}


def _is_mqtt_url(text: str) -> bool:
    try:
        parts = urlsplit(text)
        port_is_right = parts.port is None or 1 <= parts.port <= 65535
    except ValueError:
        return False
    bare = not (parts.path or parts.query or parts.fragment or "@" in parts.netloc)
    plain = text.isascii() and text.isprintable() and " " not in text and len(text) <= 1024
    return plain and bare and port_is_right and parts.scheme in _PORTS and bool(parts.hostname)


_MqttUrl = Annotated[
    str, AfterValidator(that(_is_mqtt_url, "mqtts:// (with TLS) or mqtt://, a host, perhaps a port, nothing else"))
]
_Id = Annotated[str, AfterValidator(matching(re.compile(IDS.pattern), "32 lower-case hex digits, the id of a sensor"))]


class UploadTable(Table):
    """``[upload]``: totals to a Flukso-compatible server."""

    enable: bool = False
    url: HttpUrl
    key_file: Text
    every_s: Annotated[float, AfterValidator(within(1, 86_400))] = 300.0
    sensors: list[_Id] = Field(default_factory=list)  # none: all that count Wh or litres
    tmpo_url: _MqttUrl | None = None
    ca_file: Text | None = None

    @property
    def tmpo_host(self) -> str:
        """Of ``tmpo_url``."""
        return urlsplit(self.tmpo_url or "").hostname or ""

    @property
    def tmpo_tls(self) -> bool:
        """Whether the connection is encrypted."""
        return (self.tmpo_url or "").startswith("mqtts:")

    @property
    def tmpo_port(self) -> int:
        """Of ``tmpo_url``, or the scheme's."""
        parts = urlsplit(self.tmpo_url or "mqtts:")
        return parts.port or _PORTS[parts.scheme]


def upload_faults(upload: object, mqtt: object) -> list[str]:
    """Faults between its keys, and with the broker; bears any type."""
    if not isinstance(upload, dict):
        return []
    faults = [] if "tmpo_url" in upload else tls_faults("upload", upload)
    url = upload.get("tmpo_url")
    if isinstance(url, str) and _is_mqtt_url(url) and isinstance(mqtt, dict):
        faults += _loop_faults(url, mqtt)
    return faults


def _loop_faults(url: str, mqtt: dict[str, Any]) -> list[str]:
    parts = urlsplit(url)
    if parts.hostname == mqtt.get("broker") and (parts.port or _PORTS[parts.scheme]) == mqtt.get("port", 1883):
        return ["upload.tmpo_url: that is mqtt.broker itself: every message would come back for ever"]
    return []
