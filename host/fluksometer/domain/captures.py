"""Raw captures: their parts put together, and what people ask of them."""

import json
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final

from fluksometer.shared.records import CAPTURE_CODES

from .meters import Calibrations
from .readings import Hello, RawCodes
from .sensors import Sensor, SensorClass
from .topics import Message
from .units import LSB_V

if TYPE_CHECKING:  # NumPy takes its time: not before somebody asks
    from .arrays import Codes, Values
    from .waveform import Input

HARMONICS_S: Final = 0.18
"""Nine cycles of 50 Hz: what fits into a board's ring beside the samples that come in meanwhile."""
WAVEFORM_CYCLES: Final = 2.2
"""Two cycles, for the frequency to be found in them."""
RING_SAMPLES: Final = 15000
"""What every board's ring holds; its health record tells when it is more."""
_SLOWEST_HZ: Final = 45


@dataclass(frozen=True, slots=True)
class Request:
    """What somebody wants to see. ``port`` 0: one cycle of each input; else the harmonics of that clamp."""

    port: int

    def ports(self, sampled: int) -> int:
        """Mask of the ports to capture; ``sampled``: those that the board samples."""
        return 1 << (self.port - 1) if self.port else sampled

    def sets(self, hello: Hello, ring_samples: int = RING_SAMPLES) -> int:
        """How many codes of each port; ``ring_samples``: what the board's ring holds, of which it gives three quarters."""
        channels = hello.clamp_ports.bit_count()
        wanted = HARMONICS_S if self.port else WAVEFORM_CYCLES / _SLOWEST_HZ
        held = min(CAPTURE_CODES // self.ports(hello.clamp_ports).bit_count(), ring_samples * 3 // 4 // channels)
        return max(1, min(round(wanted * hello.rate_hz), held))


def request_of(topic: str, payload: bytes, device_id: str) -> Request | None:
    """The request in a message of ``/device/<id>/request/...``; None when it is none. Any bytes may come."""
    what = topic.removeprefix(f"/device/{device_id}/request/")
    if what == "waveform":
        return Request(0)
    if what == "harmonics" and payload.strip() in (b"1", b"2", b"3"):
        return Request(int(payload))
    return None


@dataclass(slots=True)
class Capture:
    """Codes by port as they come; complete when none is missing."""

    t_us: int
    rate_hz: int
    codes: dict[int, "list[bytes]"] = field(default_factory=dict)
    missing: dict[int, int] = field(default_factory=dict)

    def add(self, raw: RawCodes) -> None:
        """One part. Parts of a port come in order; one that does not fit leaves the capture incomplete."""
        parts = self.codes.setdefault(raw.port, [])
        if raw.first != sum(len(part) for part in parts) // 2 or len(raw.codes) % 2:
            return
        parts.append(raw.codes)
        self.missing[raw.port] = raw.total - raw.first - len(raw.codes) // 2

    def complete(self, ports: int) -> bool:
        """Whether all ports of the mask are there."""
        return all(self.missing.get(port) == 0 for port in (1, 2, 3) if ports >> (port - 1) & 1)

    def column(self, port: int) -> "Codes":
        """Codes of a port. Raises ValueError when they are no converter's."""
        import numpy as np

        codes = np.frombuffer(b"".join(self.codes[port]), dtype="<u2")
        if codes.max() > 4095:
            raise ValueError(f"code {codes.max()} exceeds 4095")
        return codes


def answer(
    request: Request,
    capture: Capture,
    sensors: dict[int, Sensor],
    known: Calibrations,
    steps: tuple[int, ...],
    device_id: str,
) -> Message:
    """What to publish. ``steps``: the converter's table in 1/8 LSB. An input that can't be analysed is told with the reason."""
    import numpy as np

    from .waveform import waveform

    table = np.array(steps, dtype=np.float64) / 8
    try:
        if request.port:
            told = _harmonics(
                table[capture.column(request.port)], capture, sensors[request.port], known[request.port].gain
            )
        else:
            ports = sorted(port for port in capture.codes if port in sensors)
            values = np.stack([table[capture.column(port)] for port in ports], axis=1)
            inputs = [_input(port, sensors[port], float(known[port].gain)) for port in ports]
            told = waveform(values, capture.rate_hz, inputs)
    except ValueError as error:  # UnfitCapture is one
        return refusal(request, str(error), device_id)
    return _message(request, told, device_id)


def refusal(request: Request, reason: str, device_id: str) -> Message:
    """What to publish when there is no answer, for people to read."""
    return _message(request, {"error": reason}, device_id)


def _message(request: Request, told: dict[str, Any], device_id: str) -> Message:
    topic = f"/device/{device_id}/harmonics/{request.port}" if request.port else f"/device/{device_id}/waveform"
    return Message(topic, json.dumps(told, separators=(",", ":")), retain=False)


def _input(port: int, sensor: Sensor, gain: float) -> "Input":
    from .waveform import Input

    voltage = sensor.sensor_class is SensorClass.VOLTAGE
    scale = sensor.adapter_v if voltage else sensor.clamp_a
    return Input(port=port, unit="V" if voltage else "A", per_lsb=float(LSB_V * scale) * gain)


def _harmonics(values: "Values", capture: Capture, sensor: Sensor, gain: Fraction) -> dict[str, Any]:
    from .harmonics import harmonics

    one = _input(sensor.port, sensor, float(gain))
    found = harmonics(values, capture.rate_hz)
    return {
        "frequency_hz": round(found.frequency_hz, 4),
        "cycles": found.cycles,
        "unit": one.unit,
        "rms": round(found.rms_lsb * one.per_lsb, 5),
        "thd_percent": round(found.thd * 100, 3),
        "crest_factor": round(found.crest_factor, 4),
        "orders": [None if rms is None else round(rms * one.per_lsb, 6) for rms in found.order_rms_lsb],
    }
