"""The ``[influx]`` table of the configuration file (docs/configuration.md)."""

from typing import Annotated, Any, Final
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

from fluksometer.config_values import that, within
from fluksometer.faults import Table

_OWN_TAGS: Final = ("sensor", "function", "type", "kind", "series", "unit")


def is_http_url(text: str) -> bool:
    """Whether it is where HTTP calls may go to: a host, perhaps a port and a path, and nothing else."""
    try:
        parts = urlsplit(text)
        port_is_right = parts.port is None or 1 <= parts.port <= 65535
    except ValueError:
        return False
    bare = not (parts.query or parts.fragment or "@" in parts.netloc)
    plain = text.isascii() and text.isprintable() and " " not in text and len(text) <= 1024
    return plain and bare and port_is_right and parts.scheme in ("http", "https") and bool(parts.hostname)


HttpUrl = Annotated[
    str,
    AfterValidator(
        that(is_http_url, "http:// or https://, a host, perhaps a port and a path; no user name, no '?', no '#'")
    ),
]
Text = Annotated[
    str,
    AfterValidator(that(lambda text: 0 < len(text) <= 1024 and text.isprintable(), "1 to 1024 printable characters")),
]


def _are_tags(tags: dict[str, str]) -> bool:
    texts = [*tags, *tags.values()]
    return len(tags) <= 16 and all(0 < len(text) <= 64 and text.isprintable() and text.strip() for text in texts)


class InfluxTable(Table):
    """``[influx]``: readings to InfluxDB or VictoriaMetrics."""

    url: HttpUrl
    database: Text | None = None  # InfluxDB 1.x, VictoriaMetrics
    org: Text | None = None  # InfluxDB 2.x
    bucket: Text | None = None
    username: Text | None = None
    password_file: Text | None = None
    token_file: Text | None = None
    measurement: Text = "fluksometer"
    tags: Annotated[
        dict[str, str], AfterValidator(that(_are_tags, "at most 16, each name and value 1 to 64 printable characters"))
    ] = Field(default_factory=dict)
    batch_s: Annotated[float, AfterValidator(within(0.1, 3600))] = 1.0
    ca_file: Text | None = None

    @property
    def target(self) -> dict[str, str]:
        """Where in the engine, as its write calls name it."""
        return {"db": self.database} if self.database else {"org": self.org or "", "bucket": self.bucket or ""}


def influx_faults(influx: object) -> list[str]:
    """Faults between its keys; bears any type."""
    if not isinstance(influx, dict):
        return []
    faults = []
    if ("database" in influx) == ("bucket" in influx):
        faults.append("influx.database: needed for InfluxDB 1.x and VictoriaMetrics; for 2.x org and bucket instead")
    if ("org" in influx) != ("bucket" in influx):
        faults.append("influx.org: org and bucket belong together")
    if ("username" in influx) != ("password_file" in influx):
        faults.append("influx.username: username and password_file belong together")
    if "token_file" in influx and "username" in influx:
        faults.append("influx.token_file: not beside a username")
    faults += _tag_faults(influx.get("tags"))
    return faults + tls_faults("influx", influx)


def _tag_faults(tags: object) -> list[str]:
    if not isinstance(tags, dict):
        return []
    return [f"influx.tags.{name}: every line has this tag of its own" for name in _OWN_TAGS if name in tags]


def tls_faults(table: str, values: dict[str, Any]) -> list[str]:
    """A certificate authority without TLS."""
    url = values.get("url")
    if "ca_file" in values and isinstance(url, str) and url.startswith("http:"):
        return [f"{table}.ca_file: only with an https:// address in {table}.url"]
    return []
