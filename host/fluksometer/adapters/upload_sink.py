"""Uploads totals to a Flukso-compatible server, as a Fluksometer does (docs/upload.md): behind a cursor, thinned, signed."""

import base64
import contextlib
import gzip
import socket
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from fluksometer.domain.flukso_call import compact, heartbeat_fields, is_signed, measurements_body, request_headers
from fluksometer.domain.server_light import ServerLight
from fluksometer.domain.upload_queue import UploadQueue
from fluksometer.errors import StateFault
from fluksometer.http_call import Answer, HttpCaller
from fluksometer.sinks import RETRY_LEAST_S, BatchSink, Seat, Undelivered

_BLOCK: Final = 5000
_HEARTBEAT_S: Final = 3600.0
_TAKEN: Final = (200, 204)
_EMPTY_LOG: Final = base64.b64encode(gzip.compress(b"", mtime=0)).decode()  # the log stays at home


@dataclass(frozen=True, slots=True)
class Account:
    """Who uploads. ``port``: of the local API, 0 when there is none."""

    device_id: str
    key: str  # 32 hex digits
    port: int = 0


class UploadSink(BatchSink):
    """The sink "upload": each ``every_s`` seconds what is new, sensor after sensor."""

    def __init__(
        self,
        caller: HttpCaller,
        account: Account,
        queue: UploadQueue,
        seat: Seat,
        *,
        every_s: float,
        light: ServerLight,
        configs: Callable[[], Mapping[str, Mapping[str, Any]]],
        warn: Callable[[str, str], None],
    ) -> None:
        """``configs``: of the sensors, by id, told to the server once each. ``warn``: event and reason, for the log. Both are
        called in the sink's thread."""
        super().__init__("upload", lambda _points: None, seat, every_s=every_s)
        self._caller, self._account, self._queue, self._light, self._warn = caller, account, queue, light, warn
        self._configs = configs
        self._told: dict[str, Mapping[str, Any]] = {}  # by sensor: the configuration that the server was told
        self._began_s = time.monotonic()
        self._heartbeat_at_s: float | None = None  # None: none has been sent yet

    def _drain(self) -> float:
        try:
            self._read_on()
            self._heartbeat()
            self._send_all()
        except (StateFault, Undelivered) as fault:
            self._light.called(False)
            return self._failed(fault)
        self.cursor = self._sent_id
        self._retry_s = RETRY_LEAST_S
        self._say(None)
        return 0.0

    def _failed(self, fault: Exception) -> float:
        read_id = self._sent_id
        wait_s = super()._failed(fault)
        self._sent_id = read_id  # what is read waits in the queue
        return wait_s

    def _read_on(self) -> None:
        now_s = int(time.time())
        while points := self._outbox.read(self._sent_id, _BLOCK):
            for _, point in points:
                self._queue.add(point, now_s)
            self._sent_id = points[-1][0]

    def _send_all(self) -> None:
        refused = []
        for sensor_id, measurements in self._queue.thinned(int(time.time())).items():
            self._tell_config(sensor_id)
            answer = self._post(f"/sensor/{sensor_id}", measurements_body(measurements))
            if answer.status in _TAKEN:
                self._queue.sent(sensor_id)
                self.published += len(measurements)
                self._light.called(True)
            elif answer.status >= 500 or answer.status == 429:
                raise Undelivered(f"{self._caller.server}: {_why(answer)}", answer.retry_after_s)
            else:
                refused.append(f"sensor {sensor_id}: {_why(answer)}")
        if refused:
            raise Undelivered(f"{self._caller.server} refuses {len(refused)} sensors, the first is {refused[0]}")

    def _tell_config(self, sensor_id: str) -> None:
        config = self._configs().get(sensor_id)
        if not config or self._told.get(sensor_id) == config:
            return
        answer = self._post(f"/sensor/{sensor_id}", compact({"config": config}))
        self._told[sensor_id] = config
        if answer.status not in _TAKEN:  # it needs none to take measurements
            self._warn("upload_config", f"sensor {sensor_id}: {_why(answer)}")

    def _post(self, path: str, body: bytes) -> Answer:
        return self._caller.post(path, body, request_headers(self._account.key, body))

    def _heartbeat(self) -> None:
        now_s = time.monotonic()
        if self._stopping.is_set() or (self._heartbeat_at_s is not None and now_s < self._heartbeat_at_s):
            return
        fields = heartbeat_fields(
            reset=self._heartbeat_at_s is None,
            now_s=int(time.time()),
            uptime_s=int(now_s - self._began_s),
            memory_kb=_memory_kb(),
            port=self._account.port,
            syslog=_EMPTY_LOG,
            ip=_own_ip(self._caller.server),
        )
        answer = self._post(f"/device/{self._account.device_id}", compact(fields))
        self._heartbeat_at_s = now_s + _HEARTBEAT_S
        self._light.called(answer.status in _TAKEN)
        if answer.status not in _TAKEN:
            self._warn("upload_heartbeat", _why(answer))
        elif not is_signed(self._account.key, answer.body, answer.headers.get("X-Digest", "")):
            self._warn(
                "upload_heartbeat", "the server's answer is not signed with this device's key: is it your server?"
            )


def _why(answer: Answer) -> str:
    said = answer.headers.get("WWW-Authenticate") or answer.text
    return f"HTTP {answer.status}" + (f": {' '.join(said.split())[:200]}" if said else "")


def _memory_kb(meminfo: Path = Path("/proc/meminfo")) -> dict[str, int]:
    found = {}
    with contextlib.suppress(OSError):
        for line in meminfo.read_text().splitlines():
            name, _, rest = line.partition(":")
            number = rest.split()[0] if rest.split() else ""
            if number.isdigit():
                found[name] = int(number)
    return found


def _own_ip(server: str) -> str:
    # The address that this host has towards the server; a UDP socket that is connected sends nothing.
    parts = urlsplit(server)
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect((parts.hostname or "", parts.port or 443))
        return str(probe.getsockname()[0])
    return ""
