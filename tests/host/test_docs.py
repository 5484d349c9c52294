"""The documents name everything a person can write or hear."""

import pytest
from host.making import make_pulse_sensor, make_sensor
from places import ROOT

from fluksometer.config import BoardTable, Config, DeviceTable, MqttTable, SensorTable
from fluksometer.domain import topics

CONFIGURATION = (ROOT / "docs" / "configuration.md").read_text()
MQTT = (ROOT / "docs" / "mqtt.md").read_text()
TABLES = {"device": DeviceTable, "board": BoardTable, "mqtt": MqttTable, "sensor": SensorTable}


def test_every_table_is_described():
    assert set(TABLES) == set(Config.model_fields)
    for name in TABLES:
        heading = "## `[[sensor]]`" if name == "sensor" else f"## `[{name}]`"
        assert heading in CONFIGURATION


@pytest.mark.parametrize(
    ("table", "key"),
    [(name, field.alias or key) for name, table in TABLES.items() for key, field in table.model_fields.items()],
)
def test_every_key_is_described_under_its_table(table, key):
    section = CONFIGURATION.partition(f"[{table}]]`\n" if table == "sensor" else f"[{table}]`\n")[2].partition("\n## ")[
        0
    ]
    assert f"| `{key}` |" in section


def test_every_topic_and_unit_is_described():
    for text in ("/sensor/<id>/gauge", "/sensor/<id>/counter", "/device/<id>/config/sensor"):
        assert text in MQTT
    for text in ("`W`", "`Wh`", "`L`", "`L/day`"):
        assert text in MQTT


def test_every_key_of_the_published_configuration_is_described():
    sensors = [make_sensor(), make_pulse_sensor()]
    main = topics._main("", "0.1", None)
    for section in [main, *(topics._section(sensor) for sensor in sensors)]:
        for key in section:
            assert f"`{key}`" in MQTT, key
