"""What Home Assistant is told: which entities there are, how their values are read, in both forms."""

import json

import jinja2
import pytest
from host.making import make_hello, make_pulse_sensor, make_sensor

from fluksometer.domain import p1_sensors
from fluksometer.domain.home_assistant import House, Place, house_of, payloads
from fluksometer.domain.home_quantities import entity_name
from fluksometer.domain.modbus_models import QUANTITIES
from fluksometer.domain.p1_devices import TYPES
from fluksometer.domain.sensors import Medium, SensorClass
from fluksometer.domain.told import ToldSensor
from fluksometer.domain.topics import sensor_sections
from fluksometer.shared.kube import SENSORS

DEVICE = "d" * 32


def told(number, sensor_class, kind, function, unit, *, counts, **more):
    return ToldSensor(
        sensor_id=f"{number:032x}",
        sensor_class=sensor_class,
        kind=kind,
        function=function,
        unit=unit,
        counts=counts,
        more=tuple(more.items()),
    ).section()


def all_told():
    """One section for every quantity that any terminal can tell."""
    values = [("electricity", f"P1 {one.what}", one.unit, one.counts) for one in p1_sensors._REGISTERS.values()]
    values += [
        ("electricity", f"P1 {way}{part}", "Wh", True) for way in ("import", "export") for part in ("", " low", " L1")
    ]
    values += [("electricity", "P1 net", "Wh", True), ("electricity", "P1 power L1", "W", False)]
    found = [("cosem", *one, {"meter": "E1"}) for one in values]
    for kind in sorted(set(TYPES.values()) | {"type 99", "unknown"}):
        unit = "L" if kind in ("gas", "water", "warm water", "hot water", "cold water") else "GJ"
        found.append(("cosem", kind, f"P1 {kind}", unit, True, {"meter": f"{kind} meter"}))
    found += [("kube", name, f"attic {name}", unit, counts, {"kid": 5}) for name, (unit, counts) in SENSORS.items()]
    for name, quantity in QUANTITIES.items():
        function = f"heat pump {name.replace('_', ' ')}"
        found.append(("uart", "electricity", function, quantity.unit, quantity.counts, {"port": (6,), "address": 1}))
    found += [("foreign", "temperature", "shed", "°C", False, {}), ("foreign", "rain", "roof rain", "mm", True, {})]
    return [
        told(number, sensor_class, kind, function, unit, counts=counts, **more)
        for number, (sensor_class, kind, function, unit, counts, more) in enumerate(found, 1)
    ]


def own():
    return [
        make_sensor(sensor_id="a" * 32, function="grid import"),
        make_sensor(sensor_id="b" * 32, port=2, function="roof", role="solar"),
        make_sensor(sensor_id="c" * 32, port=3, function="mains", sensor_class=SensorClass.VOLTAGE, adapter_v=400),
        make_pulse_sensor(sensor_id="e" * 32, port=4, function="gas", medium=Medium.GAS),
        make_pulse_sensor(sensor_id="f" * 32, port=5, function="garden", medium=Medium.WATER),
    ]


def sections(hello=None):
    return sensor_sections("home", "0.1.0", own(), hello or make_hello(), all_told())


def everything(*, modern=True):
    return house_of(Place(device_id=DEVICE, modern=modern, poll_s={1: 10.0}), sections(), {})


def named(house, name):
    (found,) = [one for one in house.entities.values() if one.config["name"] == name]
    return found


def shown(entity, payload):
    """What Home Assistant makes of a payload: value_json is the parsed payload."""
    template = jinja2.Environment(undefined=jinja2.StrictUndefined).from_string(entity.config["value_template"])
    return template.render(value=payload, value_json=json.loads(payload))


