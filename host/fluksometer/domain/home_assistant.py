"""What Home Assistant has to know to show this Fluksometer by itself (MQTT discovery): pure functions of what is published.

Nothing is published twice: each entity reads the topics that are there already, by a template. Two forms of the announcement
exist. Device: one message a device (Home Assistant 2024.11). Entity: one message an entity, for older ones.
"""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from hashlib import blake2s
from math import ceil
from typing import Any, Final, Literal

from .home_quantities import DIAGNOSTIC, entity_name, quantity
from .points import Kind
from .presence import state_topic

Form = Literal["device", "entity"]
Section = Mapping[str, object]

_BEHIND: Final = {"gas": "Gas meter", "water": "Water meter", "heat": "Heat meter", "hot water": "Hot water meter"}
_MODBUS: Final = re.compile(
    r" ?(import|export|power|apparent|reactive|voltage|current|frequency|power factor)( [123])?$"
)
_EXPIRE_S: Final = {"analog": 30, "voltage": 30, "cosem": 60, "kube": 300}  # of values that come all the time
_POLLS: Final = 3  # a meter that has not answered to so many polls has nothing to tell
_STEADY: Final = ("P1 tariff", "P1 month peak")  # published when they change only
_OWN_UNITS: Final = {"electricity": ("W", "Wh"), "gas": ("L/day", "L"), "water": ("L/day", "L")}


@dataclass(frozen=True, slots=True)
class Entity:
    """One quantity in Home Assistant."""

    key: str  # unique in the house, and for ever that of this quantity
    platform: str
    device: str  # key of its device
    source: str  # class of its sensor
    config: dict[str, Any]


