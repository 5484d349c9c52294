"""MQTT topics and payloads, byte for byte as a Fluksometer sends them (docs/mqtt.md)."""

import json
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass
from itertools import chain, count

from .readings import Hello
from .sensors import Sensor, SensorClass
from .units import plain


@dataclass(frozen=True, slots=True)
class Message:
    """One publication; the broker keeps the last of a topic if it is retained."""

    topic: str
    payload: str | bytes
    retain: bool = True


def decimal(milli: int) -> str:
    """Thousandths as a decimal number without trailing zeros: 1000 is ``1``, 1500 is ``1.5``."""
    sign = "-" if milli < 0 else ""
    whole, rest = divmod(abs(milli), 1000)
    return f"{sign}{whole}.{rest:03d}".rstrip("0").rstrip(".")


def sensor_config(device_id: str, sections: Mapping[str, object]) -> Message:
    """The device's whole sensor configuration, as ``sensor_sections`` gives it."""
    return Message(f"/device/{device_id}/config/sensor", json.dumps(sections, separators=(",", ":"), ensure_ascii=True))


def sensor_sections(
    name: str,
    version: str,
    sensors: Iterable[Sensor],
    hello: Hello | None,
    told: Iterable[Mapping[str, object]] = (),
    series: Mapping[str, int] | None = None,
) -> dict[str, dict[str, object]]:
    """The whole sensor configuration: sections by name, each value of the type its field has.

    ``told``: sections of the sensors that others tell (``ToldSensor.section``); ``series``: of each total, by sensor id.
    """
    sections: dict[str, dict[str, object]] = {
        "main": _main(name, version, hello),
        "daemon": {"enable_wan_branch": 0, "enable_lan_branch": 1, "enable_remote_upgrade": 0},
    }
    for sensor in sensors:
        sections[_section_name(sensor.port, sections)] = _section(sensor, (series or {}).get(sensor.sensor_id, 0))
    for section in told:
        match section.get("port"):
            case [int(port), *_]:  # that of a terminal: the first sensor of RS-485 is number 6, as on a Fluksometer
                sections[_section_name(port, sections)] = dict(section)
            case _:
                sections[_section_name(_FIRST_TOLD, sections)] = dict(section)
    return sections


_FIRST_TOLD = 7  # as on a Fluksometer: behind its six ports


def _section_name(number: int, taken: Container[str]) -> str:
    # The first sensor of a port has its number, as on a Fluksometer; one more on it (its export) has a free one behind.
    return next(str(n) for n in chain((number,), count(_FIRST_TOLD)) if str(n) not in taken)


def _main(name: str, version: str, hello: Hello | None) -> dict[str, object]:
    major, minor = (int(part) for part in version.split(".")[:2])
    main: dict[str, object] = {
        "name": name,
        "version": version,
        "sw_major": major,
        "sw_minor": minor,
        "max_sensors": 6,
        "max_provisioned_sensors": 6,
        "max_analog_sensors": 3,
        "phase": 1,
    }
    if hello:
        main |= {"board": hello.model, "firmware": hello.firmware, "micropython": hello.micropython}
    return main


def _section(sensor: Sensor, series: int) -> dict[str, object]:
    section: dict[str, object] = {
        "id": sensor.sensor_id,
        "enable": int(sensor.enabled),
        "class": sensor.sensor_class.value,
        "type": sensor.medium.value,
        "function": sensor.function,
        "port": list(sensor.ports),
        "data_type": "counter",
        "rid": series,
    }
    if not sensor.logged:
        section["tmpo"] = 0
    if sensor.role:
        section["role"] = sensor.role
    if sensor.sensor_class is SensorClass.VOLTAGE:
        return section | {"data_type": "gauge", "adapter": plain(sensor.adapter_v)}
    if sensor.sensor_class is SensorClass.ANALOG:
        clamp = {"voltage": sensor.voltage_v, "current": plain(sensor.clamp_a)}
        return section | clamp | {"phase": sensor.phases, "direction": sensor.direction}
    whole, rest = divmod(sensor.constant_milli, 1000)
    return section | {"constant": sensor.constant_milli / 1000 if rest else whole}
