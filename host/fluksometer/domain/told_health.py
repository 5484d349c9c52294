"""How fresh the values are that others tell: smart meter, kubes, Modbus meters. Each is expected as often as it came lately."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from .fault_register import Condition
from .sensor_health import Quality, SensorHealth
from .told import ToldSensor

_FOLD: Final = 3  # stale after so many intervals
_MOST_EXPECTED_S: Final = 86_400.0
_DECAY: Final = 0.9
_MOST_NAME: Final = 64
_REMOTE: Final = "remote"  # uploaded by another bridge, so not through this one's board
_LEAST_STALE_S: Final = {"cosem": 30.0, "kube": 3 * 64.0, "uart": 30.0, "foreign": 900.0, _REMOTE: 900.0}
_FIRST_EXPECTED_S: Final = {"cosem": 10.0, "kube": 64.0, "uart": 60.0, "foreign": 3600.0, _REMOTE: 300.0}
_BEHIND_P1_S: Final = 3600.0  # gas, water and heat come every five minutes to every hour
_LEAST_BEHIND_P1_S: Final = 900.0

_Group = tuple[str, str]
"""Class, and which meter or kube: what falls silent together."""


@dataclass(slots=True)
class _Heard:
    since_s: float  # it is known
    expected_s: float
    learned: bool = False  # from what came
    last_s: float | None = None
    time_s: float | None = None  # UTC of the last value


class ToldHealth:
    """The sensors of a ToldBook, as they are told."""

    def __init__(self, told: Mapping[str, ToldSensor], *, apart: frozenset[str] = frozenset()) -> None:
        """``told``: by id, as it changes. ``apart``: classes that do not come through the board (a P1 cable of the host's own)."""
        self._told, self._apart = told, apart | {_REMOTE}
        self._heard: dict[str, _Heard] = {}

    def heard(self, sensor_id: str, time_s: float | None, now_s: float) -> None:
        """A value came. ``time_s``: when it was measured (UTC; None: unknown); the same as before is no new value."""
        sensor = self._told.get(sensor_id)
        if sensor is None:
            return
        one = self._heard.setdefault(sensor_id, _new(sensor, now_s))
        if time_s is not None and time_s == one.time_s:
            return
        if one.last_s is not None and (interval_s := now_s - one.last_s) > 0:
            # After the first, slowly down and not fast up: neither a burst nor a pause is what to expect from now on.
            bounded_s = min(max(interval_s, one.expected_s * _DECAY), one.expected_s * _FOLD)
            one.expected_s = min(max(1.0, bounded_s if one.learned else interval_s), _MOST_EXPECTED_S)
            one.learned = True
        one.last_s, one.time_s = now_s, time_s

    def step(self, now_s: float) -> None:
        """Called each second: learns which sensors there are."""
        for sensor_id in [one for one in self._heard if one not in self._told]:
            del self._heard[sensor_id]
        for sensor_id, sensor in self._told.items():
            if sensor_id not in self._heard:
                self._heard[sensor_id] = _new(sensor, now_s)

    def sensors(self, now_s: float, absent: str) -> Iterator[SensorHealth]:
        """All of them. ``absent``: why no board is there; empty if it is."""
        latest = self._latest()
        for sensor_id, sensor in self._told.items():
            heard = self._heard.get(sensor_id) or _new(sensor, now_s)
            last_s = heard.last_s if sensor.retain else latest.get(_group(sensor))  # an event comes when it comes
            age_s = None if last_s is None else now_s - last_s
            quality, reason = Quality.GOOD, ""
            why = "" if sensor.sensor_class in self._apart else absent
            if age_s is None:
                quality, reason = Quality.NEVER, why or "nothing has come yet"
            elif age_s > _stale_s(sensor, heard):
                quality, reason = Quality.STALE, why or f"expected every {heard.expected_s:.0f} s"
            yield SensorHealth(
                sensor_id=sensor_id, function=sensor.function, age_s=age_s, quality=quality, reason=reason
            )

    def conditions(self, now_s: float, absent: str) -> Iterator[Condition]:
        """Meters and kubes of which nothing comes any more; not those that a missing board explains."""
        silent: dict[_Group, float] = {}
        for sensor_id, sensor in self._told.items():
            heard = self._heard.get(sensor_id)
            if heard is None or not sensor.retain or (absent and sensor.sensor_class not in self._apart):
                continue
            age_s = now_s - (heard.since_s if heard.last_s is None else heard.last_s)
            left_s = age_s - _stale_s(sensor, heard)
            group = _group(sensor)
            silent[group] = min(silent.get(group, left_s), left_s)
        for (sensor_class, name), left_s in silent.items():
            if left_s > 0:
                yield _silence(sensor_class, name)

    def _latest(self) -> dict[_Group, float]:
        latest: dict[_Group, float] = {}
        for sensor_id, sensor in self._told.items():
            heard = self._heard.get(sensor_id)
            if heard and heard.last_s is not None:
                group = _group(sensor)
                latest[group] = max(latest.get(group, heard.last_s), heard.last_s)
        return latest


def _silence(sensor_class: str, name: str) -> Condition:
    if sensor_class == "kube":
        says = f"kube {name} is not heard: change its battery, or bring it nearer"
        return Condition(what="kube_silent", of="node", subject=name, says=says, logged=True)
    if sensor_class == "uart":
        says = f"the Modbus meter with address {name} does not answer: check its supply, address, and lines A and B"
        return Condition(what="modbus_silent", of="address", subject=name, says=says, grave=True, logged=True)
    if sensor_class == _REMOTE:
        says = f"device {name} uploads nothing: does it run, and reach this bridge?"
        return Condition(what="device_silent", of="device", subject=name, says=says, logged=True)
    if sensor_class == "foreign":
        says = f"nobody publishes foreign sensor {name} any more: look at its publisher"
        return Condition(what="foreign_silent", of="sensor", subject=name, says=says)
    says = f"nothing new comes of meter {name}: check the P1 cable at both ends; of a gas or water meter, its own link"
    return Condition(what="meter_silent", of="meter", subject=name, says=says, grave=True)


def _group(sensor: ToldSensor) -> _Group:
    more = dict(sensor.more)
    name = next((more[key] for key in ("meter", "kid", "address", "device") if key in more), sensor.sensor_id)
    return sensor.sensor_class, str(name)[:_MOST_NAME]


def _new(sensor: ToldSensor, now_s: float) -> _Heard:
    return _Heard(now_s, _BEHIND_P1_S if _behind_p1(sensor) else _FIRST_EXPECTED_S.get(sensor.sensor_class, 60.0))


def _stale_s(sensor: ToldSensor, heard: _Heard) -> float:
    least_s = _LEAST_BEHIND_P1_S if _behind_p1(sensor) else _LEAST_STALE_S.get(sensor.sensor_class, 30.0)
    return max(_FOLD * heard.expected_s, least_s)


def _behind_p1(sensor: ToldSensor) -> bool:
    return sensor.sensor_class == "cosem" and sensor.kind != "electricity"
