"""The configured sensors at work: records of the board in, points to publish out."""

from collections.abc import Iterable, Mapping
from fractions import Fraction
from typing import Any

from .bank_sensors import MeteredSensor, PulseSensor
from .meters import NOMINAL_HZ, Calibrations, InputCalibration, Moment, meter_of
from .points import Point
from .readings import ClampWindow, PairWindow, PulseCount, usb_serial
from .registers import Seen
from .sensors import Sensor, SensorClass

_BOOTS = 32  # boots of boards that are remembered


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
        self.uid: int | None = None  # of the board that was read last
        self._boots: list[int] = []  # that something was counted of, the present one last
        self._former: tuple[int, dict[str, Seen]] | None = (
            None  # the boot before, and what was taken of it by sensor id
        )
        self._earlier: Moment | None = None

    @property
    def refused(self) -> int:
        """Readings refused because a counter of the board went backwards."""
        return sum(one.refused for one in self._all())

    @property
    def series(self) -> dict[str, int]:
        """Series of each sensor's total, by sensor id."""
        return {one.sensor.sensor_id: one.series for one in self._all()}

    @property
    def usb_serial(self) -> str | None:
        """Serial number on USB of the board that was read last."""
        return None if self.uid is None else usb_serial(self.uid)

    def begin_boot(self, boot_id: int = 0, uid: int = 0) -> None:
        """The board, or another one, has started anew: its counters begin at zero again. ``uid``: of the chip; what other chips
        counted earlier is nothing of ours."""
        same_board, self.uid = uid == self.uid, uid
        seen = {one.sensor.sensor_id: one.seen for one in self._all()}
        self._former = (self._boots[-1], seen) if self._boots and same_board else None
        self._boots = [*self._boots, boot_id][-_BOOTS:]
        self._moment = self._earlier = None
        for one in self._all():
            one.begin_boot()

    def take_window(self, window: ClampWindow, end_s: float | None) -> list[Point]:
        """Points that became possible with a clamp window."""
        moment = self._moment_of(window)
        moment.windows[window.port] = window
        if window.frequency_mhz:
            moment.frequency_hz = self._frequency_hz = window.frequency_mhz / 1000
        return self._take_moment(moment, end_s)

    def take_pair(self, pair: PairWindow, end_s: float | None) -> list[Point]:
        """Points that became possible with the products of two clamps."""
        moment = self._moment
        if moment is None or moment.t_us != pair.t_us:
            return []  # its clamps come before it; without them it says nothing
        moment.pairs[(pair.a_port, pair.b_port)] = pair
        return self._take_moment(moment, end_s)

    def take_pulses(self, pulses: PulseCount, edge_s: float | None, made_s: float | None) -> list[Point]:
        """Points of a pulse record; none when its port is no enabled pulse input."""
        sensor = self.pulses.get(pulses.port)
        return sensor.take(pulses, edge_s, made_s) if sensor else []

    def take_earlier(self, boot_id: int, reading: ClampWindow | PairWindow | PulseCount) -> bool:
        """Count what an earlier boot of this board had measured. False when it is nothing to count: known already, or a
        stranger's. It is published with the next value of its sensor."""
        if self._former is None or (boot_id != self._former[0] and boot_id in self._boots):
            return False
        if boot_id != self._former[0]:  # a boot between the one known last and the present one: all of it is new
            self._former = boot_id, {}
            self._boots = [*self._boots[:-1], boot_id, self._boots[-1]][-_BOOTS:]
            self._earlier = None
        seen = self._former[1]
        if isinstance(reading, PulseCount):
            if sensor := self.pulses.get(reading.port):
                sensor.take_earlier(reading, seen.setdefault(sensor.sensor.sensor_id, {}))
            return True
        moment = self._earlier
        if moment is None or moment.t_us != reading.t_us:
            if isinstance(reading, PairWindow):
                return True  # without its clamps
            self._earlier = moment = _new_moment(reading, self._frequency_hz, self.told_v)
        if isinstance(reading, PairWindow):
            moment.pairs[(reading.a_port, reading.b_port)] = reading
        else:
            moment.windows[reading.port] = reading
        for one in self.metered:  # what was taken already has not grown
            one.take_earlier(moment, self.calibrations, seen.setdefault(one.sensor.sensor_id, {}))
        return True

    def whole(self, pairs: int) -> bool:
        """Whether no moment is open: all records of the last one have come. ``pairs``: how many the board reports."""
        moment = self._moment
        return moment is None or (len(moment.windows) == len(moment.clamp_ports) and len(moment.pairs) >= pairs)

    def clock_set_back(self) -> None:
        """The host's clock was stepped back: seconds already used no longer count."""
        for stamp in (stamp for one in self._all() for stamp in one.stamps):
            stamp.reset()

    def state(self) -> dict[str, Any]:
        """By name, what has to be known after a restart of the bridge, for JSON."""
        former = {"boot_id": self._former[0], "seen": self._former[1]} if self._former else None
        boot = {"boot_id": self._boots[-1] if self._boots else 0}
        states: dict[str, Any] = {f"sensor {one.sensor.sensor_id}": one.state() | boot for one in self._all()}
        return states | {"boots": {"uid": self.uid, "ids": self._boots, "former": former}}

    def restore(self, states: Mapping[str, Any]) -> None:
        """Go on where state() was; sensors that are new begin at zero."""
        if boots := states.get("boots"):
            former = boots["former"]
            self.uid, self._boots = boots["uid"], list(boots["ids"])
            self._former = (former["boot_id"], former["seen"]) if former else None
        for one in self._all():
            if state := states.get(f"sensor {one.sensor.sensor_id}"):
                one.restore(state)
                if state["boot_id"] != (self._boots[-1] if self._boots else 0):
                    one.begin_boot()  # it was out of use when the board started

    def begin_series(self, sensor_id: str) -> bool:
        """A deliberate reset of this sensor's total. False when there is no such sensor."""
        found = [one for one in self._all() if one.sensor.sensor_id == sensor_id]
        for one in found:
            one.begin_series()
        return bool(found)

    def _all(self) -> list[MeteredSensor | PulseSensor]:
        return [*self.metered, *self.pulses.values()]

    def _moment_of(self, window: ClampWindow) -> Moment:
        if self._moment is None or self._moment.t_us != window.t_us:
            self._moment = _new_moment(window, self._frequency_hz, self.told_v)
        return self._moment

    def _take_moment(self, moment: Moment, end_s: float | None) -> list[Point]:
        return [point for one in self.metered for point in one.take(moment, self.calibrations, end_s)]


def _new_moment(window: ClampWindow, frequency_hz: float, told_v: Mapping[int, Fraction]) -> Moment:
    ports = tuple(port for port in (1, 2, 3) if window.ports >> (port - 1) & 1)
    return Moment(window.t_us, window.rate_hz, ports, frequency_hz, told_v=told_v)


def plain_calibrations(sensors: Iterable[Sensor]) -> dict[int, InputCalibration]:
    """What is known of each port without any calibration: the typical phase of its clamp."""
    return {port: InputCalibration(phase_deg=sensor.phase_deg) for sensor in sensors for port in sensor.ports}
