"""The ``[homeassistant]`` and ``[mdns]`` tables of the configuration file (docs/configuration.md)."""

import re
from typing import Annotated, Literal

from pydantic import AfterValidator

from fluksometer.config_values import matching
from fluksometer.faults import Table

_PREFIX = re.compile(r"[^\0/+#$][^\0+#]{0,99}(?<!/)")


class HomeAssistantTable(Table):
    """``[homeassistant]``: how Home Assistant is told of the sensors."""

    enable: bool = True
    prefix: Annotated[str, AfterValidator(matching(_PREFIX, "a topic without + and #, and without / at its ends"))] = (
        "homeassistant"
    )
    form: Literal["device", "entity"] = "device"


class MdnsTable(Table):
    """``[mdns]``: whether the network is told where this Fluksometer listens."""

    enable: bool = True
