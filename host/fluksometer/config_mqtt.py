"""The ``[mqtt]`` table of the configuration file (docs/configuration.md)."""

import re
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field

from fluksometer.config_values import beside, matching, read_secret, that, within
from fluksometer.domain.hosts import is_host, is_ipv4
from fluksometer.faults import Table
from fluksometer.mqtt_tls import Tls, TlsFiles

_PLAIN_PORT, _TLS_PORT = 1883, 8883  # as registered with IANA

_Port = Annotated[int, AfterValidator(within(1, 65535))]
_Host = Annotated[str, AfterValidator(that(is_host, "'embedded', or a host name or address without mqtt:// and port"))]
_Listen = Annotated[str, AfterValidator(that(is_ipv4, "an IPv4 address, as '127.0.0.1', or '0.0.0.0' for all"))]
_Text = Annotated[str, AfterValidator(matching(re.compile(r"[^\0]{1,1024}"), "1 to 1024 characters"))]

_EMBEDDED_ONLY = ("listen", "websocket_port")
_OTHERS_ONLY = {
    "username": "the embedded one asks for no login",
    "password_file": "the embedded one asks for no login",
    "tls": "the embedded one is on this host",
    "ca_file": "the embedded one is on this host",
    "cert_file": "the embedded one is on this host",
    "key_file": "the embedded one is on this host",
}


class MqttTable(Table):
    """``[mqtt]``: where readings are published."""

    broker: _Host = "embedded"
    given_port: _Port | None = Field(default=None, alias="port")
    listen: _Listen | None = None  # embedded only; None: the loopback
    websocket_port: _Port | None = None  # embedded only; None: no websockets
    username: _Text | None = None
    password_file: _Text | None = None
    tls: bool = False
    ca_file: _Text | None = None  # None: whom the host trusts
    cert_file: _Text | None = None
    key_file: _Text | None = None  # None: in cert_file too

    @property
    def embedded(self) -> bool:
        """Whether the bridge starts a broker of its own."""
        return self.broker == "embedded"

    @property
    def port(self) -> int:
        """TCP port of the broker."""
        return self.given_port or (_TLS_PORT if self.tls else _PLAIN_PORT)

    @property
    def listen_host(self) -> str:
        """Address the embedded broker is bound to."""
        return self.listen or "127.0.0.1"

    @property
    def client_host(self) -> str:
        """Host the bridge connects to."""
        if not self.embedded:
            return self.broker
        return "127.0.0.1" if self.listen_host == "0.0.0.0" else self.listen_host

    @property
    def address(self) -> str:
        """Where the bridge connects to, for people."""
        return f"{self.client_host}:{self.port}"


def mqtt_faults(mqtt: object) -> list[str]:
    """Faults between the keys of the table, which may be of any type."""
    if not isinstance(mqtt, dict):
        return []
    faults = []
    if mqtt.get("broker", "embedded") == "embedded":
        faults += [f"mqtt.{key}: only for another broker; {why}" for key, why in _OTHERS_ONLY.items() if key in mqtt]
        if mqtt.get("websocket_port") == mqtt.get("port", _PLAIN_PORT):
            faults.append("mqtt.websocket_port: is that of mqtt.port")
    else:
        faults += [f'mqtt.{key}: only with broker = "embedded"' for key in _EMBEDDED_ONLY if key in mqtt]
        if not mqtt.get("tls"):
            files = [key for key in ("ca_file", "cert_file", "key_file") if key in mqtt]
            faults += [f"mqtt.{key}: needs mqtt.tls = true" for key in files]
    if "password_file" in mqtt and "username" not in mqtt:
        faults.append("mqtt.password_file: needs mqtt.username")
    if "key_file" in mqtt and "cert_file" not in mqtt:
        faults.append("mqtt.key_file: needs mqtt.cert_file, the certificate that it belongs to")
    return faults


def read_mqtt_login(mqtt: MqttTable, source: Path) -> tuple[str, str | None] | None:
    """User name and password for the broker; the password file's path is relative to the configuration's directory."""
    if mqtt.username is None:
        return None
    if mqtt.password_file is None:
        return mqtt.username, None
    return mqtt.username, read_secret(source, "mqtt.password_file", mqtt.password_file)


def read_mqtt_tls(mqtt: MqttTable, source: Path) -> Tls | None:
    """TLS towards the broker, with its files read once; None where it is not wanted. Raises FileFaults."""
    if not mqtt.tls:
        return None
    files = {
        key: beside(source, f"mqtt.{key}_file", path)
        for key, path in (("ca", mqtt.ca_file), ("cert", mqtt.cert_file), ("key", mqtt.key_file))
        if path
    }
    return Tls(TlsFiles(**files), str(source))
