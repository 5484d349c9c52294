"""The examples of the Fluksometer's manual for MQTT, run as they are there against both brokers, and what they must show."""

import json
import re
import subprocess
import time

import pytest
from host.rig import MOSQUITTO_SUB, wait_until
from host.test_service import greeted

pytestmark = pytest.mark.skipif(not MOSQUITTO_SUB, reason="mosquitto_sub is not installed")
BROKERS = pytest.mark.parametrize("kind", ["embedded", "mosquitto"])
SENSOR = {  # the manual's excerpt, without "counter", which only a device that was set back from a backup has
    "id": str,
    "class": str,
    "type": str,
    "function": str,
    "port": list,
    "enable": int,
    "rid": int,
    "current": int,
    "data_type": str,
    "voltage": int,
}


def example(rig, topic, lines):
    """``mosquitto_sub -h ... -p 1883 -v -t TOPIC``, with -C for it to end and the demo's address."""
    command = [MOSQUITTO_SUB, "-h", "127.0.0.1", "-p", str(rig.port), "-v", "-t", topic, "-C", str(lines), "-W", "10"]
    return subprocess.run(command, capture_output=True, text=True, timeout=15).stdout.splitlines()


def measuring(rig, kind):
    rig.use(kind)
    greeted(rig)
    now_s = int(time.time()) - 0.5
    rig.board.clamp(1, 248, 248 * 1000 * 3600 // 2, wall_s=now_s)
    rig.board.pulse(4, 7, edge_wall_s=now_s, interval_us=1_000_000)
    rig.board.pulse(5, 3, edge_wall_s=now_s, interval_us=30_000_000)
    wait_until(lambda: len(example(rig, "/sensor/#", 6)) == 6, "all readings", 30)


@BROKERS
def test_the_readings(rig, kind):
    measuring(rig, kind)
    lines = example(rig, "/sensor/#", 6)
    shape = r'/sensor/[0-9a-f]{32}/(gauge|counter) \[\d{10},-?\d+(\.\d{1,3})?,"(W|Wh|L|L/day)"\]'
    assert all(re.fullmatch(shape, line) for line in lines), lines
    assert len({line.split()[0] for line in lines}) == 6  # each topic's last one, as they are retained
    gauges = example(rig, "/sensor/+/gauge", 3)
    assert [line.split()[0].rpartition("/")[2] for line in gauges] == ["gauge"] * 3


@BROKERS
def test_the_configuration(rig, kind):
    measuring(rig, kind)
    (line,) = example(rig, "/device/+/config/sensor", 1)
    topic, _, payload = line.partition(" ")
    assert re.fullmatch(r"/device/[0-9a-f]{32}/config/sensor", topic)
    sections = json.loads(payload)
    clamp = sections["1"]
    assert {key: type(clamp.get(key)) for key in SENSOR} == SENSOR
    assert (clamp["class"], clamp["type"], clamp["port"], clamp["enable"]) == ("analog", "electricity", [1], 1)
    ids = {line.split("/")[2] for line in example(rig, "/sensor/+/counter", 3)}
    assert ids == {sections[name]["id"] for name in "145"}  # names instead of ids, as the manual says


@BROKERS
def test_other_publishers_may_use_the_broker(rig, kind):
    rig.use(kind)
    rig.bridge().wait_for_log("mqtt_up")
    listener = rig.listen("/garden/#")
    time.sleep(0.3)
    command = ["mosquitto_pub", "-h", "127.0.0.1", "-p", str(rig.port), "-t", "/garden/gate", "-m", "open"]
    subprocess.run(command, check=True, timeout=10)
    listener.wait_for("0 /garden/gate open")
