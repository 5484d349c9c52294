"""Calls between a Fluksometer and its server: what is signed and how, and what the bodies hold (docs/upload.md)."""

import hashlib
import hmac
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from fluksometer import __version__

API_VERSION: Final = "1.0"
IDS: Final = re.compile(r"[0-9a-f]{32}")
CLOCK_SET_S: Final = 1_234_567_890
"""A Fluksometer takes whatever is not later for a clock that nobody has set."""

Measurement = tuple[int, int]
"""Second (UTC), and the total in whole Wh or L."""


def digest(key: str, body: bytes) -> str:
    """X-Digest: HMAC-SHA1 (RFC 2104) in lower-case hex. The key is the text of its 32 hex digits, not the 16 bytes."""
    return hmac.new(key.encode("ascii"), body, hashlib.sha1).hexdigest()


def is_signed(key: str, body: bytes, given: str) -> bool:
    """Whether ``given`` is the digest of this body; how long it takes tells nothing of the right one."""
    return hmac.compare_digest(digest(key, body).encode(), given.lower().encode("utf-8", "replace"))


def compact(value: object) -> bytes:
    """JSON without white space, as it is signed."""
    return json.dumps(value, separators=(",", ":")).encode()


def measurements_body(measurements: Sequence[Measurement]) -> bytes:
    """Of POST /sensor/<id>."""
    return compact({"measurements": [list(one) for one in measurements]})


def version_number() -> int:
    """As a Fluksometer tells its firmware: 2.5.0 is 250."""
    return int("".join(__version__.split(".")[:3]))


def request_headers(key: str, body: bytes) -> dict[str, str]:
    """Of every call of a Fluksometer."""
    return {
        "Content-Type": "application/json",
        "X-Version": API_VERSION,
        "User-Agent": f"Fluksometer v{version_number()}",
        "X-Digest": digest(key, body),
    }


def heartbeat_fields(
    *, reset: bool, now_s: int, uptime_s: int, memory_kb: Mapping[str, int], port: int, syslog: str, ip: str
) -> dict[str, Any]:
    """Of POST /device/<id>. ``memory_kb``: as /proc/meminfo calls them. ``syslog``: base64 of a gzip file."""
    return {
        "reset": int(reset),
        "version": version_number(),
        "time": now_s,
        "uptime": uptime_s,
        "memtotal": memory_kb.get("MemTotal", 0),
        "memcached": memory_kb.get("Cached", 0),
        "membuffers": memory_kb.get("Buffers", 0),
        "memfree": memory_kb.get("MemFree", 0),
        "syslog": syslog,
        "ip": ip,
        "port": port,
    }
