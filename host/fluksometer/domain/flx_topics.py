"""``/device/<id>/config/flx``: the ports by name. Clients of later Fluksometers take no device without it."""

import json
from collections.abc import Mapping

from .topics import Message

PORTS = range(1, 8)  # as the FLM03 numbers them
_COPIED = ("class", "current", "constant", "phase", "direction")


def flx_config(device_id: str, sections: Mapping[str, Mapping[str, object]]) -> Message:
    """The ports of the sensor configuration: what each one has is named after the first enabled sensor on it."""
    ports: dict[str, dict[str, object]] = {str(port): {"name": f"port {port}", "enable": 0} for port in PORTS}
    for section in sections.values():
        numbers = section.get("port")
        if section.get("enable") != 1 or not isinstance(numbers, list | tuple):
            continue
        for port in map(str, numbers):
            if ports.setdefault(port, {"enable": 0})["enable"] == 0:
                known = {key: section[key] for key in _COPIED if key in section}
                ports[port] = {"name": section.get("function", ""), "enable": 1, **known}
    phases = [port["phase"] for port in ports.values() if port.get("phase", "1p") != "1p"]
    told = {"main": {"phase": phases[0] if phases else "1p"}, **ports}
    return Message(f"/device/{device_id}/config/flx", json.dumps(told, separators=(",", ":")))