@pytest.mark.parametrize(
    ("name", "device_class", "state_class", "unit", "payload", "value"),
    [
        ("grid import power", "power", "measurement", "W", '[1700000000,-2298,"W"]', "-2298"),
        ("grid import energy", "energy", "total_increasing", "kWh", '[1700000000,1148,"Wh"]', "1.148"),
        ("roof solar energy", "energy", "total_increasing", "kWh", '[1700000000,1,"Wh"]', "0.001"),
        ("mains voltage", "voltage", "measurement", "V", '[1700000000,230,"V"]', "230"),
        ("gas", "gas", "total_increasing", "m³", '[1700000000,1234.5,"L"]', "1.2345"),
        ("garden water", "water", "total_increasing", "m³", '[1700000000,30,"L"]', "0.03"),
        ("garden flow", "volume_flow_rate", "measurement", "L/min", '[1700000000,28800,"L/day"]', "20.0"),
        ("gas flow", "volume_flow_rate", "measurement", "m³/h", '[1700000000,24000,"L/day"]', "1.0"),
        ("import energy low", None, None, None, None, None),
        ("import low energy", "energy", "total_increasing", "kWh", '[1700000000,5,"Wh"]', "0.005"),
        ("net energy", "energy", "total", "kWh", '[1700000000,-5000,"Wh"]', "-5.0"),
        ("reactive energy import", "reactive_energy", "total_increasing", "kvarh", '[1700000000,5,"varh"]', "0.005"),
        ("current L1", "current", "measurement", "A", '[1700000000,2.35,"A"]', "2.35"),
        ("frequency", "frequency", "measurement", "Hz", '[1700000000,49.98,"Hz"]', "49.98"),
        ("month peak", "power", "measurement", "kW", '[1700000000,4321,"W"]', "4.321"),
        ("heat energy", "energy", "total_increasing", "GJ", '[1700000000,12.345,"GJ"]', "12.345"),
        ("apparent power", "apparent_power", "measurement", "VA", '[1700000000,2298.5,"VA"]', "2298.5"),
        ("power factor", "power_factor", "measurement", None, '[1700000000,0.98,""]', "0.98"),
        ("pressure", "atmospheric_pressure", "measurement", "hPa", '[1700000000,101325,"Pa"]', "1013.25"),
        ("shed temperature", "temperature", "measurement", "°C", '[1700000000,21.5,"°C"]', "21.5"),
    ],
)
def test_quantities(name, device_class, state_class, unit, payload, value):
    house = everything()
    names = [one.config["name"] for one in house.entities.values()]
    if payload is None:
        assert name not in names
        return
    entity = next(
        one
        for one in house.entities.values()
        if one.config["name"] == name and one.config.get("device_class") == device_class
    )
    assert entity.config.get("state_class") == state_class
    assert entity.config.get("unit_of_measurement") == unit
    assert shown(entity, payload) == value


def test_no_entity_is_there_twice():
    house = everything()
    for key in ("unique_id", "state_topic"):
        values = [one.config[key] for one in house.entities.values()]
        assert len(set(values)) == len(values), key
    ids = [(one.device, one.config["name"]) for one in house.entities.values()]
    assert len(set(ids)) == len(ids)


def test_movement_is_an_event():
    movement = next(one for one in everything().entities.values() if one.config.get("device_class") == "motion")
    assert movement.platform == "binary_sensor"
    assert movement.config["off_delay"] == 10
    assert shown(movement, '[1700000000,17,""]') == movement.config["payload_on"]


def test_gauges_expire_and_totals_do_not():
    by_name = {one.config["name"]: one.config.get("expire_after") for one in everything().entities.values()}
    assert by_name["grid import power"] == 30
    assert by_name["voltage L1"] == 60
    assert by_name["apparent power"] == 30  # three polls
    for name in ("grid import energy", "import energy", "tariff", "month peak", "gas flow", "garden water"):
        assert by_name[name] is None, name


