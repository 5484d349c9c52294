"""Which services the network is told of."""

from host.making import make_pulse_sensor, make_sensor

from fluksometer.domain.announcement import Listener, Listeners, host_name, services
from fluksometer.domain.told import ToldSensor
from fluksometer.domain.topics import sensor_sections

API = Listener("0.0.0.0", 8080)


def told(number, sensor_class):
    return ToldSensor(
        sensor_id=f"{number:032x}", sensor_class=sensor_class, kind="electricity", function="x", unit="Wh", counts=True
    ).section()


def sections(*more):
    sensors = [make_sensor(sensor_id="a" * 32), make_pulse_sensor(sensor_id="b" * 32, enabled=False)]
    return sensor_sections("home", "0.1.0", sensors, None, more)


def test_the_api_names_the_sensors_that_are_on_and_are_no_meters_on_a_line():
    flukso, http = services(Listeners(api=API), sections(told(1, "cosem"), told(2, "uart")))
    assert (flukso.kind, flukso.listener.port) == ("_flukso._tcp", 8080)
    assert flukso.text == {"path": "/sensor", "version": "1.0", "id1": "a" * 32, "id7": f"{1:032x}"}
    assert (http.kind, http.text) == ("_http._tcp", {})


def test_the_loopback_is_nobodys_business():
    here = Listener("127.0.0.1", 1883)
    assert services(Listeners(api=here, mqtt=here, websockets=here), sections()) == []
    assert services(Listeners(), sections()) == []


def test_broker_and_websockets():
    found = services(Listeners(mqtt=Listener("192.0.2.7", 1883), websockets=Listener("192.0.2.7", 8083)), sections())
    assert [(one.kind, one.listener.port) for one in found] == [("_mqtt._tcp", 1883), ("_ws._tcp", 8083)]


def test_many_sensors_stay_within_a_packet():
    many = sections(*(told(number, "cosem") for number in range(100)))
    text = services(Listeners(api=API), many)[0].text
    assert sum(len(key) + len(value) + 2 for key, value in text.items()) <= 1200
    assert len(text) > 30


def test_the_name_is_the_originals():
    assert host_name("abcdef0123456789" * 2) == "flukso-abcdef"
