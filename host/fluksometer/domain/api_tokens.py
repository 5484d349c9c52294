"""Tokens that open the history: random, shown once, kept as their hash. A sensor-level token opens one sensor, an
account-level one all of them (manual, "Accessing the FLM via its REST API")."""

import hashlib
import hmac
import json
import re
import secrets
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Final

TOKEN: Final = r"[0-9a-f]{32}"
SENSOR_ID: Final = r"[0-9a-f]{32}"
_MOST: Final = 1000
_NAME_MOST: Final = 64


@dataclass(frozen=True, slots=True)
class KeptToken:
    """What is kept of a token. 128 random bits can't be guessed, so a plain hash is enough."""

    sha256: str  # 64 lower-case hex digits, of the token's text
    sensor_id: str | None  # None: account-level
    name: str  # for people
    made_s: int  # UTC

    @property
    def number(self) -> str:
        """By which a person names it."""
        return self.sha256[:8]


def new_token(sensor_id: str | None, name: str, now_s: int) -> tuple[str, KeptToken]:
    """The token, 32 lower-case hex digits, and what is kept of it."""
    token = secrets.token_hex(16)
    return token, KeptToken(_hash(token), sensor_id, name[:_NAME_MOST], now_s)


def opens(tokens: Iterable[KeptToken], token: str) -> list[KeptToken]:
    """Which of them it is; takes as long whichever it is."""
    found = _hash(token)
    return [kept for kept in tokens if hmac.compare_digest(kept.sha256, found)]


def allows(tokens: Iterable[KeptToken], token: str, sensor_id: str) -> bool:
    """Whether it opens this sensor."""
    return any(kept.sensor_id in (None, sensor_id) for kept in opens(tokens, token))


def dump_tokens(tokens: Iterable[KeptToken]) -> str:
    """The text of the file they are kept in."""
    return json.dumps({"tokens": [asdict(kept) for kept in tokens]}, indent=1) + "\n"


def load_tokens(text: str) -> list[KeptToken]:
    """What dump_tokens wrote. Raises ValueError when it is something else."""
    try:
        kept = [KeptToken(**entry) for entry in json.loads(text)["tokens"]]
    except (KeyError, TypeError, RecursionError) as error:
        raise ValueError(f"not a list of tokens: {error}") from error
    for one in kept:
        whole = [one.sha256, one.sensor_id or "", one.name]
        if not all(isinstance(text, str) for text in whole) or not isinstance(one.made_s, int):
            raise ValueError("not a list of tokens")
        if not re.fullmatch("[0-9a-f]{64}", one.sha256) or not re.fullmatch(SENSOR_ID, one.sensor_id or "0" * 32):
            raise ValueError("not hashes and ids of tokens")
    if len(kept) > _MOST:
        raise ValueError(f"more than {_MOST} tokens")
    return kept


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).hexdigest()
