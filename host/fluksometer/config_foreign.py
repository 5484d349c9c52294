"""The ``[[foreign]]`` tables of the configuration file (docs/configuration.md)."""

import re
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, Field

from fluksometer.config_sensors import FUNCTION_LIMIT, FUNCTION_PATTERN, ID_PATTERN
from fluksometer.config_values import matching
from fluksometer.domain.foreign import GAUGE_UNITS, UNITS
from fluksometer.domain.sensors import Role
from fluksometer.domain.told import ToldSensor
from fluksometer.faults import Table, shown

_TYPE = re.compile(r"[a-z][a-z0-9 ]{0,31}")
_UNIT = re.compile(r"[^\0-\x1f\"\\]{0,16}")
_FOREIGN: Final = "foreign"


class ForeignTable(Table):
    """``[[foreign]]``: a sensor that somebody else publishes on the broker."""

    id: Annotated[str, AfterValidator(matching(ID_PATTERN, "32 lower-case hex digits"))]
    function: Annotated[str, AfterValidator(matching(FUNCTION_PATTERN, FUNCTION_LIMIT))]
    kind: Annotated[str, AfterValidator(matching(_TYPE, "1 to 32 lower-case letters, digits and spaces"))] = Field(
        default="electricity", alias="type"
    )
    data_type: Literal["counter", "gauge"] = "counter"
    given_unit: Annotated[str, AfterValidator(matching(_UNIT, "up to 16 characters"))] | None = Field(
        default=None, alias="unit"
    )
    role: Role | None = None

    @property
    def unit(self) -> str:
        """What the payloads must have."""
        if self.kind in UNITS:
            return UNITS[self.kind][0 if self.data_type == "counter" else 1]
        return self.given_unit if self.given_unit is not None else GAUGE_UNITS.get(self.kind, "")

    @property
    def sensor(self) -> ToldSensor:
        """As the bridge knows it."""
        return ToldSensor(
            sensor_id=self.id,
            sensor_class=_FOREIGN,
            kind=self.kind,
            function=self.function,
            unit=self.unit,
            counts=self.data_type == "counter",
            replaceable=True,
            more=(("role", self.role),) if self.role else (),
        )


def foreign_faults(foreign: list[dict[str, Any]], sensors: list[dict[str, Any]]) -> list[str]:
    """Faults between the keys of these tables, and between them and the ``[[sensor]]`` tables. They bear any type."""
    faults = []
    ids = {one["id"]: f"sensor[{n}]" for n, one in enumerate(sensors) if isinstance(one.get("id"), str)}
    names = {one["function"]: f"sensor[{n}]" for n, one in enumerate(sensors) if isinstance(one.get("function"), str)}
    for index, one in enumerate(foreign):
        path = f"foreign[{index}]"
        for key, taken in (("id", ids), ("function", names)):
            value = one.get(key)
            if isinstance(value, str) and taken.setdefault(value, path) != path:
                faults.append(f"{path}.{key}: {shown(value)} is already that of {taken[value]}")
        kind = one.get("type", "electricity")
        if kind in ("electricity", "gas", "water") and "unit" in one:
            total, flow = UNITS[kind]
            faults.append(f"{path}.unit: not for {kind}: counters are in {total}, gauges in {flow}")
        if "role" in one and kind != "electricity":
            faults.append(f"{path}.role: only for electricity")
        if isinstance(kind, str) and kind not in UNITS and kind not in GAUGE_UNITS and "unit" not in one:
            faults.append(f"{path}.unit: is missing: that of the published values, '' for none")
    return faults
