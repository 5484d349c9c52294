"""The ``[rs485]`` and ``[[modbus]]`` tables of the configuration file (docs/configuration.md)."""

import re
from typing import Annotated, Any, Final

from pydantic import AfterValidator

from fluksometer.config_values import matching, that, within
from fluksometer.domain.modbus_models import known_model, modbus_models
from fluksometer.domain.modbus_poll import Meter
from fluksometer.faults import Table

FORMATS: Final = ("8N1", "8E1", "8O1", "8N2")
"""In the order of ``serial_format`` on the wire."""
_BITS: Final = (10, 11, 11, 11)
_FUNCTION = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_ -]{0,15}", re.ASCII)


class Rs485Table(Table):
    """``[rs485]``: port 6 as a serial line."""

    baud: Annotated[int, AfterValidator(within(300, 1_000_000))] = 115_200
    format: Annotated[str, AfterValidator(that(FORMATS.__contains__, f"one of {', '.join(FORMATS)}"))] = "8N1"
    tcp_port: Annotated[int, AfterValidator(within(0, 65535))] = 8899
    answer_s: Annotated[float, AfterValidator(within(0.1, 60))] = 1.0

    @property
    def wire_format(self) -> int:
        """``serial_format`` of the settings."""
        return FORMATS.index(self.format)

    @property
    def char_s(self) -> float:
        """What a character takes on the line, in seconds."""
        return _BITS[self.wire_format] / self.baud


class ModbusTable(Table):
    """``[[modbus]]``: an energy meter on RS-485."""

    address: Annotated[int, AfterValidator(within(1, 247))]
    model: Annotated[str, AfterValidator(known_model)]
    function: (
        Annotated[
            str,
            AfterValidator(
                matching(_FUNCTION, "1 to 16 letters, digits, _, spaces or hyphens; no space or hyphen at the start")
            ),
        ]
        | None
    ) = None
    poll_s: Annotated[float, AfterValidator(within(1, 3600))] = 10.0

    @property
    def meter(self) -> Meter:
        """As the poller sees it."""
        name = self.function or f"meter {self.address}"
        return Meter(self.address, modbus_models()[self.model], self.poll_s, name)


def serial_faults(values: dict[str, Any]) -> list[str]:
    """Faults between these tables; bears values of any type."""
    tables = values.get("modbus")
    meters = [one for one in tables if isinstance(one, dict)] if isinstance(tables, list) else []
    faults = []
    if meters and "rs485" not in values:
        faults.append("modbus: needs a table [rs485] with the line's baud and format")
    for key, name in (("address", "address"), ("function", "name")):
        given = [one.get(key) for one in meters]
        for index, value in enumerate(given):
            if value is not None and value in given[:index]:
                faults.append(f"modbus[{index}].{key}: {value} is already the {name} of modbus[{given.index(value)}]")
    return faults