@dataclass(slots=True)
class House:
    """All that is announced; devices and entities by key."""

    devices: dict[str, dict[str, Any]] = field(default_factory=dict)
    entities: dict[str, Entity] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Whose house it is."""

    device_id: str
    modern: bool = True
    poll_s: Mapping[int, float] = field(default_factory=dict)  # of Modbus meters, by address


def house_of(place: Place, sections: Mapping[str, Section], flows: Mapping[str, str]) -> House:
    """The house that the sensor configuration describes. ``flows``: unit of the gauge, by id of the told totals that have one."""
    house = House({place.device_id: _bridge(place, sections.get("main", {}))})
    name = str(sections.get("main", {}).get("name", "fluksometer"))
    own = _health(place, name)
    house.entities[own.key] = own
    for section in sections.values():
        if section.get("enable") != 1 or "id" not in section:
            continue
        key, device, function = _device(place, section)
        house.devices.setdefault(key, device)
        for kind, unit in _kinds(section, flows):
            one = _entity(place, section, kind, unit, key, function, str(house.devices[key]["name"]))
            house.entities[one.key] = one
    return house


def payloads(house: House, gone: Mapping[str, Entity], prefix: str, form: Form, version: str) -> dict[str, str]:
    """What is published, by topic; empty: what was there is taken back. ``gone``: entities that were announced before."""
    origin = {"name": "Fluksometer", "sw": version}
    topics: dict[str, str] = {}
    if form == "device":
        for key, device in house.devices.items():
            components = {one.key: {"p": one.platform} for one in gone.values() if one.device == key}
            living = [one for one in house.entities.values() if one.device == key]
            components |= {one.key: {"p": one.platform} | one.config for one in living}
            told = {"dev": device, "o": origin, "cmps": components, "qos": 1}
            topics[device_topic(prefix, key)] = _json(told) if living else ""
        for one in gone.values():
            topics.setdefault(device_topic(prefix, one.device), "")
        return topics
    for one in gone.values():
        topics[entity_topic(prefix, one)] = ""
    for one in house.entities.values():
        topics[entity_topic(prefix, one)] = _json(
            {**one.config, "dev": house.devices[one.device], "o": origin, "qos": 1}
        )
    return topics


def device_topic(prefix: str, device: str) -> str:
    """Where a device is announced."""
    return f"{prefix}/device/{device}/config"


def entity_topic(prefix: str, one: Entity) -> str:
    """Where an entity is announced by itself: what Home Assistant takes for the same as a component of the device."""
    return f"{prefix}/{one.platform}/{one.device}/{one.key}/config"


def slug(text: str) -> str:
    """A name as entity ids have it."""
    return re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_") or "unknown"


# --- devices ---


def _bridge(place: Place, main: Section) -> dict[str, Any]:
    device: dict[str, Any] = {
        "ids": [f"fluksometer_{place.device_id}"],
        "name": main.get("name", "fluksometer"),
        "mf": "Fluksometer",
        "mdl": "Fluksometer",
        "sw": str(main.get("version", "")),
        "sn": place.device_id,
    }
    return device | ({"hw": f"{main['board']}, firmware {main.get('firmware', '?')}"} if "board" in main else {})


def _device(place: Place, section: Section) -> tuple[str, dict[str, Any], str]:
    # Key of the sensor's device, the device unless it is the bridge itself, and the sensor's name on it.
    function, kind = str(section.get("function", "")), str(section.get("type", ""))
    match section.get("class"):
        case "cosem":
            itself = kind == "electricity" and not function.startswith("P1 electricity")  # not one behind it
            name = "Smart meter" if itself else _BEHIND.get(kind, f"{kind.capitalize()} meter")
            return _part(place, f"meter {section.get('meter', '')}", name, function.removeprefix("P1 "), "meter")
        case "kube":
            name = function.removesuffix(kind).strip() or f"kube {section.get('kid')}"
            return _part(place, f"kube {section.get('kid')}", name, "", "kube")
        case "uart":
            name = _MODBUS.sub("", function) or f"meter {section.get('address')}"
            own = function.removeprefix(name).strip()
            return _part(place, f"modbus {section.get('address')}", name, own, "Modbus meter")
    return place.device_id, {}, function


def _part(place: Place, what: str, name: str, function: str, model: str) -> tuple[str, dict[str, Any], str]:
    key = f"{place.device_id}_{blake2s(what.encode(), digest_size=6).hexdigest()}"
    device: dict[str, Any] = {"ids": [f"fluksometer_{key}"], "name": name, "mdl": model}
    device["via_device"] = f"fluksometer_{place.device_id}"
    _, _, serial = what.partition(" ")
    return key, device | ({"sn": serial} if model == "meter" and serial else {}), function


# --- entities ---


def _kinds(section: Section, flows: Mapping[str, str]) -> Iterable[tuple[Kind, str]]:
    kind: Kind = "counter" if section.get("data_type") == "counter" else "gauge"
    medium = str(section.get("type", ""))
    if section.get("class") in ("analog", "pulse"):
        flow, total = _OWN_UNITS[medium]
        return [("gauge", flow), ("counter", total)]
    if section.get("class") == "voltage":
        return [("gauge", "V")]
    told: list[tuple[Kind, str]] = [(kind, str(section.get("unit", "")))]
    flow = flows.get(str(section["id"]), "")
    return [*told, ("gauge", flow)] if kind == "counter" and flow else told


def _entity(
    place: Place, section: Section, kind: Kind, unit: str, device: str, function: str, device_name: str
) -> Entity:
    what = quantity(section, kind, unit, modern=place.modern)
    role = str(section.get("role", ""))
    if role and role not in function.lower():
        function = f"{function} {role}"
    name, sensor_id = entity_name(function, what.noun), str(section["id"])
    config: dict[str, Any] = {
        "name": name,
        "unique_id": f"fluksometer_{sensor_id}_{kind}",
        "default_entity_id": f"{what.platform}.{slug(device_name)}_{slug(name)}",
        "state_topic": f"/sensor/{sensor_id}/{kind}",
        "value_template": what.template,
    }
    config |= {key: value for key, value in what.config.items() if value is not None}
    expire_s = _expire_s(place, section) if kind == "gauge" else 0
    if expire_s:
        config["expire_after"] = expire_s
    if role == "solar":
        config["icon"] = "mdi:solar-power"
    config |= {"availability": _availability(place, sensor_id), "availability_mode": "all"}
    return Entity(f"{sensor_id}_{kind}", what.platform, device, str(section.get("class", "")), config)


def _expire_s(place: Place, section: Section) -> int:
    if section.get("function") in _STEADY:
        return 0
    match section:
        case {"class": "uart", "address": int(address)} if address in place.poll_s:
            return max(30, ceil(_POLLS * place.poll_s[address]))
    return _EXPIRE_S.get(str(section.get("class")), 0)


def _availability(place: Place, sensor_id: str) -> list[dict[str, str]]:
    # Both: the bridge is there, and it does hear of the sensor. Health leaves out what does not fit, the best first.
    silent = f"value_json.get('sensors', {{}}).get('{sensor_id}', {{}}).get('quality') in ('stale', 'never')"
    return [
        {"topic": state_topic(place.device_id), "value_template": "{{ value_json.state }}"},
        {
            "topic": f"/device/{place.device_id}/health",
            "value_template": "{{ 'offline' if " + silent + " else 'online' }}",
        },
    ]


def _health(place: Place, device_name: str) -> Entity:
    config: dict[str, Any] = {
        "name": "health",
        "unique_id": f"fluksometer_{place.device_id}_health",
        "default_entity_id": f"sensor.{slug(device_name)}_health",
        "state_topic": f"/device/{place.device_id}/health",
        "value_template": "{{ value_json.state }}",
        "device_class": "enum",
        "options": ["ok", "degraded", "fault"],
        "availability": [{"topic": state_topic(place.device_id), "value_template": "{{ value_json.state }}"}],
    }
    return Entity(f"{place.device_id}_health", "sensor", place.device_id, "bridge", config | DIAGNOSTIC)


def _json(told: Mapping[str, Any]) -> str:
    return json.dumps(told, separators=(",", ":"), ensure_ascii=True)
