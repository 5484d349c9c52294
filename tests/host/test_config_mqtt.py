"""The table [mqtt]: which keys go together."""

import pytest

from fluksometer.config import Config
from fluksometer.config_mqtt import MqttTable
from fluksometer.faults import FileFaults, check_values, parse_toml


@pytest.mark.parametrize(
    ("given", "port"),
    [({}, 1883), ({"broker": "a"}, 1883), ({"broker": "a", "tls": True}, 8883), ({"broker": "a", "port": 1}, 1)],
)
def test_the_port(given, port):
    assert check_values(given, MqttTable, source="").port == port


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("tls = true", "mqtt.tls: only for another broker; the embedded one is on this host"),
        ('ca_file = "ca"', "mqtt.ca_file: only for another broker; the embedded one is on this host"),
        ('broker = "a"\nca_file = "ca"', "mqtt.ca_file: needs mqtt.tls = true"),
        ('broker = "a"\ntls = false\ncert_file = "c"', "mqtt.cert_file: needs mqtt.tls = true"),
        (
            'broker = "a"\ntls = true\nkey_file = "k"',
            "mqtt.key_file: needs mqtt.cert_file, the certificate that it belongs to",
        ),
        ('broker = "a"\nwebsocket_port = 8083', 'mqtt.websocket_port: only with broker = "embedded"'),
        ("websocket_port = 1883", "mqtt.websocket_port: is that of mqtt.port"),
        ("websocket_port = 0", "mqtt.websocket_port: 0 is not allowed: 1 to 65535"),
    ],
)
def test_faults(text, fault):
    with pytest.raises(FileFaults) as caught:
        parse_toml(f'[mqtt]\n{text}\n[[sensor]]\nport = 1\nfunction = "a"\n', Config, source="")
    assert caught.value.faults == [fault]


@pytest.mark.parametrize("prefix", ["", "/ha", "ha/", "ha/#", "+"])
def test_a_prefix_that_is_no_topic_is_a_fault(prefix):
    text = f'[homeassistant]\nprefix = "{prefix}"\n[[sensor]]\nport = 1\nfunction = "a"\n'
    with pytest.raises(FileFaults) as caught:
        parse_toml(text, Config, source="")
    assert caught.value.faults[0].startswith("homeassistant.prefix: ")
