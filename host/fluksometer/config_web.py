"""The ``[web]`` table of the configuration file (docs/configuration.md)."""

import re
from fractions import Fraction
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field

from fluksometer.config_values import matching, that, thousandths, within
from fluksometer.domain.hosts import is_host, is_ipv4
from fluksometer.faults import Table

_Listen = Annotated[str, AfterValidator(that(is_ipv4, "an IPv4 address, as '127.0.0.1', or '0.0.0.0' for all"))]
_Port = Annotated[int, AfterValidator(within(1, 65535))]
_Path = Annotated[
    str, AfterValidator(that(lambda name: 0 < len(name) <= 1024 and "\0" not in name, "1 to 1024 characters"))
]
_Name = Annotated[str, AfterValidator(that(is_host, "a host name without http:// and port"))]
_Origin = Annotated[
    str,
    AfterValidator(
        matching(re.compile(r"\*|https?://[A-Za-z0-9.:\[\]-]{1,255}"), "'*', or an origin as 'https://dash.example'")
    ),
]


class WebTable(Table):
    """``[web]``: HTTP."""

    enable: bool = True
    listen: _Listen = "127.0.0.1"
    port: _Port = 8080
    names: list[_Name] = Field(default_factory=list)  # by which it is asked, beside addresses and local names
    origins: list[_Origin] = Field(default_factory=list)  # pages that may read /api/v1
    price_milli: Annotated[int, BeforeValidator(thousandths("0.001", "1000"))] | None = Field(
        None, alias="price_per_kwh"
    )
    cert_file: _Path | None = None
    key_file: _Path | None = None
    tls_port: _Port = 8443

    @property
    def price(self) -> Fraction | None:
        """Of one kWh; None: as the original, 0.18 EUR and 0.19 AUD."""
        return None if self.price_milli is None else Fraction(self.price_milli, 1000)


def web_faults(web: object) -> list[str]:
    """Faults between its keys; bears any type."""
    if not isinstance(web, dict):
        return []
    faults = [
        f"web.{one}: needs web.{other}"
        for one, other in (("cert_file", "key_file"), ("key_file", "cert_file"), ("tls_port", "cert_file"))
        if one in web and other not in web
    ]
    if "cert_file" in web and web.get("port", 8080) == web.get("tls_port", 8443):
        faults.append("web.tls_port: is that of web.port")
    return faults
