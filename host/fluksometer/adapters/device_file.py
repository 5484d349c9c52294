"""The devices that may upload to this bridge, in a file for its owner's eyes: a hash of their keys could sign nothing."""

import json
from pathlib import Path
from typing import Any, Final

from fluksometer.domain.device_server import Device
from fluksometer.domain.flukso_call import IDS
from fluksometer.errors import StateFault
from fluksometer.whole_file import replace_file

FILE_NAME: Final = "devices.json"
_MOST_NAME: Final = 32


class DeviceFile:
    """``devices.json`` in ``directory``."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / FILE_NAME
        self._seen: tuple[int, int, int] | None = None
        self._devices: dict[str, Device] = {}

    def devices(self) -> dict[str, Device]:
        """All of them by id, read again when the file has changed. Raises StateFault."""
        try:
            now = self.path.stat()
            seen = now.st_mtime_ns, now.st_ino, now.st_size
            if seen != self._seen:
                self._devices = _parsed(json.loads(self.path.read_text(encoding="utf-8")))
                self._seen = seen
        except FileNotFoundError:
            self._devices, self._seen = {}, None
        except OSError as error:
            raise StateFault(f"{self.path}: the devices can't be read: {error.strerror}") from error
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise StateFault(f"{self.path}: is no list of devices: {error}") from error
        return self._devices

    def write(self, devices: dict[str, Device]) -> None:
        """Raises StateFault."""
        kept = {one: {"name": d.name, "key": d.key, "sensors": dict(d.sensors)} for one, d in devices.items()}
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            replace_file(self.path, json.dumps({"devices": kept}, indent=1) + "\n")
            self.path.chmod(0o600)
        except OSError as error:
            raise StateFault(f"{self.path}: the devices can't be kept: {error.strerror}") from error


def is_name(text: str) -> bool:
    """Whether a device may be called so."""
    return 0 < len(text) <= _MOST_NAME and text.isprintable() and text == text.strip()


def _parsed(kept: Any) -> dict[str, Device]:
    devices = {}
    for one, values in kept["devices"].items():
        device = Device(values["name"], values["key"], values.get("sensors", {}))
        if not all(isinstance(text, str) and IDS.fullmatch(text) for text in (one, device.key, *device.sensors)):
            raise ValueError("ids and keys are 32 lower-case hex digits")
        if not isinstance(device.name, str) or not is_name(device.name):
            raise ValueError(f"a name has 1 to {_MOST_NAME} printable characters")
        devices[one] = device
    return devices
