"""How the sensors that are uploaded are configured, as a Flukso server is told."""

from collections.abc import Mapping
from typing import Any, Final

from .desk import Desk

_FIELDS: Final = ("class", "type", "function", "voltage", "current", "phase", "constant", "enable")


class UploadConfigs(Desk):
    """By sensor id, what POST /sensor/<id> says under ``config``. ``by_id`` is replaced, never changed: any thread may read it."""

    def __init__(self) -> None:
        self.by_id: Mapping[str, Mapping[str, Any]] = {}

    def configured(self, sections: Mapping[str, Mapping[str, object]]) -> None:
        """See Desk."""
        self.by_id = {str(section["id"]): _config(section) for section in sections.values() if "id" in section}


def _config(section: Mapping[str, object]) -> dict[str, object]:
    config = {name: section[name] for name in _FIELDS if name in section}
    if "phase" in config:
        config["phase"] = 3 if str(config["phase"]).startswith("3") else 1
    return config
