"""The calibration book on the disk."""

import json
from pathlib import Path

from fluksometer.domain.calibration import Book
from fluksometer.errors import StateFault
from fluksometer.faults import FileFaults, check_values
from fluksometer.whole_file import replace_file

FILE_NAME = "calibration.json"


class CalibrationFile:
    """The book in ``directory``; an empty one when there is no file yet. A damaged one is never written over."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / FILE_NAME
        self._read_ns: int | None = None  # when it was written, as read last; None: there was none
        self._damaged = False

    def read(self) -> Book:
        """Raises StateFault when it is damaged: wrong numbers would be worse than none."""
        self._damaged = True
        book = self._read()
        self._damaged = False
        return book

    def _read(self) -> Book:
        try:
            self._read_ns = self.path.stat().st_mtime_ns
            return check_values(json.loads(self.path.read_text(encoding="utf-8")), Book, source=str(self.path))
        except FileNotFoundError:
            self._read_ns = None
            return Book()
        except OSError as error:
            raise StateFault(f"{self.path}: can't be read: {error.strerror}") from error
        except FileFaults as error:
            raise StateFault(f"{'; '.join(error.lines())}. Mend it, or delete it to calibrate anew") from error
        except (ValueError, RecursionError) as error:
            raise StateFault(f"{self.path}: not JSON: {error}. Mend it, or delete it to calibrate anew") from error

    def changed(self) -> bool:
        """Whether somebody else wrote or deleted it since it was read or written here."""
        try:
            return self.path.stat().st_mtime_ns != self._read_ns
        except FileNotFoundError:
            return self._read_ns is not None
        except OSError:
            return False

    def write(self, book: Book) -> None:
        """Whole or not at all. Raises StateFault when it is damaged, or the disk does not take it."""
        if self._damaged:
            raise StateFault(f"{self.path}: is damaged and stays as it is. Mend it, or delete it to calibrate anew")
        text = json.dumps(book.model_dump(exclude_none=True), indent=1) + "\n"
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            replace_file(self.path, text)
            self._read_ns = self.path.stat().st_mtime_ns
        except OSError as error:
            raise StateFault(f"{self.path}: can't be written: {error.strerror}. Set device.state") from error
