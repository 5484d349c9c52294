"""The bridge as the server of other bridges and of original Fluksometers: what of a call counts (docs/upload.md)."""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from .flukso_call import API_VERSION, CLOCK_SET_S, IDS, Measurement, compact, digest, is_signed
from .told import ToldSensor

BODY_MOST: Final = 256 * 1024
"""Bytes of a call: ten thousand measurements, twenty times what a thinned queue of a year has."""
STRANGER_MOST: Final = 64 * 1024
"""Bytes of a call for a sensor that nobody has signed for yet: every device's key has to be tried."""
MOST_SENSORS: Final = 128  # of one device, as the largest Fluksometer
FUTURE_S: Final = 60  # so much the clock of a device may be ahead
OLDEST_S: Final = 2 * 366 * 86_400
_MOST_TOTAL: Final = 10**15
_TYPES: Final = ("electricity", "gas", "water")
_DIGEST_CHARS: Final = 40


class Device(NamedTuple):
    """One that may upload. ``sensors``: types of those that were told of beforehand, by id."""

    name: str
    key: str  # 32 lower-case hex digits
    sensors: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Reply:
    """What is answered."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


class Rejected(Exception):
    """The call counts for nothing."""

    def __init__(self, status: int, reason: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(reason)
        more = {"WWW-Authenticate": reason} if status == 401 else {}
        self.reply = Reply(status, f"{reason}\n".encode(), {**more, **(headers or {})})


WRONG_DIGEST: Final = "Incorrect digest"
NO_SENSOR: Final = "No proper provisioning for this sensor"
NO_DEVICE: Final = "No proper provisioning for this device"


@dataclass(slots=True)
class Bucket:
    """How often somebody may call: ``burst`` times at once, ``per_s`` in the long run."""

    burst: float
    per_s: float
    _left: float = field(init=False)
    _at_s: float = 0.0

    def __post_init__(self) -> None:
        self._left = self.burst

    def take(self, now_s: float) -> None:
        """One call. Rejected when it is one too many."""
        self._left = min(self.burst, self._left + max(0.0, now_s - self._at_s) * self.per_s)
        self._at_s = now_s
        if self._left < 1:
            raise Rejected(429, "too many calls", {"Retry-After": str(int(1 / self.per_s) + 1)})
        self._left -= 1

    def give_back(self) -> None:
        """The last call does not count."""
        self._left = min(self.burst, self._left + 1)


def check_version(header: str | None, parameter: str | None) -> None:
    """Rejected unless the version comes by exactly one way, and is ours."""
    given = [one for one in (header, parameter) if one is not None]
    if given != [API_VERSION]:
        raise Rejected(400, f"The version is required, once, by X-Version or version: {API_VERSION}")


def check_id(text: str) -> None:
    """Rejected unless it is 32 lower-case hex digits."""
    if not IDS.fullmatch(text):
        raise Rejected(400, "An id of 32 lower-case hex digits is required")


def check_digest(key: str, body: bytes, given: str) -> None:
    """Rejected unless the body is signed with this key."""
    if len(given) != _DIGEST_CHARS:
        raise Rejected(400, "X-Digest with 40 hex digits is required")
    if not is_signed(key, body, given):
        raise Rejected(401, WRONG_DIGEST)


def signer(devices: Mapping[str, Device], body: bytes, given: str) -> str:
    """Id of the device whose key has signed this body. Rejected when there is none. All keys are tried, whichever it is."""
    if len(given) != _DIGEST_CHARS:
        raise Rejected(400, "X-Digest with 40 hex digits is required")
    found = [one for one, device in devices.items() if is_signed(device.key, body, given)]
    if len(found) != 1:
        raise Rejected(401, NO_SENSOR)
    return found[0]


class Call(NamedTuple):
    """What POST /sensor/<id> says: measurements, or how the sensor is configured."""

    measurements: list[Measurement]
    dropped: int  # totals that are no whole numbers
    config: Mapping[str, Any] | None


def parse_call(body: bytes) -> Call:
    """Rejected unless it is one of the two, whole."""
    told = _json_object(body)
    measurements, config = told.get("measurements"), told.get("config")
    if (measurements is None) == (config is None):
        raise Rejected(400, "Either measurements or config is required")
    if config is not None:
        if not isinstance(config, dict):
            raise Rejected(400, "config: an object is required")
        return Call([], 0, config)
    if not isinstance(measurements, list) or not measurements:
        raise Rejected(400, "measurements: a list with at least one is required")
    if not all(isinstance(one, list) and len(one) == 2 and _whole(one[0]) for one in measurements):
        raise Rejected(400, "measurements: pairs of a second and a total are required")
    whole = [(one[0], one[1]) for one in measurements if _whole(one[1]) and abs(one[1]) < _MOST_TOTAL]
    return Call(whole, len(measurements) - len(whole), None)


def _json_object(body: bytes) -> dict[str, Any]:
    try:
        told = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Rejected(400, "A JSON object is required") from error
    if not isinstance(told, dict):
        raise Rejected(400, "A JSON object is required")
    return told


def _whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


class Sifted(NamedTuple):
    """Measurements that count, and how many of the others are what."""

    good: list[Measurement]
    replayed: int
    old: int
    future: int


def sift(measurements: Collection[Measurement], last_s: int, now_s: float) -> Sifted:
    """Seconds that count rise, behind ``last_s``, the last one that counted; they are not in the future, and no years old."""
    good: list[Measurement] = []
    replayed = old = future = 0
    for time_s, total in measurements:
        if time_s > now_s + FUTURE_S:
            future += 1
        elif time_s <= CLOCK_SET_S or time_s < now_s - OLDEST_S:
            old += 1
        elif time_s <= last_s:
            replayed += 1
        else:
            good.append((time_s, total))
            last_s = time_s
    return Sifted(good, replayed, old, future)


@dataclass(slots=True)
class Known:
    """A sensor of a device, as it is kept."""

    device_id: str
    kind: str = "electricity"
    function: str = ""
    falls: bool = False  # import less export, as the class cosem counts
    last_s: int = 0  # second of the last measurement that counted

    def take_config(self, config: Mapping[str, Any]) -> None:
        """What of it matters here: type, name, and whether the total may fall. The rest is the device's own."""
        if config.get("type") in _TYPES:
            self.kind = config["type"]
        function = config.get("function")
        if isinstance(function, str) and 0 < len(function) <= 64 and function.isprintable():
            self.function = function
        self.falls = config.get("class") == "cosem"

    def sensor(self, sensor_id: str, device_name: str) -> ToldSensor:
        """As the bridge knows it."""
        return ToldSensor(
            sensor_id=sensor_id,
            sensor_class="remote",
            kind=self.kind,
            function=f"{device_name} {self.function or sensor_id[:6]}",
            unit="Wh" if self.kind == "electricity" else "L",
            counts=True,
            falls=self.falls,
            replaceable=True,
            more=(("device", self.device_id),),
        )


