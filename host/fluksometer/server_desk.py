"""The bridge as a server: what other bridges and original Fluksometers upload becomes readings of sensors told by others."""

import asyncio
import contextlib
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict
from typing import Any, Final

from fluksometer.domain.board_clock import HostTime
from fluksometer.domain.desk import Ask, Desk, Fault, Said
from fluksometer.domain.device_server import (
    MOST_SENSORS,
    NO_DEVICE,
    NO_SENSOR,
    STRANGER_MOST,
    Bucket,
    Call,
    Device,
    Heartbeat,
    Known,
    Rejected,
    Reply,
    check_digest,
    check_id,
    heartbeat,
    heartbeat_reply,
    parse_call,
    sift,
    signer,
    taken_reply,
)
from fluksometer.domain.flukso_call import CLOCK_SET_S
from fluksometer.domain.points import Point
from fluksometer.domain.readings import Hello
from fluksometer.domain.told import ToldBook
from fluksometer.errors import StateFault

_STORED_WITHIN_S: Final = 10.0
_MOST_WAITING: Final = 2000  # calls
_STATE: Final = "server "
Serve = Callable[["ServerDesk"], Awaitable[None]]


class ServerDesk(Desk):
    """Answers a call when the ledger has its readings: whatever a device is told that it may forget, is stored. ``devices`` are
    asked for at each call and may raise StateFault; ``serve`` listens for calls until cancelled."""

    def __init__(
        self,
        told: ToldBook,
        devices: Callable[[], Mapping[str, Device]],
        *,
        clock: Callable[[], HostTime],
        serve: Serve,
    ) -> None:
        self._told, self._devices, self._clock, self._serve = told, devices, clock, serve
        self._own: frozenset[str] = frozenset()  # sensors that are nobody's business but this bridge's
        self._known: dict[str, Known] = {}
        self._beats: dict[str, Heartbeat] = {}
        self._fresh = True  # nothing was told to the book yet
        self._buckets: dict[str, Bucket] = {}
        self._strangers = Bucket(20, 2)
        self._todo: deque[tuple[str, str, Call, asyncio.Future[Reply]]] = deque()
        self._unstored: deque[tuple[int, Reply, asyncio.Future[Reply]]] = deque()
        self._handed = self._asked = 0
        self._counts: Counter[str] = Counter()
        self._fault = ""
        self._wake: Callable[[], None] = lambda: None

    # --- calls ---

    async def measured(self, sensor_id: str, body: bytes, given: str) -> Reply:
        """POST /sensor/<id>."""
        check_id(sensor_id)
        device_id = self._sender(sensor_id, body, given)
        call = parse_call(body)
        if len(self._todo) + len(self._unstored) >= _MOST_WAITING:
            raise Rejected(503, "too many calls wait", {"Retry-After": "10"})
        future: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        self._todo.append((device_id, sensor_id, call, future))
        self._wake()
        try:
            async with asyncio.timeout(_STORED_WITHIN_S):
                return await future
        except TimeoutError as error:
            raise Rejected(503, "it could not be stored in time", {"Retry-After": "30"}) from error

    async def beat(self, device_id: str, body: bytes, given: str) -> Reply:
        """POST /device/<id>."""
        check_id(device_id)
        device = self._list().get(device_id)
        if device is None:
            self._strangers.take(self._clock().mono_s)
            raise Rejected(401, NO_DEVICE)
        check_digest(device.key, body, given)
        self._bucket(device_id)
        now_s = self._now_s()
        self._beats[device_id] = heartbeat(body, self._beats.get(device_id), now_s)
        return heartbeat_reply(device.key, now_s)

    def _sender(self, sensor_id: str, body: bytes, given: str) -> str:
        """Id of the device that has signed this, and may speak for the sensor. Rejected otherwise."""
        devices = self._list()
        if sensor_id in self._own:
            raise Rejected(401, NO_SENSOR)
        known = self._known.get(sensor_id)
        owner = known.device_id if known else next((one for one, d in devices.items() if sensor_id in d.sensors), None)
        if owner is None:
            owner = self._stranger(devices, body, given)
            if sum(one.device_id == owner for one in self._known.values()) >= MOST_SENSORS:
                raise Rejected(401, NO_SENSOR)
        elif owner not in devices:
            raise Rejected(401, NO_SENSOR)
        else:
            check_digest(devices[owner].key, body, given)
        self._bucket(owner)
        return owner

    def _stranger(self, devices: Mapping[str, Device], body: bytes, given: str) -> str:
        # Of a sensor that is not known. Calls that nobody signed count, as each costs as much as there are devices.
        if len(body) > STRANGER_MOST:
            raise Rejected(413, f"at most {STRANGER_MOST} bytes for a new sensor")
        self._strangers.take(self._clock().mono_s)
        owner = signer(devices, body, given)
        self._strangers.give_back()
        return owner

    def _list(self) -> Mapping[str, Device]:
        try:
            devices, self._fault = self._devices(), ""
        except StateFault as fault:
            self._fault = str(fault)
            raise Rejected(503, "the devices can't be read", {"Retry-After": "60"}) from fault
        return devices

    def _bucket(self, device_id: str) -> None:
        self._buckets.setdefault(device_id, Bucket(120, 1)).take(self._clock().mono_s)

    def _now_s(self) -> int:
        now_s = int(self._clock().wall_s)
        if now_s <= CLOCK_SET_S:
            raise Rejected(503, "nobody has set the clock of this server", {"Retry-After": "60"})
        return now_s

    # --- as a desk ---

    def configured(self, sections: Mapping[str, Mapping[str, object]]) -> None:
        """See Desk."""
        own = (section for section in sections.values() if section.get("class") != "remote")
        self._own = frozenset(str(section["id"]) for section in own if "id" in section)

    def step(self, hello: Hello | None, now_s: float) -> tuple[list[Said], list[Ask]]:
        """What was uploaded, and its answers, which wait until the ledger has it."""
        if self._fresh:
            self._fresh = False
            self._tell_of_all()
        points: list[Said] = []
        while self._todo:
            device_id, sensor_id, call, future = self._todo.popleft()
            found, reply = self._take(device_id, sensor_id, call)
            points += found
            self._handed += 1
            self._unstored.append((self._handed, reply, future))
        return points, []

    def _take(self, device_id: str, sensor_id: str, call: Call) -> tuple[list[Point], Reply]:
        known = self._known.get(sensor_id)
        if known is None:
            kind = self._of(device_id).sensors.get(sensor_id, "electricity")
            known = self._known[sensor_id] = Known(device_id, kind)
        if known.device_id != device_id:  # another's call came first
            return [], Rejected(401, NO_SENSOR).reply
        device = self._of(device_id).name
        if call.config is not None:
            known.take_config(call.config)
            self._told.know(known.sensor(sensor_id, device))
            return [], Reply(204)
        sifted = sift(call.measurements, known.last_s, self._clock().wall_s)
        sensor = known.sensor(sensor_id, device)
        points: list[Point] = []
        for time_s, total in sifted.good:
            points += self._told.take(sensor, total * 1000, time_s)
            known.last_s = time_s
        counts = {"taken": len(sifted.good), "replayed": sifted.replayed, "old": sifted.old, "future": sifted.future}
        self._counts += Counter({f"uploads_{what}": count for what, count in counts.items()})
        self._counts["uploads_no_whole_number"] += call.dropped
        return points, taken_reply(sifted)

    def _of(self, device_id: str) -> Device:
        try:
            return self._devices()[device_id]
        except (StateFault, KeyError):  # it was there when the call came
            return Device(device_id[:6], "", {})

    def _tell_of_all(self) -> None:
        devices: Mapping[str, Device] = {}
        with contextlib.suppress(StateFault):
            devices = self._devices()
        for sensor_id, known in self._known.items():
            if known.device_id in devices:
                self._told.know(known.sensor(sensor_id, devices[known.device_id].name))

    def state(self) -> dict[str, Any]:
        """By device, so that what did not change is not written again."""
        self._asked = self._handed
        states: dict[str, Any] = {
            f"{_STATE}{one}": {"beat": list(beat), "sensors": {}} for one, beat in self._beats.items()
        }
        for sensor_id, known in self._known.items():
            of_device = states.setdefault(f"{_STATE}{known.device_id}", {"beat": None, "sensors": {}})
            of_device["sensors"][sensor_id] = asdict(known)
        return states

    def restore(self, states: Mapping[str, Any]) -> None:
        """See Desk."""
        for name, state in states.items():
            if name.startswith(_STATE):
                device_id = name.removeprefix(_STATE)
                if state["beat"]:
                    self._beats[device_id] = Heartbeat(*state["beat"])
                self._known |= {one: Known(**known) for one, known in state["sensors"].items()}

    def saved(self) -> None:
        """See Desk."""
        while self._unstored and self._unstored[0][0] <= self._asked:
            _, reply, future = self._unstored.popleft()
            if not future.done():
                future.set_result(reply)

    def summary(self) -> dict[str, object]:
        """See Desk."""
        return dict(self._counts)

    def warnings(self) -> list[Fault]:
        """See Desk."""
        return [("server_devices", {"reason": self._fault})] if self._fault else []

    async def serve(self, wake: Callable[[], None]) -> None:
        """Listens for calls."""
        self._wake = wake
        await self._serve(self)
