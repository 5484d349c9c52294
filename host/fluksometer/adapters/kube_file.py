"""The kubes of the house on the disk: which they are, and the firmware that they are offered."""

import json
import re
from pathlib import Path

from fluksometer.domain.kube_sensors import TYPE_NAMES
from fluksometer.domain.kube_upgrade import KubeImage
from fluksometer.domain.kubes import KubeBook
from fluksometer.errors import StateFault
from fluksometer.faults import FileFaults, check_values
from fluksometer.shared.kube import MAX_IMAGE, KubeError, padded
from fluksometer.whole_file import replace_file

FILE_NAME = "kubes.json"
_MEND = "Mend it, or restore it from a backup; delete it only if all kubes may be paired anew, with new ids"
_IMAGE = re.compile(r"(flk01[ab])-(0|[1-9][0-9]{0,4})\.bin")
_TYPES = {name.lower(): hw_type for hw_type, name in TYPE_NAMES.items()}


class KubeFile:
    """The book in ``directory``; an empty one when there is no file yet."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / FILE_NAME

    def read(self) -> KubeBook:
        """Raises StateFault when it is damaged, so that ids never change in silence."""
        try:
            return check_values(json.loads(self.path.read_text(encoding="utf-8")), KubeBook, source=str(self.path))
        except FileNotFoundError:
            return KubeBook()
        except OSError as error:
            raise StateFault(f"{self.path}: can't be read: {error.strerror}") from error
        except FileFaults as error:
            raise StateFault(f"{'; '.join(error.lines())}. {_MEND}") from error
        except (ValueError, RecursionError) as error:
            raise StateFault(f"{self.path}: not JSON: {error}. {_MEND}") from error

    def write(self, book: KubeBook) -> None:
        """Whole or not at all. Raises StateFault when the disk does not take it."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            replace_file(self.path, json.dumps(book.model_dump(), indent=1) + "\n")
        except OSError as error:
            raise StateFault(f"{self.path}: can't be written: {error.strerror}. Set device.state") from error


class ImageFolder:
    """Firmware images, ``flk01b-7.bin`` for version 7 of an FLK01B. The folder is looked at whenever a kube asks, and may be
    missing. ``faults``: what in it can't be used, as found last."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.faults: list[str] = []

    def newest(self, hw_type: int, version: int | None = None) -> KubeImage | None:
        """The image of the highest version for this type, or of just this version."""
        self.faults = []
        versions = {}
        for path in sorted(self.folder.glob("*.bin")):
            found = _IMAGE.fullmatch(path.name)
            if not found or int(found[2]) > 0xFFFF:
                self.faults.append(f"{path}: not called as an image is: flk01b-7.bin for version 7 of an FLK01B")
            elif _TYPES[found[1]] == hw_type:
                versions[int(found[2])] = path
        wanted = sorted(versions, reverse=True) if version is None else [one for one in (version,) if one in versions]
        return next((image for one in wanted if (image := self._read(hw_type, one, versions[one]))), None)

    def _read(self, hw_type: int, version: int, path: Path) -> KubeImage | None:
        try:
            with path.open("rb") as file:
                return KubeImage(hw_type, version, padded(file.read(MAX_IMAGE + 1)))
        except (OSError, KubeError) as error:
            self.faults.append(f"{path}: {error.strerror if isinstance(error, OSError) else error}")
            return None