class Heartbeat(NamedTuple):
    """What a device has said of itself last."""

    heard_s: int
    version: int
    uptime_s: int
    resets: int  # how often it has said that it began anew


def heartbeat(body: bytes, before: Heartbeat | None, now_s: int) -> Heartbeat:
    """Rejected unless it is one."""
    told = _json_object(body)
    numbers = [told.get(name) for name in ("reset", "version", "uptime")]
    if not all(_whole(one) and 0 <= one < 2**53 for one in numbers):  # type: ignore[operator]
        raise Rejected(400, "reset, version and uptime are required")
    reset, version, uptime_s = (int(one) for one in numbers)  # type: ignore[arg-type]
    return Heartbeat(now_s, version, uptime_s, (before.resets if before else 0) + (reset == 1))


def heartbeat_reply(key: str, now_s: int) -> Reply:
    """No upgrade, and the time; signed, so that the device knows who says it."""
    body = compact({"upgrade": 0, "timestamp": now_s})
    return Reply(200, body, {"Content-Type": "application/json", "X-Digest": digest(key, body)})


def taken_reply(sifted: Sifted) -> Reply:
    """200 also when some did not count: they would not the next time either, and the device may forget them."""
    wrong = [f"{count} {what}" for what, count in (("in the future", sifted.future), ("too old", sifted.old)) if count]
    said = f"refused: {', '.join(wrong)}" if wrong else "ok"
    return Reply(200, compact({"response": said}), {"Content-Type": "application/json"})
