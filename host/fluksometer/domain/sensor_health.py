"""How good each sensor's readings are, judged from what comes of it. Pure; monotonic times come in as arguments."""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from . import wire
from .fault_register import Condition
from .pulse_watch import PulseWatch
from .readings import ClampWindow, PulseCount
from .sensors import Sensor, SensorClass

CLAMP_STALE_S: Final = 5.0
PULSE_STALE_S: Final = 10.0
CHATTER_S: Final = 60.0
_WINDOWS: Final = 10
_BEGINS_AT: Final = {wire.CLIPPED: 3, wire.GAP: 2, wire.NO_SIGNAL: 3, wire.BIAS_MOVED: 5, wire.NO_MAINS: 5}
"""So many of the last ten windows have a flag when it counts; it counts no more when none of them has it."""


class Quality(StrEnum):
    """Of a sensor's readings, best first."""

    GOOD = "good"
    UNCERTAIN = "uncertain"  # they come, and may be wrong
    BAD = "bad"  # they come, and say nothing
    STALE = "stale"  # none came for too long
    NEVER = "never"  # none came since the bridge started


@dataclass(frozen=True, slots=True, kw_only=True)
class SensorHealth:
    """Of one sensor."""

    sensor_id: str
    function: str
    age_s: float | None  # since something came last; None: never
    quality: Quality
    reason: str = ""  # empty when good


_CLAMP_WORDS: Final = {
    wire.NO_SIGNAL: (Quality.BAD, "the input is dead: every sample is the same"),
    wire.CLIPPED: (Quality.UNCERTAIN, "the current is higher than the input can show"),
    wire.GAP: (Quality.UNCERTAIN, "the board loses samples"),
    wire.BIAS_MOVED: (Quality.UNCERTAIN, "the input's rest level keeps moving"),
}
"""By flag, the worst first."""
_VOLTAGE_WORDS: Final = _CLAMP_WORDS | {
    wire.NO_MAINS: (Quality.BAD, "no mains are seen"),
    wire.CLIPPED: (Quality.UNCERTAIN, "the voltage is higher than the input can show"),
}
_BESIDE: Final = "the voltage that it is measured with: "


class _Port:
    """What came of a port of the board lately."""

    def __init__(self) -> None:
        self.heard_s: float | None = None
        self.flags = 0  # those that count
        self._windows: deque[int] = deque(maxlen=_WINDOWS)

    def take(self, flags: int) -> None:
        self._windows.append(flags)
        for flag, least in _BEGINS_AT.items():
            seen = sum(1 for one in self._windows if one & flag)
            if seen >= least:
                self.flags |= flag
            elif not seen:
                self.flags &= ~flag


