"""Topics and payloads, byte for byte."""

import json
from fractions import Fraction

import pytest
from host.making import make_hello, make_pulse_sensor, make_sensor

from fluksometer.domain import topics
from fluksometer.domain.sensors import Medium

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
    assert topics.gauge(sensor, 1_700_000_000, 2400) == topics.Message(f"/sensor/{SID}/gauge", gauge)
    assert topics.counter(sensor, 1_700_000_000, 12_500) == topics.Message(f"/sensor/{SID}/counter", counter)


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
    message = topics.sensor_config("d" * 32, "home", "0.1.0", sensors, None)
    assert message.topic == f"/device/{'d' * 32}/config/sensor"
    assert message.payload == (
        '{"main":{"name":"home","version":"0.1.0","sw_major":0,"sw_minor":1,"max_sensors":6,'
        '"max_provisioned_sensors":6,"max_analog_sensors":3,"phase":1},'
        '"daemon":{"enable_wan_branch":0,"enable_lan_branch":1,"enable_remote_upgrade":0},'
        f'"1":{{"id":"{SID}","enable":1,"class":"analog","type":"electricity","function":"clamp 1","port":[1],'
        '"data_type":"counter","rid":0,"voltage":230,"current":50},'
        f'"4":{{"id":"{"1" * 32}","enable":0,"class":"pulse","type":"water","function":"0x1A","port":[4],'
        '"data_type":"counter","rid":0,"constant":0.5}}'
    )


def test_the_board_is_named_once_it_has_said_hello():
    main = json.loads(topics.sensor_config("d" * 32, "home", "0.1.0", [], make_hello()).payload)["main"]
    assert (main["board"], main["firmware"], main["micropython"]) == ("Pico", "0.1.0", "1.26.1")


def test_a_whole_constant_is_an_integer():
    payload = topics.sensor_config("d" * 32, "home", "0.1.0", [make_pulse_sensor()], None).payload
    assert '"constant":1}' in payload


@pytest.mark.parametrize(("clamp_a", "text"), [(Fraction(100), "100"), (Fraction("47.6"), "47.6")])
def test_a_clamp_is_published_as_a_plain_number(clamp_a, text):
    payload = topics.sensor_config("d" * 32, "home", "0.1.0", [make_sensor(clamp_a=clamp_a)], None).payload
    assert f'"current":{text}}}' in payload
