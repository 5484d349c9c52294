"""Topics and payloads, byte for byte."""

import json
from fractions import Fraction

import pytest
from host.making import make_hello, make_pulse_sensor, make_sensor

from fluksometer.domain import bank_sensors, topics
from fluksometer.domain.sensors import Medium, SensorClass

SID = "0123456789abcdef0123456789abcdef"


@pytest.mark.parametrize(
    ("medium", "gauge", "counter"),
    [
        (Medium.ELECTRICITY, '[1700000000,2400,"W"]', '[1700000000,12.5,"Wh"]'),
        (Medium.GAS, '[1700000000,2400,"L/day"]', '[1700000000,12.5,"L"]'),
        (Medium.WATER, '[1700000000,2400,"L/day"]', '[1700000000,12.5,"L"]'),
    ],
)
def test_readings(medium, gauge, counter):
    sensor = make_pulse_sensor(medium=medium)
    flow, total = (
        bank_sensors.gauge(sensor, 0, 1_700_000_000, 2400),
        bank_sensors.counter(sensor, 0, 1_700_000_000, 12_500),
    )
    assert (flow.topic, flow.payload, flow.retain) == (f"/sensor/{SID}/gauge", gauge, True)
    assert (total.topic, total.payload, total.retain) == (f"/sensor/{SID}/counter", counter, True)


@pytest.mark.parametrize(
    ("milli", "text"),
    [(0, "0"), (1, "0.001"), (10, "0.01"), (1000, "1"), (5_000_500, "5000.5"), (10_000, "10"), (-1500, "-1.5")],
)
def test_decimals_have_no_trailing_zeros(milli, text):
    assert topics.decimal(milli) == text


def test_large_totals_stay_exact():
    assert topics.decimal(9_007_199_254_740_993_001) == "9007199254740993.001"


def test_sensor_config_bytes():
    sensors = [
        make_sensor(),
        make_pulse_sensor(medium=Medium.WATER, function="0x1A", constant_milli=500, enabled=False, sensor_id="1" * 32),
    ]
    message = topics.sensor_config("d" * 32, topics.sensor_sections("home", "0.1.0", sensors, None))
    assert message.topic == f"/device/{'d' * 32}/config/sensor"
    assert message.payload == (
        '{"main":{"name":"home","version":"0.1.0","sw_major":0,"sw_minor":1,"max_sensors":6,'
        '"max_provisioned_sensors":6,"max_analog_sensors":3,"phase":1},'
        '"daemon":{"enable_wan_branch":0,"enable_lan_branch":1,"enable_remote_upgrade":0},'
        f'"1":{{"id":"{SID}","enable":1,"class":"analog","type":"electricity","function":"clamp 1","port":[1],'
        '"data_type":"counter","rid":0,"voltage":230,"current":50,"phase":"1p","direction":"import"},'
        f'"4":{{"id":"{"1" * 32}","enable":0,"class":"pulse","type":"water","function":"0x1A","port":[4],'
        '"data_type":"counter","rid":0,"constant":0.5}}'
    )


def test_the_board_is_named_once_it_has_said_hello():
    main = json.loads(
        topics.sensor_config("d" * 32, topics.sensor_sections("home", "0.1.0", [], make_hello())).payload
    )["main"]
    assert (main["board"], main["firmware"], main["micropython"]) == ("Pico", "0.1.0", "1.26.1")


def test_a_whole_constant_is_an_integer():
    payload = topics.sensor_config(
        "d" * 32, topics.sensor_sections("home", "0.1.0", [make_pulse_sensor()], None)
    ).payload
    assert '"constant":1}' in payload


@pytest.mark.parametrize(("clamp_a", "text"), [(Fraction(100), "100"), (Fraction("47.6"), "47.6")])
def test_a_clamp_is_published_as_a_plain_number(clamp_a, text):
    payload = topics.sensor_config(
        "d" * 32, topics.sensor_sections("home", "0.1.0", [make_sensor(clamp_a=clamp_a)], None)
    ).payload
    assert f'"current":{text},' in payload


def test_a_voltage_has_a_gauge_in_volts_and_no_counter():
    mains = make_sensor(port=3, sensor_class=SensorClass.VOLTAGE, adapter_v=Fraction("400.5"), function="mains")
    assert bank_sensors.gauge(mains, 0, 1_700_000_000, 231).payload == '[1700000000,231,"V"]'
    section = sections([mains])["3"]
    assert (section["class"], section["data_type"], section["adapter"]) == ("voltage", "gauge", 400.5)
    assert "current" not in section


def test_power_has_a_sign():
    assert bank_sensors.gauge(make_sensor(), 0, 1_700_000_000, -2400).payload == '[1700000000,-2400,"W"]'


def test_the_second_sensor_of_a_port_has_a_section_behind_the_ports():
    out = make_sensor(direction="export", function="out", sensor_id="e" * 32)
    three = make_sensor(port=2, further_ports=(3,), phases="3p-n", function="lines", sensor_id="3" * 32)
    found = sections([make_sensor(), out, three, make_pulse_sensor(sensor_id="4" * 32)])
    assert [key for key in found if key.isdigit()] == ["1", "7", "2", "4"]
    assert (found["7"]["port"], found["7"]["direction"]) == ([1], "export")
    assert (found["2"]["port"], found["2"]["phase"]) == ([2, 3], "3p-n")


def sections(sensors):
    return json.loads(topics.sensor_config("d" * 32, topics.sensor_sections("home", "0.1.0", sensors, None)).payload)
