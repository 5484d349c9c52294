"""The configured sensors at work: readings in, messages to publish out."""

from collections.abc import Iterable

from .board_clock import SecondStamp
from .gauge import PulseGauge
from .readings import ClampWindow, PulseCount
from .registers import ClampRegister, PulseRegister
from .sensors import Sensor, SensorClass
from .topics import Message, counter, gauge
from .units import mean_square_lsb2, power_w

# A board's window is about one second long; jitter of the two clocks stays far below this.
_EARLY_S = 0.25


class ClampSensor:
    """A clamp: power every window, energy whenever another watt-hour is full."""

    def __init__(self, sensor: Sensor) -> None:
        self.sensor = sensor
        self.register = ClampRegister(clamp_a=sensor.clamp_a, voltage_v=sensor.voltage_v)
        self.stamps = (SecondStamp(_EARLY_S), SecondStamp(_EARLY_S))  # gauge, counter
        self._published_wh: int | None = None

    def take(self, window: ClampWindow, end_s: float | None) -> list[Message]:
        """Count the window, and publish it when its end (UTC) is known."""
        if not self.register.add(window) or end_s is None:
            return []
        messages = []
        if (second := self.stamps[0].take(end_s)) is not None:
            square = mean_square_lsb2(samples=window.samples, sum_sq=window.sum_sq, sum_lsb=window.sum_)
            watts = power_w(square, clamp_a=self.sensor.clamp_a, voltage_v=self.sensor.voltage_v)
            messages.append(gauge(self.sensor, second, watts))
        total_wh = self.register.total_wh
        if total_wh != self._published_wh and (second := self.stamps[1].take(end_s)) is not None:
            self._published_wh = total_wh
            messages.append(counter(self.sensor, second, total_wh * 1000))
        return messages


class PulseSensor:
    """A pulse input: the total whenever pulses came, the flow from the time between them."""

    def __init__(self, sensor: Sensor) -> None:
        self.sensor = sensor
        self.register = PulseRegister(constant_milli=sensor.constant_milli)
        self.gauge = PulseGauge(medium=sensor.medium, constant_milli=sensor.constant_milli)
        self.stamps = (SecondStamp(), SecondStamp())  # gauge, counter
        self._published_milli: int | None = None
        self._waiting: int | None = None  # a flow that found its second taken

    def take(self, pulses: PulseCount, edge_s: float | None, made_s: float | None) -> list[Message]:
        """Count the pulses, and publish when the times (UTC) of the last pulse and of this record are known."""
        before = self.register.total_milli
        if not self.register.add(pulses):
            return []
        flow = self.gauge.take(pulses)
        self._waiting = self._waiting if flow is None else flow
        if made_s is None:
            return []
        measured_s = edge_s if self.register.total_milli > before else None
        messages = []
        if self._waiting is not None and (second := _first(self.stamps[0], measured_s, made_s)) is not None:
            messages.append(gauge(self.sensor, second, self._waiting))
            self._waiting = None
        total = self.register.total_milli
        if total != self._published_milli and (second := _first(self.stamps[1], measured_s, made_s)) is not None:
            self._published_milli = total
            messages.append(counter(self.sensor, second, total))
        return messages


def _first(stamp: SecondStamp, edge_s: float | None, made_s: float) -> int | None:
    # The pulse's own second if it is still free, else that of the record which reported it.
    second = stamp.take(edge_s) if edge_s is not None else None
    return stamp.take(made_s) if second is None else second


class SensorBank:
    """All enabled sensors by port."""

    def __init__(self, sensors: Iterable[Sensor]) -> None:
        enabled = [sensor for sensor in sensors if sensor.enabled]
        self.clamps = {s.port: ClampSensor(s) for s in enabled if s.sensor_class is SensorClass.ANALOG}
        self.pulses = {s.port: PulseSensor(s) for s in enabled if s.sensor_class is SensorClass.PULSE}

    @property
    def refused(self) -> int:
        """Readings refused because a counter of the board went backwards."""
        both: list[ClampSensor | PulseSensor] = [*self.clamps.values(), *self.pulses.values()]
        return sum(one.register.refused for one in both)

    def begin_boot(self) -> None:
        """The board has started anew: its counters begin at zero again."""
        for clamp in self.clamps.values():
            clamp.register.begin_boot()
        for sensor in self.pulses.values():
            sensor.register.begin_boot()
            sensor.gauge.begin_boot()

    def take_window(self, window: ClampWindow, end_s: float | None) -> list[Message]:
        """Messages of a clamp window; none when its port is no enabled clamp."""
        clamp = self.clamps.get(window.port)
        return clamp.take(window, end_s) if clamp else []

    def take_pulses(self, pulses: PulseCount, edge_s: float | None, made_s: float | None) -> list[Message]:
        """Messages of a pulse record; none when its port is no enabled pulse input."""
        sensor = self.pulses.get(pulses.port)
        return sensor.take(pulses, edge_s, made_s) if sensor else []

    def clock_set_back(self) -> None:
        """The host's clock was stepped back: seconds already used no longer count."""
        both: list[ClampSensor | PulseSensor] = [*self.clamps.values(), *self.pulses.values()]
        for stamp in (stamp for one in both for stamp in one.stamps):
            stamp.reset()