class PortSensors:
    """The configured sensors, measured at ports of the board."""

    def __init__(self, sensors: Iterable[Sensor]) -> None:
        self._sensors = [sensor for sensor in sensors if sensor.enabled]
        voltage = (sensor.port for sensor in self._sensors if sensor.sensor_class is SensorClass.VOLTAGE)
        self._voltage_port = next(voltage, 0)
        self._ports = {port: _Port() for sensor in self._sensors for port in sensor.ports}
        self._pulse_watch = PulseWatch()
        self._chatter: dict[int, tuple[float, str]] = {}  # by port: when, and what is wrong
        self._since_s: float | None = None  # the board has been there

    def take_window(self, window: ClampWindow, now_s: float) -> None:
        """A window of a clamp or the voltage."""
        if port := self._ports.get(window.port):
            port.heard_s = now_s
            port.take(window.flags if window.port == self._voltage_port else window.flags & ~wire.NO_MAINS)

    def take_pulses(self, boot_id: int, pulses: PulseCount, now_s: float) -> None:
        """A pulse record, with pulses or without."""
        if port := self._ports.get(pulses.port):
            port.heard_s = now_s
            if sentence := self._pulse_watch.take(boot_id, pulses):
                self._chatter[pulses.port] = now_s, sentence

    def board_there(self, there: bool, now_s: float) -> None:
        """Called each second: whether a board sends records. Before it does, no port is expected to."""
        self._since_s = (now_s if self._since_s is None else self._since_s) if there else None

    def sensors(self, now_s: float, absent: str) -> Iterator[SensorHealth]:
        """All of them. ``absent``: why no board is there; empty if it is."""
        for sensor in self._sensors:
            heard = [self._ports[port].heard_s for port in sensor.ports]
            known = [one for one in heard if one is not None]
            age_s = now_s - min(known) if len(known) == len(heard) else None
            quality, reason = Quality.NEVER, absent or "nothing has come yet"
            if age_s is not None:
                quality, reason = self._judge(sensor, now_s)
            if age_s is not None and age_s > _stale_s(sensor):
                quality, reason = Quality.STALE, absent or "the board sends nothing of it"
            yield SensorHealth(
                sensor_id=sensor.sensor_id, function=sensor.function, age_s=age_s, quality=quality, reason=reason
            )

    def conditions(self, now_s: float) -> Iterator[Condition]:
        """What is wrong at the ports."""
        for number, port in self._ports.items():
            yield from self._port_conditions(number, port)
            chatter = self._chatter_of(number, now_s)
            if chatter:
                yield Condition(what="pulse_chatter", of="port", subject=number, says=chatter, logged=True)
        losing = [str(number) for number, port in self._ports.items() if port.flags & wire.GAP]
        if losing:
            says = f"the board loses samples (port {', '.join(losing)}): lower board.rate_hz, or use fewer terminals"
            yield Condition(what="samples_lost", says=says)
        yield from self._silent(now_s)

    def _port_conditions(self, number: int, port: _Port) -> Iterator[Condition]:
        def one(what: str, says: str, grave: bool = False) -> Condition:
            return Condition(what=what, of="port", subject=number, says=f"port {number}: {says}", grave=grave)

        is_voltage = number == self._voltage_port
        if port.flags & wire.NO_SIGNAL:
            says = "every sample is the same: push the plug in, and check the wires of the input (docs/wiring.md)"
            yield one("clamp_open", says, grave=True)
        elif port.flags & wire.NO_MAINS:
            yield one("voltage_missing", "no mains are seen: plug the voltage adapter in", grave=True)
        if port.flags & wire.CLIPPED:
            fix = "use an adapter with a lower output, or a larger divider" if is_voltage else "use a larger clamp"
            yield one("clamp_clipped", f"the wave is cut off, readings are too low: {fix} (docs/wiring.md)")
        if port.flags & wire.BIAS_MOVED:
            yield one("clamp_loose", "the rest level keeps moving: look for a loose plug or a broken wire")

    def _silent(self, now_s: float) -> Iterator[Condition]:
        if self._since_s is None:
            return
        for sensor in self._sensors:
            for number in sensor.ports:
                heard_s = self._ports[number].heard_s
                since_s = self._since_s if heard_s is None else max(heard_s, self._since_s)
                if now_s - since_s > PULSE_STALE_S:
                    says = f"port {number}: the board sends nothing of it: reset the board; if that does not help, ./flash.sh"
                    yield Condition(what="port_silent", of="port", subject=number, says=says, grave=True)

    def _judge(self, sensor: Sensor, now_s: float) -> tuple[Quality, str]:
        if sensor.sensor_class is SensorClass.PULSE:
            chatter = self._chatter_of(sensor.port, now_s)
            return (Quality.UNCERTAIN, chatter) if chatter else (Quality.GOOD, "")
        flags = 0
        for port in sensor.ports:
            flags |= self._ports[port].flags
        if sensor.sensor_class is SensorClass.VOLTAGE:
            return _worst(flags, _VOLTAGE_WORDS)
        quality, reason = _worst(flags, _CLAMP_WORDS)
        if quality is Quality.GOOD and self._voltage_port:
            beside, reason = _worst(self._ports[self._voltage_port].flags, _VOLTAGE_WORDS)
            if beside is not Quality.GOOD:
                return Quality.UNCERTAIN, _BESIDE + reason
        return quality, reason

    def _chatter_of(self, port: int, now_s: float) -> str:
        when_s, sentence = self._chatter.get(port, (0.0, ""))
        return sentence if sentence and now_s - when_s < CHATTER_S else ""


def _stale_s(sensor: Sensor) -> float:
    return PULSE_STALE_S if sensor.sensor_class is SensorClass.PULSE else CLAMP_STALE_S


def _worst(flags: int, words: Mapping[int, tuple[Quality, str]]) -> tuple[Quality, str]:
    found = [known for flag, known in words.items() if flags & flag]
    bad = [one for one in found if one[0] is Quality.BAD]
    return next(iter(bad or found), (Quality.GOOD, ""))
