"""One raw capture at a time: takes requests from MQTT, puts the board's parts together, makes the answer."""

from collections import deque
from collections.abc import Iterable

from fluksometer.domain.captures import RING_SAMPLES, Capture, Request, answer, refusal, request_of
from fluksometer.domain.meters import Calibrations
from fluksometer.domain.readings import Hello, RawCodes
from fluksometer.domain.sensors import Sensor, SensorClass
from fluksometer.domain.topics import Message

ANSWER_S = 5.0  # a capture that is not complete by then has lost a part

Ask = tuple[int, int]
"""What to ask the board for: a mask of ports, and how many codes of each."""


class CaptureDesk:
    """``want`` takes requests, ``step`` begins and ends them, ``take`` gets what the board sends. Every request is answered."""

    def __init__(self, device_id: str, sensors: Iterable[Sensor]) -> None:
        self.topics = f"/device/{device_id}/request/+"
        self.ring_samples = RING_SAMPLES  # of the board, as far as it has told
        self._device_id = device_id
        analog = [one for one in sensors if one.enabled and one.sensor_class is not SensorClass.PULSE]
        self._sensors = {port: one for one in reversed(analog) for port in one.ports}
        self._waiting: deque[Request] = deque()  # each kind once
        self._request: Request | None = None
        self._asked: Ask = (0, 0)
        self._capture: Capture | None = None
        self._until_s = 0.0

    def want(self, topic: str, payload: bytes) -> None:
        """A message came on one of ``topics``. Any bytes."""
        request = request_of(topic, payload, self._device_id)
        if request and request not in self._waiting:
            self._waiting.append(request)

    def next_deadline_s(self) -> float | None:
        """When step() wants to be called beside after each of the other calls; None: never."""
        return self._until_s if self._request else None

    def step(self, hello: Hello | None, now_s: float) -> tuple[list[Message], Ask | None]:
        """Ends what lasted too long and begins with the next request: what to publish, what to ask the board for."""
        messages = []
        if self._request and now_s >= self._until_s:
            messages.append(refusal(self._request, "the board did not send it all: try again", self._device_id))
            self._request = None
        while self._request is None and self._waiting:
            request = self._waiting.popleft()
            reason = self._obstacle(request, hello)
            if reason or hello is None:
                messages.append(refusal(request, reason, self._device_id))
                continue
            self._request, self._capture, self._until_s = request, None, now_s + ANSWER_S
            self._asked = request.ports(hello.clamp_ports), request.sets(hello, self.ring_samples)
            return messages, self._asked
        return messages, None

    def _obstacle(self, request: Request, hello: Hello | None) -> str:
        if request.port and request.port not in self._sensors:
            return f"no clamp and no voltage is measured on port {request.port}"
        if not self._sensors:
            return "no clamp and no voltage is measured"
        if hello is None:
            return "no board is there"
        if hello.clamp_ports != sum(1 << (port - 1) for port in self._sensors):
            return "the board is being set: try again"
        return ""

    def take(self, raw: RawCodes, known: Calibrations, table: tuple[int, ...]) -> Message | None:
        """A part of a capture; the answer when it was the last."""
        mask, sets = self._asked
        if self._request is None or not mask >> (raw.port - 1) & 1 or raw.total != sets:
            return None
        if self._capture is None or self._capture.t_us != raw.t_us:
            self._capture = Capture(raw.t_us, raw.rate_hz)
        self._capture.add(raw)
        if not self._capture.complete(mask):
            return None
        request, self._request = self._request, None
        return answer(request, self._capture, self._sensors, known, table, self._device_id)
