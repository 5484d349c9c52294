"""The configured sensors at work: readings in, messages to publish out."""

from collections.abc import Iterable
from fractions import Fraction

from .board_clock import SecondStamp
from .gauge import PulseGauge
from .meters import NOMINAL_HZ, Calibrations, InputCalibration, Meter, Moment, meter_of
from .power import rounded
from .readings import ClampWindow, PairWindow, PulseCount
from .registers import PulseRegister
from .sensors import Sensor, SensorClass
from .topics import Message, counter, gauge

# A board's window is about one second long; jitter of the two clocks stays far below this.
_EARLY_S = 0.25


class MeteredSensor:
    """A sensor measured from windows: its value with each, its energy whenever another watt-hour is full."""

    def __init__(self, sensor: Sensor, meter: Meter) -> None:
        self.sensor = sensor
        self.meter = meter
        self.stamps = (SecondStamp(_EARLY_S), SecondStamp(_EARLY_S))  # gauge, counter
        self._done_us = -1
        self._absurd = 0
        self._published_wh: int | None = None

    @property
    def refused(self) -> int:
        """Windows whose board counter went backwards, or whose numbers no board measures."""
        return self.meter.refused + self._absurd

    def begin_boot(self) -> None:
        """The board has started anew: its counters and its clock begin at zero again."""
        self.meter.begin_boot()
        self._done_us = -1

    def take(self, moment: Moment, calibrations: Calibrations, end_s: float | None) -> list[Message]:
        """Count the moment when it is complete for this sensor, and publish it when its end (UTC) is known."""
        complete = moment.windows.keys() >= set(self.meter.ports) and moment.pairs.keys() >= set(self.meter.pairs)
        if not complete or moment.t_us == self._done_us:
            return []
        self._done_us = moment.t_us
        try:
            value = self.meter.take(moment, calibrations)
        except (ValueError, OverflowError):
            self._absurd += 1
            return []
        if end_s is None:
            return []
        messages = []
        if value is not None and (second := self.stamps[0].take(end_s)) is not None:
            messages.append(gauge(self.sensor, second, rounded(value)))
        if self.meter.total is None:
            return messages
        total_wh = self.meter.total.uwh // 1_000_000
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

    @property
    def refused(self) -> int:
        """Records whose board counter went backwards."""
        return self.register.refused

    def begin_boot(self) -> None:
        """The board has started anew: its counter begins at zero again."""
        self.register.begin_boot()
        self.gauge.begin_boot()

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
    """All enabled sensors."""

    def __init__(self, sensors: Iterable[Sensor]) -> None:
        enabled = [sensor for sensor in sensors if sensor.enabled]
        adapter = next((one for one in enabled if one.sensor_class is SensorClass.VOLTAGE), None)
        analog = [sensor for sensor in enabled if sensor.sensor_class is not SensorClass.PULSE]
        self.metered = [MeteredSensor(sensor, meter_of(sensor, adapter)) for sensor in analog]
        self.pulses = {s.port: PulseSensor(s) for s in enabled if s.sensor_class is SensorClass.PULSE}
        self.calibrations: Calibrations = plain_calibrations(analog)
        self.told_v: dict[int, Fraction] = {}  # voltage by line, as the smart meter tells it now
        self._moment: Moment | None = None
        self._frequency_hz = NOMINAL_HZ  # as measured last

    @property
    def refused(self) -> int:
        """Readings refused because a counter of the board went backwards."""
        return sum(one.refused for one in self._all())

    def begin_boot(self) -> None:
        """The board has started anew: its counters begin at zero again."""
        self._moment = None
        for one in self._all():
            one.begin_boot()

    def take_window(self, window: ClampWindow, end_s: float | None) -> list[Message]:
        """Messages that became possible with a clamp window."""
        moment = self._moment_of(window)
        moment.windows[window.port] = window
        if window.frequency_mhz:
            moment.frequency_hz = self._frequency_hz = window.frequency_mhz / 1000
        return self._take_moment(moment, end_s)

    def take_pair(self, pair: PairWindow, end_s: float | None) -> list[Message]:
        """Messages that became possible with the products of two clamps."""
        moment = self._moment
        if moment is None or moment.t_us != pair.t_us:
            return []  # its clamps come before it; without them it says nothing
        moment.pairs[(pair.a_port, pair.b_port)] = pair
        return self._take_moment(moment, end_s)

    def take_pulses(self, pulses: PulseCount, edge_s: float | None, made_s: float | None) -> list[Message]:
        """Messages of a pulse record; none when its port is no enabled pulse input."""
        sensor = self.pulses.get(pulses.port)
        return sensor.take(pulses, edge_s, made_s) if sensor else []

    def clock_set_back(self) -> None:
        """The host's clock was stepped back: seconds already used no longer count."""
        for stamp in (stamp for one in self._all() for stamp in one.stamps):
            stamp.reset()

    def _all(self) -> list[MeteredSensor | PulseSensor]:
        return [*self.metered, *self.pulses.values()]

    def _moment_of(self, window: ClampWindow) -> Moment:
        if self._moment is None or self._moment.t_us != window.t_us:
            ports = tuple(port for port in (1, 2, 3) if window.ports >> (port - 1) & 1)
            self._moment = Moment(window.t_us, window.rate_hz, ports, self._frequency_hz, told_v=self.told_v)
        return self._moment

    def _take_moment(self, moment: Moment, end_s: float | None) -> list[Message]:
        return [message for one in self.metered for message in one.take(moment, self.calibrations, end_s)]


def plain_calibrations(sensors: Iterable[Sensor]) -> dict[int, InputCalibration]:
    """What is known of each port without any calibration: the typical phase of its clamp."""
    return {port: InputCalibration(phase_deg=sensor.phase_deg) for sensor in sensors for port in sensor.ports}
