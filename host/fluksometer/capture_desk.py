"""One raw capture at a time: takes requests from MQTT, puts the board's parts together, makes the answer."""

from collections import deque
from collections.abc import Iterable

from fluksometer.domain.captures import Capture, Request, answer, request_of
from fluksometer.domain.meters import Calibrations
from fluksometer.domain.readings import Hello, RawCodes
from fluksometer.domain.sensors import Sensor, SensorClass
from fluksometer.domain.topics import Message

ANSWER_S = 5.0  # a capture that is not complete by then has lost a part
WAITING_MOST = 4


class CaptureDesk:
    """``want`` and ``next`` answer what to ask the board for: a mask of ports, and how many sets."""

    def __init__(self, device_id: str, sensors: Iterable[Sensor]) -> None:
        self.topics = f"/device/{device_id}/request/+"
        self._device_id = device_id
        analog = [one for one in sensors if one.enabled and one.sensor_class is not SensorClass.PULSE]
        self._sensors = {port: one for one in reversed(analog) for port in one.ports}
        self._waiting: deque[Request] = deque(maxlen=WAITING_MOST)
        self._request: Request | None = None
        self._mask = 0
        self._capture: Capture | None = None
        self._until_s = 0.0

    def want(self, topic: str, payload: bytes, hello: Hello | None, now_s: float) -> tuple[int, int] | None:
        """A message came on one of ``topics``."""
        request = request_of(topic, payload, self._device_id)
        if request and (not request.port or request.port in self._sensors) and request not in self._waiting:
            self._waiting.append(request)
        if hello is None or (self._request and now_s < self._until_s):
            return None
        return self.next(hello, now_s)

    def next(self, hello: Hello, now_s: float) -> tuple[int, int] | None:
        """Begin with the next request, if there is one."""
        self._request = self._waiting.popleft() if self._waiting else None
        if self._request is None or not hello.clamp_ports:
            return None
        self._capture, self._until_s = None, now_s + ANSWER_S
        self._mask = self._request.ports(hello.clamp_ports)
        return self._mask, self._request.sets(hello)

    def take(self, raw: RawCodes, known: Calibrations, table: tuple[int, ...]) -> Message | None:
        """A part of a capture; the answer when it was the last."""
        if self._request is None:
            return None
        if self._capture is None or self._capture.t_us != raw.t_us:
            self._capture = Capture(raw.t_us, raw.rate_hz)
        self._capture.add(raw)
        if not self._capture.complete(self._mask):
            return None
        request, self._request = self._request, None
        return answer(request, self._capture, self._sensors, known, table, self._device_id)
