"""The file that tokens are kept in, as hashes. The bridge reads it again whenever it has changed."""

from pathlib import Path
from typing import Final

from fluksometer.domain.api_tokens import KeptToken, dump_tokens, load_tokens
from fluksometer.errors import StateFault
from fluksometer.whole_file import replace_file

FILE_NAME: Final = "tokens.json"
_MOST_BYTES: Final = 1_000_000


class TokenFile:
    """``tokens.json`` in ``directory``; no file: no tokens."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / FILE_NAME
        self._seen: tuple[int, int, int] | None = None
        self._tokens: list[KeptToken] = []

    def read(self) -> list[KeptToken]:
        """All tokens. Raises StateFault when the file is damaged: better no access than somebody's."""
        try:
            state = self._path.stat()
            seen = state.st_mtime_ns, state.st_size, state.st_ino
            if seen != self._seen:
                if state.st_size > _MOST_BYTES:
                    raise ValueError("too large")
                self._tokens = load_tokens(self._path.read_text(encoding="utf-8"))
                self._seen = seen
        except FileNotFoundError:
            self._seen, self._tokens = None, []
        except OSError as error:
            raise StateFault(f"{self._path}: the tokens can't be read: {error.strerror}") from error
        except ValueError as error:
            raise StateFault(
                f"{self._path}: the tokens in it can't be understood ({error}). Delete the file and make new ones: "
                "fluksometer token new"
            ) from error
        return self._tokens

    def write(self, tokens: list[KeptToken]) -> None:
        """Keep these and no others. Raises StateFault."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            replace_file(self._path, dump_tokens(tokens))
        except OSError as error:
            raise StateFault(f"{self._path}: the tokens can't be kept: {error.strerror}. Set device.state") from error
