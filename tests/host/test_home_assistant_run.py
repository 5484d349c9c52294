"""A client that does with the discovery what Home Assistant does: subscribes where it says, and reads by its templates."""

import json
import time

import jinja2
import pytest
from host.rig import wait_until
from host.test_service import greeted
from paho.mqtt import publish
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion


class Reader:
    """Sees the discovery, subscribes to the state topics, and keeps each entity's value by name."""

    def __init__(self, port):
        self.values = {}
        self._entities = {}  # by state topic
        self._client = Client(CallbackAPIVersion.VERSION2)
        self._client.on_connect = lambda client, *_more: client.subscribe("homeassistant/device/+/config", 1)
        self._client.on_message = self._take
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()

    def close(self):
        self._client.disconnect()
        self._client.loop_stop()

    def _take(self, client, _data, message):
        told = json.loads(message.payload)
        if message.topic in self._entities:
            one = self._entities[message.topic]
            template = jinja2.Environment(undefined=jinja2.StrictUndefined).from_string(one["value_template"])
            self.values[one["name"]] = template.render(value_json=told)
            return
        for one in told["cmps"].values():
            if one["state_topic"] not in self._entities:
                client.subscribe(one["state_topic"], 1)
            self._entities[one["state_topic"]] = one


@pytest.fixture
def reader():
    made = []
    yield lambda port: made.append(Reader(port)) or made[-1]
    for one in made:
        one.close()


@pytest.mark.parametrize("kind", ["embedded", "mosquitto"])
def test_the_values_are_those_of_the_sensors(rig, kind, reader):
    rig.use(kind)
    rig.sensors = rig.sensors.replace('function = "clamp 1"', 'function = "clamp 1"\nrole = "grid"')
    bridge = greeted(rig)
    client = reader(rig.port)
    now_s = int(time.time()) - 0.5
    rig.board.clamp(1, 248, 248 * 1000 * 3600 // 2, wall_s=now_s)
    rig.board.pulse(4, 7, edge_wall_s=now_s, interval_us=1_000_000)
    rig.board.pulse(5, 3, edge_wall_s=now_s, interval_us=30_000_000)
    expected = {
        "clamp 1 grid power": "2298",
        "clamp 1 grid energy": "1.148",
        "pulse 4 energy": "0.0035",
        "pulse 5 water": "0.03",
        "pulse 5 flow": "20.0",
    }
    wait_until(lambda: expected.items() <= client.values.items(), lambda: client.values)
    listener = rig.listen("homeassistant/#")
    time.sleep(0.3)
    before = len(listener.lines())
    publish.single("homeassistant/status", "online", port=rig.port)  # it was started anew
    wait_until(lambda: len(listener.lines()) >= before + 2, "the announcement", 8)
    assert bridge.stop() == 0
