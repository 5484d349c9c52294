"""The ``[server]`` table of the configuration file (docs/configuration.md)."""

from typing import Annotated

from pydantic import AfterValidator

from fluksometer.config_influx import Text
from fluksometer.config_values import that, within
from fluksometer.domain.hosts import is_ipv4
from fluksometer.faults import Table


class ServerTable(Table):
    """``[server]``: other bridges and original Fluksometers upload to this one."""

    enable: bool = True
    listen: Annotated[str, AfterValidator(that(is_ipv4, "an IPv4 address, as '127.0.0.1', or '0.0.0.0' for all"))] = (
        "127.0.0.1"
    )
    port: Annotated[int, AfterValidator(within(1, 65535))] = 8090
    cert_file: Text | None = None  # without: plain HTTP
    key_file: Text | None = None


def server_faults(server: object) -> list[str]:
    """Faults between its keys; bears any type."""
    if not isinstance(server, dict) or ("cert_file" in server) == ("key_file" in server):
        return []
    return ["server.cert_file: cert_file and key_file belong together"]