def test_it_is_available_when_bridge_and_sensor_are():
    one = named(everything(), "grid import energy")
    bridge, sensor = one.config["availability"]
    assert bridge["topic"] == f"/device/{DEVICE}/bridge/state"
    assert sensor["topic"] == f"/device/{DEVICE}/health"
    said = jinja2.Environment().from_string(sensor["value_template"])
    for quality, state in (("good", "online"), ("bad", "online"), ("stale", "offline"), ("never", "offline")):
        assert said.render(value_json={"sensors": {"a" * 32: {"quality": quality}}}) == state
    assert said.render(value_json={"sensors": {}}) == "online"  # left out of the message: a good one


def test_devices_and_where_they_hang():
    house = everything()
    names = {one["name"]: one for one in house.devices.values()}
    assert {"home", "Smart meter", "Gas meter", "Water meter", "attic", "heat pump"} <= set(names)
    assert names["home"]["hw"] == "Pico, firmware 0.1.0"
    assert "via_device" not in names["home"]
    assert names["Smart meter"]["via_device"] == names["home"]["ids"][0]
    assert names["Smart meter"]["sn"] == "E1"


def test_a_flow_beside_a_told_total_is_an_entity_once_it_is_heard():
    number = next(one["id"] for one in all_told() if one["function"] == "P1 net")
    place = Place(device_id=DEVICE)
    assert f"{number}_gauge" not in house_of(place, sections(), {}).entities
    assert house_of(place, sections(), {number: "W"}).entities[f"{number}_gauge"].config["name"] == "net power"


def test_a_sensor_that_is_off_is_none():
    off = sensor_sections("home", "0.1.0", [make_sensor(enabled=False)], None)
    assert list(house_of(Place(device_id=DEVICE), off, {}).entities) == [f"{DEVICE}_health"]


def test_the_device_form():
    house = everything()
    topics = payloads(house, {}, "homeassistant", "device", "0.1.0")
    assert set(topics) == {f"homeassistant/device/{key}/config" for key in house.devices}
    told = json.loads(topics[f"homeassistant/device/{DEVICE}/config"])
    assert told["o"] == {"name": "Fluksometer", "sw": "0.1.0"}
    component = told["cmps"][f"{'a' * 32}_counter"]
    assert component["p"] == "sensor"
    assert component["unique_id"] == f"fluksometer_{'a' * 32}_counter"
    assert component["default_entity_id"] == "sensor.home_grid_import_energy"
    assert "object_id" not in component


def test_the_entity_form_is_what_an_older_one_knows():
    house = everything(modern=False)
    topics = payloads(house, {}, "ha", "entity", "0.1.0")
    assert f"ha/sensor/{DEVICE}/{'a' * 32}_counter/config" in topics
    assert len(topics) == len(house.entities)
    classes = {json.loads(told).get("device_class") for told in topics.values()}
    assert "reactive_energy" not in classes  # of 2025.5
    assert all(json.loads(told)["dev"]["ids"] for told in topics.values())


def test_what_is_gone_is_taken_back():
    house = everything()
    gone = {key: one for key, one in house.entities.items() if key.startswith("a" * 32)}
    for key in gone:
        del house.entities[key]
    told = json.loads(payloads(house, gone, "homeassistant", "device", "1")[f"homeassistant/device/{DEVICE}/config"])
    assert told["cmps"][f"{'a' * 32}_gauge"] == {"p": "sensor"}
    topics = payloads(house, gone, "homeassistant", "entity", "1")
    assert topics[f"homeassistant/sensor/{DEVICE}/{'a' * 32}_gauge/config"] == ""
    alone = payloads(House(), gone, "homeassistant", "device", "1")
    assert alone == {f"homeassistant/device/{DEVICE}/config": ""}


@pytest.mark.parametrize(
    ("function", "noun", "name"),
    [
        ("kitchen", "power", "kitchen power"),
        ("heating power", "power", "heating power"),
        ("apparent 1", "apparent power", "apparent power 1"),
        ("var import", "reactive power", "reactive power import"),
        ("", "temperature", "temperature"),
        ("tariff", "", "tariff"),
    ],
)
def test_names(function, noun, name):
    assert entity_name(function, noun) == name
