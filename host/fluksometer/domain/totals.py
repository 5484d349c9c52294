"""Totals as they stand in the ledger: read from the states of their owners, and begun anew."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .topics import decimal

_MILLI_PER_UWH = 1000  # micro-watt-hours in a thousandth of a watt-hour


@dataclass(frozen=True, slots=True, kw_only=True)
class Total:
    """A running total of one sensor; ``name``: of the state that has it."""

    name: str
    sensor_id: str
    function: str
    series: int
    milli: int
    unit: str

    @property
    def text(self) -> str:
        """Value and unit."""
        return f"{decimal(self.milli)} {self.unit}".strip()


def totals_of(states: Mapping[str, Any], functions: Mapping[str, str]) -> list[Total]:
    """All totals in a ledger's states; ``functions``: names of the configured sensors, by id."""
    found = []
    for name, state in sorted(states.items()):
        kind, _, sensor_id = name.partition(" ")
        if kind not in ("sensor", "told") or not ("uwh" in state or "total_milli" in state):
            continue
        milli = state["uwh"] // _MILLI_PER_UWH if "uwh" in state else state["total_milli"]
        function = functions.get(sensor_id) or state.get("function") or sensor_id
        unit = state.get("unit", "Wh")
        found.append(
            Total(name=name, sensor_id=sensor_id, function=function, series=state["series"], milli=milli, unit=unit)
        )
    return found


def reset(state: Mapping[str, Any]) -> dict[str, Any]:
    """The state with which a total begins at 0, in the next series."""
    anew = {"series": state["series"] + 1}
    if "uwh" in state:
        return {**state, **anew, "uwh": 0, "rest": "0"}
    return {**state, **anew, "total_milli": 0}
