"""The configured sensors, one by one: records of the board in, points to publish out, and a state that survives the bridge."""

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from .board_clock import SecondStamp
from .gauge import PulseGauge
from .meters import Calibrations, Meter, Moment
from .points import Point
from .power import rounded
from .readings import PulseCount
from .registers import PulseRegister, Seen
from .sensors import Sensor

# A board's window is about one second long; jitter of the two clocks stays far below this.
_EARLY_S = 0.25


class MeteredSensor:
    """A sensor measured from windows: its value with each, its energy whenever another watt-hour is full."""

    def __init__(self, sensor: Sensor, meter: Meter) -> None:
        self.sensor = sensor
        self.meter = meter
        self.series = 0
        self.stamps = (SecondStamp(_EARLY_S), SecondStamp(_EARLY_S))  # gauge, counter
        self._done_us = -1
        self._absurd = 0
        self._published_wh: int | None = None

    @property
    def refused(self) -> int:
        """Windows whose board counter went backwards, or whose numbers no board measures."""
        return self.meter.refused + self._absurd

    @property
    def seen(self) -> Seen:
        """What was taken of the board's counters in its present boot."""
        return self.meter.seen

    def begin_boot(self) -> None:
        """The board has started anew: its counters and its clock begin at zero again."""
        self.meter.seen = {}
        self._done_us = -1

    def take(self, moment: Moment, calibrations: Calibrations, end_s: float | None) -> list[Point]:
        """Count the moment when it is complete for this sensor, and publish it when its end (UTC) is known."""
        if not self._complete(moment) or moment.t_us == self._done_us:
            return []
        self._done_us = moment.t_us
        try:
            value = self.meter.take(moment, calibrations)
        except (ValueError, OverflowError):
            self._absurd += 1
            return []
        if end_s is None:
            return []
        points = []
        if value is not None and (second := self.stamps[0].take(end_s)) is not None:
            points.append(gauge(self.sensor, self.series, second, rounded(value)))
        if self.meter.total is None:
            return points
        total_wh = self.meter.total.uwh // 1_000_000
        if total_wh != self._published_wh and (second := self.stamps[1].take(end_s)) is not None:
            self._published_wh = total_wh
            points.append(counter(self.sensor, self.series, second, total_wh * 1000))
        return points

    def take_earlier(self, moment: Moment, calibrations: Calibrations, seen: Seen) -> None:
        """Count the last moment of an earlier boot, of which ``seen`` was taken already (it is brought up to date)."""
        if not self._complete(moment):
            return
        present, self.meter.seen = self.meter.seen, seen
        try:
            self.meter.take(moment, calibrations)
        except (ValueError, OverflowError):
            self._absurd += 1
        finally:
            self.meter.seen = present

    def begin_series(self) -> None:
        """A deliberate reset: the total begins at 0, in a series of its own."""
        self.series += 1
        if self.meter.total is not None:
            self.meter.total.uwh, self.meter.total.rest_uwh = 0, Fraction(0)
        self._published_wh = None

    def state(self) -> dict[str, Any]:
        """What it has to know after a restart of the bridge, for JSON."""
        total = self.meter.total
        energy = {"uwh": total.uwh, "rest": str(total.rest_uwh)} if total else {}
        stamps = [stamp.state() for stamp in self.stamps]
        return {"series": self.series, "seen": dict(self.seen), "done_us": self._done_us, "stamps": stamps} | energy

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on where state() was."""
        self.series, self.meter.seen, self._done_us = state["series"], dict(state["seen"]), state["done_us"]
        _restore_stamps(self.stamps, state["stamps"])
        if self.meter.total is not None and "uwh" in state:
            self.meter.total.uwh, self.meter.total.rest_uwh = state["uwh"], Fraction(state["rest"])

    def _complete(self, moment: Moment) -> bool:
        return moment.windows.keys() >= set(self.meter.ports) and moment.pairs.keys() >= set(self.meter.pairs)


class PulseSensor:
    """A pulse input: the total whenever pulses came, the flow from the time between them."""

    def __init__(self, sensor: Sensor) -> None:
        self.sensor = sensor
        self.register = PulseRegister(constant_milli=sensor.constant_milli)
        self.gauge = PulseGauge(medium=sensor.medium, constant_milli=sensor.constant_milli)
        self.series = 0
        self.stamps = (SecondStamp(), SecondStamp())  # gauge, counter
        self._published_milli: int | None = None
        self._waiting: int | None = None  # a flow that found its second taken

    @property
    def refused(self) -> int:
        """Records whose board counter went backwards."""
        return self.register.refused

    @property
    def seen(self) -> Seen:
        """What was taken of the board's counter in its present boot."""
        return self.register.seen

    def begin_boot(self) -> None:
        """The board has started anew: its counter begins at zero again."""
        self.register.begin_boot()
        self.gauge.begin_boot()

    def take(self, pulses: PulseCount, edge_s: float | None, made_s: float | None) -> list[Point]:
        """Count the pulses, and publish when the times (UTC) of the last pulse and of this record are known."""
        before = self.register.total_milli
        if not self.register.add(pulses):
            return []
        flow = self.gauge.take(pulses)
        self._waiting = self._waiting if flow is None else flow
        if made_s is None:
            return []
        measured_s = edge_s if self.register.total_milli > before else None
        points = []
        if self._waiting is not None and (second := _first(self.stamps[0], measured_s, made_s)) is not None:
            points.append(gauge(self.sensor, self.series, second, self._waiting))
            self._waiting = None
        total = self.register.total_milli
        if total != self._published_milli and (second := _first(self.stamps[1], measured_s, made_s)) is not None:
            self._published_milli = total
            points.append(counter(self.sensor, self.series, second, total))
        return points

    def take_earlier(self, pulses: PulseCount, seen: Seen) -> None:
        """Count the pulses of an earlier boot, of which ``seen`` was taken already (it is brought up to date)."""
        present, self.register.seen = self.register.seen, seen
        self.register.add(pulses)
        self.register.seen = present

    def begin_series(self) -> None:
        """A deliberate reset: the total begins at 0, in a series of its own."""
        self.series += 1
        self.register.total_milli, self._published_milli = 0, None

    def state(self) -> dict[str, Any]:
        """What it has to know after a restart of the bridge, for JSON."""
        return {
            "series": self.series,
            "seen": dict(self.seen),
            "total_milli": self.register.total_milli,
            "unit": self.sensor.medium.counter_unit,
            "gauge": self.gauge.state(),
            "published_milli": self._published_milli,
            "waiting": self._waiting,
            "stamps": [stamp.state() for stamp in self.stamps],
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on where state() was."""
        self.series, self.register.seen = state["series"], dict(state["seen"])
        self.register.total_milli = state["total_milli"]
        self.gauge.restore(state["gauge"])
        self._published_milli, self._waiting = state["published_milli"], state["waiting"]
        _restore_stamps(self.stamps, state["stamps"])


def gauge(sensor: Sensor, series: int, second: int, value: int) -> Point:
    """Present power, flow or voltage."""
    return Point(sensor.sensor_id, series, "gauge", second, value * 1000, sensor.gauge_unit)


def counter(sensor: Sensor, series: int, second: int, total_milli: int) -> Point:
    """Running total, in thousandths of its unit."""
    return Point(sensor.sensor_id, series, "counter", second, total_milli, sensor.medium.counter_unit)


def _first(stamp: SecondStamp, edge_s: float | None, made_s: float) -> int | None:
    # The pulse's own second if it is still free, else that of the record which reported it.
    second = stamp.take(edge_s) if edge_s is not None else None
    return stamp.take(made_s) if second is None else second


def _restore_stamps(stamps: tuple[SecondStamp, ...], states: list[Any]) -> None:
    for stamp, state in zip(stamps, states, strict=True):
        stamp.restore(state)
