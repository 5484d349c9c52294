"""The configuration as a client of later Fluksometers reads it: ports and kubes by name."""

import json
import subprocess
import sys

from host.making import make_pulse_sensor, make_sensor
from host.rig import environment

from fluksometer.config_desk import ConfigDesk
from fluksometer.domain.flx_topics import flx_config
from fluksometer.domain.topics import Message, sensor_sections

DEVICE = "d" * 32


def sections():
    house = make_sensor(function="house", phases="3p+n", further_ports=(2, 3))
    off = make_pulse_sensor(sensor_id="1" * 32, enabled=False)
    meter = {"id": "2" * 32, "enable": 1, "class": "uart", "function": "heat pump import", "port": (6,)}
    return sensor_sections("home", "0.1.0", [house, off], None, [meter])


def test_ports_are_named_after_their_sensors():
    message = flx_config(DEVICE, sections())
    assert message.topic == f"/device/{DEVICE}/config/flx"
    assert message.retain
    told = json.loads(message.payload)
    assert told["main"] == {"phase": "3p+n"}
    assert [told[port]["name"] for port in "1236"] == ["house", "house", "house", "heat pump import"]
    assert told["1"]["class"] == "analog" and told["1"]["current"] == 50
    assert told["4"] == {"name": "port 4", "enable": 0}


def test_it_is_said_when_it_changes():
    kubes = Message("/device/x/config/kube", "{}")
    desk = ConfigDesk(DEVICE, kubes)
    desk.configured(sections())
    said, _asks = desk.step(None, 0.0)
    assert [one.topic.rpartition("/")[2] for one in said] == ["kube", "flx"]
    desk.configured(sections())
    assert desk.step(None, 1.0) == ([], [])


def test_a_client_finds_all_three_and_names_every_sensor(rig):
    """As Flukso's own component for Home Assistant does: it drops the whole device when one of them is missing."""
    rig.use("embedded")
    rig.bridge().wait_for_log("mqtt_up")
    listener = rig.listen("/device/+/config/+")
    found = {
        kind: json.loads(listener.wait_for(rf"[01] /device/\w+/config/{kind} .*")[2])
        for kind in ("sensor", "kube", "flx")
    }
    enabled = [one for one in found["sensor"].values() if one.get("enable")]
    names = [found["flx"][str(one["port"][0])]["name"] for one in enabled]
    assert names == ["clamp 1", "clamp 2", "clamp 3", "pulse 4", "pulse 5"]
    assert found["kube"]["main"] == {"pair_group": 212, "collect_group": 0, "max_nodes": 0, "encryption": 0}


def test_a_bridge_without_a_radio_is_not_asked_about_kubes(rig):
    rig.use("embedded")
    rig.bridge().wait_for_log("mqtt_up")
    command = [sys.executable, "-m", "fluksometer", "kubes", "--port", str(rig.port)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment(), timeout=20)
    assert "no bridge with a radio is on this broker: has its configuration a [radio]?" in done.stderr
    assert done.returncode == 1
