"""What an answer to a write means: InfluxDB 1.x and 2.x, VictoriaMetrics."""

import json
import re
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

_DROPPED: Final = re.compile(r"dropped=(\d+)")


class Verdict(Enum):
    """What to do with the batch."""

    TAKEN = auto()
    REFUSED = auto()  # something in it is malformed: the rest has to be sent without
    TOO_LARGE = auto()
    WAIT = auto()  # nothing is wrong with the batch


@dataclass(frozen=True, slots=True)
class Judged:
    """``dropped``: points that the engine will never take, with the others taken. ``reason``: for a person, with the fix."""

    verdict: Verdict
    reason: str = ""
    dropped: int = 0


def judge(status: int, body: bytes, *, place: str) -> Judged:
    """``place``: what the database or bucket is called in the configuration."""
    if status in (200, 204):
        return Judged(Verdict.TAKEN)
    said = _said(body)
    why = f"HTTP {status}" + (f": {said}" if said else "")
    if status == 400 and "beyond retention policy" in said and (found := _DROPPED.search(said)):
        return Judged(Verdict.TAKEN, f"older than the retention policy of {place}: {said}", int(found[1]))
    if status in (400, 422) and said:  # without an error in JSON it may be anybody's answer
        return Judged(Verdict.REFUSED, why)
    if status == 413:
        return Judged(Verdict.TOO_LARGE, why)
    return Judged(Verdict.WAIT, why + _FIXES.get(status, "; is influx.url that of InfluxDB or VictoriaMetrics?"))


_FIXES: Final = {
    401: "; name one who may write: influx.username and password_file, or influx.token_file",
    403: "; give this user or token the right to write",
    404: "; make the database (influx -execute 'CREATE DATABASE name') or bucket, or correct its name in [influx]",
    429: "",
    500: "",
    502: "",
    503: "",
    504: "",
}


def _said(body: bytes) -> str:
    try:
        told = json.loads(body)
        text = told.get("error") or told.get("message") or ""
    except (ValueError, AttributeError, RecursionError):
        return ""
    return " ".join(str(text).split())[:300]
