"""Device id and sensor ids: random, made once, kept in a file.

A damaged file stops the bridge, so that ids never change in silence.
"""

import json
import re
import secrets
from pathlib import Path

from fluksometer.domain.sensors import SensorClass
from fluksometer.errors import StateFault
from fluksometer.whole_file import replace_file

FILE_NAME = "identity.json"
_ID = re.compile(r"[0-9a-f]{32}")


class Identity:
    """The ids of one Fluksometer, in ``directory``."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / FILE_NAME
        self._device_id: str | None = None
        self._sensor_ids: dict[str, str] = {}
        self._read()

    @property
    def device_id(self) -> str:
        """32 lower-case hex digits, the same for ever."""
        if self._device_id is None:
            self._device_id = secrets.token_hex(16)
            self._write()
        return self._device_id

    def sensor_id(self, port: int, sensor_class: SensorClass, direction: str = "import") -> str:
        """32 lower-case hex digits, the same for ever for this port, class and direction."""
        return self.id_of(f"{port} {sensor_class}" + (" export" if direction == "export" else ""))

    @property
    def made_ids(self) -> frozenset[str]:
        """All that were made here, the device's too."""
        return frozenset([self.device_id, *self._sensor_ids.values()])

    def id_of(self, slot: str) -> str:
        """The same for ever for this name of a sensor."""
        _ = self.device_id  # the file always holds one
        if slot not in self._sensor_ids:
            self._sensor_ids[slot] = secrets.token_hex(16)
            self._write()
        return self._sensor_ids[slot]

    def _read(self) -> None:
        try:
            kept = json.loads(self._path.read_text(encoding="utf-8"))
            ids = [kept["device"], *kept["sensors"].values()]
            if not all(isinstance(one, str) and _ID.fullmatch(one) for one in ids) or len(set(ids)) != len(ids):
                raise ValueError("not distinct ids of 32 hex digits")
        except FileNotFoundError:
            return
        except OSError as error:
            raise StateFault(f"{self._path}: the ids can't be read: {error.strerror}") from error
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise StateFault(
                f"{self._path}: the ids in it can't be understood ({type(error).__name__}: {error}). Restore the file "
                "from a backup; delete it only if all sensors may get new ids"
            ) from error
        self._device_id, self._sensor_ids = kept["device"], kept["sensors"]

    def _write(self) -> None:
        kept = {"device": self._device_id, "sensors": self._sensor_ids}
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            replace_file(self._path, json.dumps(kept, indent=1) + "\n")
        except OSError as error:
            raise StateFault(f"{self._path}: the ids can't be kept: {error.strerror}. Set device.state") from error
