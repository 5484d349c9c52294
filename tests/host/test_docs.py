"""The documents name everything a person can write or hear."""

import json
import re
from array import array
from math import pi, sin

import pytest
from host.making import make_pulse_sensor, make_sensor
from places import ROOT

from fluksometer.config import BoardTable, Config, DeviceTable, MqttTable, PanelTable, RadioTable, SensorTable
from fluksometer.config_foreign import ForeignTable
from fluksometer.config_home import HomeAssistantTable, MdnsTable
from fluksometer.config_influx import InfluxTable
from fluksometer.config_p1 import P1Table
from fluksometer.config_serial import ModbusTable, Rs485Table
from fluksometer.config_server import ServerTable
from fluksometer.config_tmpo import TmpoTable
from fluksometer.config_upload import UploadTable
from fluksometer.config_web import WebTable
from fluksometer.domain import p1_sensors, topics
from fluksometer.domain.board_calibration import IDENTITY
from fluksometer.domain.calibration import Book, PortBook
from fluksometer.domain.captures import Capture, Request, answer
from fluksometer.domain.meters import InputCalibration
from fluksometer.domain.readings import RawCodes
from fluksometer.domain.sensors import SensorClass
from fluksometer.domain.told import ToldSensor
from fluksometer.faults import check_values, parse_toml

CONFIGURATION = (ROOT / "docs" / "configuration.md").read_text()
CALIBRATION = (ROOT / "docs" / "calibration.md").read_text()
MQTT = (ROOT / "docs" / "mqtt.md").read_text()
TABLES = {
    "device": DeviceTable,
    "board": BoardTable,
    "mqtt": MqttTable,
    "p1": P1Table,
    "sensor": SensorTable,
    "radio": RadioTable,
    "panel": PanelTable,
    "rs485": Rs485Table,
    "modbus": ModbusTable,
    "influx": InfluxTable,
    "upload": UploadTable,
    "server": ServerTable,
    "tmpo": TmpoTable,
    "web": WebTable,
    "foreign": ForeignTable,
    "homeassistant": HomeAssistantTable,
    "mdns": MdnsTable,
}
LISTS = ("sensor", "modbus", "foreign")


def test_every_table_is_described():
    assert set(TABLES) == set(Config.model_fields)
    for name in TABLES:
        heading = f"## `[[{name}]]`" if name in LISTS else f"## `[{name}]`"
        assert heading in CONFIGURATION


@pytest.mark.parametrize(
    ("table", "key"),
    [(name, field.alias or key) for name, table in TABLES.items() for key, field in table.model_fields.items()],
)
def test_every_key_is_described_under_its_table(table, key):
    section = CONFIGURATION.partition(f"[{table}]]`\n" if table in LISTS else f"[{table}]`\n")[2].partition("\n## ")[0]
    assert f"| `{key}` |" in section


def test_every_topic_and_unit_is_described():
    for text in ("/sensor/<id>/gauge", "/sensor/<id>/counter", "/device/<id>/config/sensor"):
        assert text in MQTT
    for text in ("waveform", "harmonics/<port>", "request/waveform", "request/harmonics"):
        assert f"`/device/<id>/{text}`" in MQTT
    for text in (
        "config/flx",
        "bridge/state",
        "config/kube",
        "pair",
        "kube",
        "radio/<node>",
        "button",
        "request/pair",
        "request/kube",
    ):
        assert f"`/device/<id>/{text}`" in MQTT
    for text in ("`W`", "`Wh`", "`V`", "`L`", "`L/day`"):
        assert text in MQTT


def test_every_key_of_the_published_configuration_is_described():
    voltage = make_sensor(sensor_class=SensorClass.VOLTAGE, adapter_v=400)
    sensors = [make_sensor(role="solar"), make_pulse_sensor(), voltage]
    main = topics._main("", "0.1", None)
    told = ToldSensor(
        sensor_id="0" * 32,
        sensor_class="cosem",
        kind="gas",
        function="P1 gas",
        unit="L",
        counts=True,
        more=(("meter", "G1"),),
    )
    for section in [main, *(topics._section(sensor, 0) for sensor in sensors), told.section()]:
        for key in section:
            assert f"`{key}`" in MQTT, key


def test_every_example_is_right():
    examples = re.findall(r"```toml\n(.*?)```", CONFIGURATION, re.DOTALL)
    assert len(examples) >= 5
    for example in examples:
        text = example if "[[sensor]]" in example else example + '[[sensor]]\nport = 1\nfunction = "kitchen"\n'
        parse_toml(text, Config, source="docs/configuration.md")


def test_the_keys_of_the_calibration_file_are_described():
    (example,) = re.findall(r"```json\n(.*?)```", CALIBRATION, re.DOTALL)
    book = check_values(json.loads(example), Book, source="docs/calibration.md")
    (ports,) = book.boards.values()
    assert all(known is not None for _name, known in ports["1"])
    for key in PortBook.model_fields:
        assert f"| `{key}` |" in CALIBRATION


def test_the_answers_to_requests_are_described():
    waveform, harmonics = (json.loads(one) for one in re.findall(r"```json\n(.*?)```", MQTT, re.DOTALL))
    for key in (*waveform, *waveform["inputs"][0], *harmonics):
        assert f"`{key}`" in MQTT or key in ("port", "inputs"), key
    samples = [round(2048 + 500 * sin(2 * pi * 50 * n / 4000)) for n in range(800)]
    capture = Capture(0, 4000)
    for first in range(0, 800, 400):
        codes = array("H", samples[first : first + 400]).tobytes()
        capture.add(RawCodes(port=1, t_us=0, rate_hz=4000, first=first, total=800, codes=codes))
    for port, example in ((0, waveform), (1, harmonics)):
        found = answer(Request(port), capture, {1: make_sensor()}, {1: InputCalibration()}, IDENTITY, "d" * 32)
        assert list(json.loads(found.payload)) == list(example)


def test_every_sensor_of_the_smart_meter_is_described():
    page = (ROOT / "docs/p1.md").read_text()
    for known in p1_sensors._REGISTERS.values():
        assert f"`P1 {re.sub(' L[123]$', ' L1', known.what)}`" in page, known
    for desk_count in re.findall(r'_(?:lost\("|counts\[")(\w+)', (ROOT / "host/fluksometer/p1_desk.py").read_text()):
        assert f"`p1_{desk_count}`" in page, desk_count
