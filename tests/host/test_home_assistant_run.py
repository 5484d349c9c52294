"""A client that does with the discovery what Home Assistant does: subscribes where it says, and reads by its templates."""

import json
import time

import jinja2
import pytest
from host.mqtt_peers import Subscriber
from host.rig import wait_until
from host.test_service import greeted
from paho.mqtt import publish


class Reader:
    """Sees the discovery, subscribes to the state topics, and keeps each entity's value by name."""

    def __init__(self, port):
        self.values = {}
        self._port, self._subscribed = port, {}
        self._discovery = Subscriber(port, "homeassistant/device/+/config")

    def look(self):
        """Values of all entities by name."""
        for messages in list(self._discovery.heard.values()):
            for one in messages[-1]["cmps"].values():
                if one["state_topic"] not in self._subscribed:
                    self._subscribed[one["state_topic"]] = one, States(self._port, one["state_topic"])
        for one, states in self._subscribed.values():
            for payload in states.payloads[-1:]:
                template = jinja2.Environment(undefined=jinja2.StrictUndefined).from_string(one["value_template"])
                self.values[one["name"]] = template.render(value_json=json.loads(payload))
        return self.values

    def close(self):
        self._discovery.close()
        for _one, states in self._subscribed.values():
            states.close()


class States(Subscriber):
    """All payloads of one topic."""

    def __init__(self, port, topic):
        self.payloads = []
        super().__init__(port, topic)

    def _take(self, _client, _data, message):
        self.payloads.append(message.payload)


@pytest.fixture
def reader(monkeypatch):
    made = []

    def make(port):
        made.append(Reader(port))
        return made[-1]

    numbers = iter(range(1000))
    monkeypatch.setattr("host.mqtt_peers.Client", _named(numbers))
    yield make
    for one in made:
        one.close()


def _named(numbers):
    # Each subscriber with an id of its own.
    from paho.mqtt.client import Client

    def client(version, client_id, clean_session):
        return Client(version, client_id=f"{client_id}-{next(numbers)}", clean_session=clean_session)

    return client


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
    wait_until(lambda: expected.items() <= client.look().items(), lambda: client.values)
    listener = rig.listen("homeassistant/#")
    time.sleep(0.3)
    before = len(listener.lines())
    publish.single("homeassistant/status", "online", port=rig.port)  # it was started anew
    wait_until(lambda: len(listener.lines()) >= before + 2, "the announcement", 8)
    assert bridge.stop() == 0
