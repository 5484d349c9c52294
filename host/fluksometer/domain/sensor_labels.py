"""What sensors are called, for sinks that write names beside ids."""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from .desk import Desk

_NAME: Final = "labels"


class Label(NamedTuple):
    """Of one sensor."""

    kind: str  # "electricity", "gas", "temperature"
    function: str


class SensorLabels(Desk):
    """By sensor id, what the published configuration says; also of sensors that are not there now but had readings, which may
    still wait in the ledger. ``by_id`` is replaced, never changed, so any thread may read it."""

    def __init__(self) -> None:
        self.by_id: Mapping[str, Label] = {}

    def configured(self, sections: Mapping[str, Mapping[str, object]]) -> None:
        """See Desk."""
        told = {
            str(section["id"]): Label(str(section.get("type", "")), str(section.get("function", "")))
            for section in sections.values()
            if "id" in section
        }
        if any(self.by_id.get(one) != label for one, label in told.items()):
            self.by_id = {**self.by_id, **told}

    def state(self) -> dict[str, Any]:
        """See Desk."""
        return {_NAME: {one: list(label) for one, label in self.by_id.items()}}

    def restore(self, states: Mapping[str, Any]) -> None:
        """See Desk."""
        self.by_id = {one: Label(*label) for one, label in states.get(_NAME, {}).items()}
