"""The ``[p1]`` table of the configuration file (docs/configuration.md)."""

from typing import Annotated, Any

from pydantic import AfterValidator

from fluksometer.config_values import that, within
from fluksometer.domain.p1_time import CENTRAL_EUROPE_H
from fluksometer.faults import Table

_Path = Annotated[
    str, AfterValidator(that(lambda name: 0 < len(name) <= 1024 and "\0" not in name, "1 to 1024 characters"))
]


class P1Table(Table):
    """``[p1]``: the smart meter's customer port."""

    enable: bool = True
    port: _Path = "board"  # or a serial port of the host
    key_file: _Path | None = None
    authentication_key_file: _Path | None = None  # where it is not Luxembourg's
    winter_utc: Annotated[int, AfterValidator(within(-12, 14))] = CENTRAL_EUROPE_H

    @property
    def on_board(self) -> bool:
        """Whether the sensor board reads it."""
        return self.enable and self.port == "board"


def p1_faults(p1: object, sensors: list[dict[str, Any]]) -> list[str]:
    """Faults between its keys, and of the sensors that need it; bears any type."""
    faults = []
    if isinstance(p1, dict) and "authentication_key_file" in p1 and "key_file" not in p1:
        faults.append("p1.authentication_key_file: needs p1.key_file")
    on = isinstance(p1, dict) and p1.get("enable") is not False
    measured = any("adapter_v" in one or one.get("class") == "voltage" for one in sensors)
    for index, sensor in enumerate(sensors):
        if "p1_phase" not in sensor:
            continue
        path = f"sensor[{index}].p1_phase"
        if not on:
            faults.append(f"{path}: needs the table [p1]: the smart meter tells the voltage")
        elif measured:
            faults.append(f"{path}: not beside a sensor of class voltage, which measures it")
        if sensor.get("phases", "1p") != "1p":
            faults.append(f"{path}: only with phases = '1p'")
    return faults
