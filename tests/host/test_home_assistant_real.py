"""A real Home Assistant beside a real broker and a bridge: it finds every sensor by itself, and its own checks pass."""

import json
import subprocess
import time

import pytest
from host.home_assistant_place import home_assistant
from host.rig import MOSQUITTO, Mosquitto, wait_until
from host.test_home_assistant import everything
from paho.mqtt import publish
from places import ROOT

from fluksometer.domain.home_assistant import House, payloads

pytestmark = [
    pytest.mark.skipif(not MOSQUITTO, reason="mosquitto is not installed"),
    pytest.mark.xdist_group("home assistant"),
]
FOREIGN = """
[[foreign]]
id = "{0}1"
function = "grid import"
[[foreign]]
id = "{0}2"
function = "gas"
type = "gas"
[[foreign]]
id = "{0}3"
function = "grid export"
"""


class HomeAssistant:
    """One process of it."""

    def __init__(self, port, folder):
        command, environment = home_assistant()
        folder.mkdir(exist_ok=True)
        runner = ROOT / "tests/host/real_home_assistant.py"
        self.process = subprocess.Popen(
            [*command, str(runner), str(port), str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )
        assert json.loads(self.process.stdout.readline()) == "ready"

    def ask(self, *question):
        self.process.stdin.write(json.dumps(question) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def wait_for(self, true, what, timeout_s=15):
        return wait_until(lambda: true(self.ask("known")), lambda: f"{what} in {self.ask('known')}", timeout_s)

    def wait_for_state(self, entity_id, state):
        found = self.wait_for(
            lambda known: known if known.get(entity_id, {}).get("state") == state else None, f"{entity_id} = {state}"
        )
        return found[entity_id]

    def close(self):
        self.process.stdin.close()
        self.process.wait(15)


@pytest.fixture(scope="module")
def broker(tmp_path_factory):
    home_assistant()
    broker = Mosquitto(tmp_path_factory.mktemp("broker"))
    yield broker
    broker.kill()


@pytest.fixture(scope="module")
def shared(broker, tmp_path_factory):
    one = HomeAssistant(broker.port, tmp_path_factory.mktemp("home"))
    yield one
    one.close()


@pytest.fixture
def home(shared, rig, broker):
    """Home Assistant, with what the test before has left swept away."""
    rig.mosquitto, rig.port = broker, broker.port
    shared.ask("complaints")
    yield shared
    kept = rig.listen("homeassistant/#")
    time.sleep(0.3)
    sweep = [(topic, None, 1, True) for _retained, topic, _payload in kept.lines()]
    if sweep:
        publish.multiple(sweep, port=broker.port)
    rig.mosquitto = None  # it lives on
    assert shared.ask("complaints") == []


def test_it_takes_every_quantity_there_is(home, broker):
    """Every sensor that any terminal can bring, in both forms, is an entity without a complaint."""
    for form in ("device", "entity"):
        house = everything(modern=form == "device")
        topics = payloads(house, {}, "homeassistant", form, "0.1.0")
        publish.multiple([(topic, told, 1, True) for topic, told in topics.items()], port=broker.port)
        ids = {one.config["unique_id"] for one in house.entities.values()}
        assert len(ids) > 40
        home.wait_for(lambda known, ids=ids: ids <= {one["unique_id"] for one in known.values()}, "all of them")
        empty = payloads(House(), house.entities, "homeassistant", form, "0.1.0")
        publish.multiple([(topic, told, 1, True) for topic, told in empty.items()], port=broker.port)
        home.wait_for(lambda known: not known, "none of them")


def test_one_that_starts_later_finds_the_same(broker, home, tmp_path):
    """The broker hands out what it kept in an order of its own: devices may come before the one that they hang on."""
    house = everything()
    topics = payloads(house, {}, "homeassistant", "device", "0.1.0")
    publish.multiple([(topic, told, 1, True) for topic, told in reversed(topics.items())], port=broker.port)
    later = HomeAssistant(broker.port, tmp_path / "later")
    try:
        for one in (home, later):
            known = one.wait_for(lambda known: known if len(known) == len(house.entities) else None, "all of them")
            hanging = {entity["device"]: entity["via"] for entity in known.values()}
            assert not hanging.pop("home")
            assert all(hanging.values()), hanging
        assert later.ask("complaints") == []
    finally:
        later.close()


def test_the_energy_dashboard_is_complete(home, rig, broker):
    rig.sensors = rig.sensors.replace('function = "clamp 1"', 'function = "roof"\nrole = "solar"')
    rig.board.plug()
    bridge = rig.bridge(FOREIGN.format("f" * 31))
    bridge.wait_for_log("board_hello")
    for _ in range(3):
        time.sleep(0.05)
        rig.board.hello()
    now_s = int(time.time())
    rig.board.clamp(1, 248, 248 * 1000 * 3600 // 2, wall_s=now_s - 0.5)
    rig.board.pulse(4, 7, edge_wall_s=now_s - 0.5, interval_us=1_000_000)
    rig.board.pulse(5, 3, edge_wall_s=now_s - 0.5, interval_us=30_000_000)
    foreign = [("1", f'[{now_s},4321098,"Wh"]'), ("2", f'[{now_s},1234,"L"]'), ("3", f'[{now_s},98765,"Wh"]')]
    for last, payload in foreign:
        publish.single(f"/sensor/{'f' * 31}{last}/counter", payload, qos=1, retain=True, port=broker.port)
    power = home.wait_for_state("sensor.fluksometer_roof_solar_power", "2298")
    assert power["attributes"]["unit_of_measurement"] == "W"
    sources = [
        ("sensor.fluksometer_roof_solar_energy", "1.148", "kWh", "energy"),
        ("sensor.fluksometer_grid_import_energy", "4321.098", "kWh", "energy"),
        ("sensor.fluksometer_grid_export_energy", "98.765", "kWh", "energy"),
        ("sensor.fluksometer_pulse_4_energy", "0.0035", "kWh", "energy"),
        ("sensor.fluksometer_gas", "1.234", "m³", "gas"),
        ("sensor.fluksometer_pulse_5_water", "0.03", "m³", "water"),
    ]
    for entity_id, state, unit, kind in sources:
        one = home.wait_for_state(entity_id, state)
        assert one["attributes"]["unit_of_measurement"] == unit
        assert one["attributes"]["state_class"] == "total_increasing"
        assert home.ask("energy", entity_id, kind) == []
    assert home.ask("energy", "sensor.fluksometer_roof_solar_power", "energy") != []  # its check does find faults
    bridge.process.kill()  # its last will
    home.wait_for_state("sensor.fluksometer_roof_solar_energy", "unavailable")


def test_forms_change_and_entities_stay(home, rig):
    """Registry entries (and with them names and history) live on; what is taken out of the configuration goes."""
    bridge = rig.bridge('[homeassistant]\nform = "entity"\n')
    before = home.wait_for(lambda known: known if len(known) == 11 else None, "five sensors and the health")
    assert bridge.stop() == 0
    bridge = rig.bridge('[homeassistant]\nform = "device"\n')
    listener = rig.listen("homeassistant/#")
    listener.wait_for(r"[01] homeassistant/device/\w+/config .*clamp 2 energy.*", 20)
    time.sleep(4)  # the old topics are emptied
    after = home.ask("known")
    assert {key: one["id"] for key, one in after.items()} == {key: one["id"] for key, one in before.items()}
    told = home.ask("complaints")  # of the last step that it asks for: the old topics are emptied, and that is ignored
    assert all("conflicting MQTT discovery message" in one for one in told), told
    kept = rig.listen("homeassistant/#")
    kept.wait_for(r"1 homeassistant/device/\w+/config .*")
    assert [topic for _retained, topic, _ in kept.lines() if "/sensor/" in topic] == []
    assert bridge.stop() == 0
    rig.sensors = rig.sensors.partition("[[sensor]]\nport = 2")[0]
    bridge = rig.bridge()
    home.wait_for(lambda known: "sensor.fluksometer_clamp_2_energy" not in known, "its end")
    assert "sensor.fluksometer_clamp_1_energy" in home.ask("known")
    assert bridge.stop() == 0
    bridge = rig.bridge("[homeassistant]\nenable = false\n")
    home.wait_for(lambda known: not known, "the end of all")
    assert bridge.stop() == 0
