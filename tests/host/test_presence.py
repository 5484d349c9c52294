"""Whether the bridge is there: told by itself when it comes and goes, and by the broker when it dies."""

import json

import pytest
from host.rig import wait_until

from fluksometer.domain.presence import presence

STATE = r"/device/[0-9a-f]{32}/bridge/state"


def test_topic_and_payloads():
    told = presence("d" * 32)
    assert (told.online.topic, told.online.payload) == (f"/device/{'d' * 32}/bridge/state", '{"state":"online"}')
    assert (told.offline.topic, told.offline.payload) == (told.online.topic, '{"state":"offline"}')
    assert told.online.retain and told.offline.retain


def test_it_is_online_while_it_runs_and_offline_after_a_clean_stop(rig):
    rig.use("mosquitto")
    bridge = rig.bridge()
    listener = rig.listen(topic="/device/+/bridge/state")
    listener.wait_for(rf'[01] {STATE} {{"state":"online"}}')
    assert bridge.stop() == 0
    listener.wait_for(rf'0 {STATE} {{"state":"offline"}}')
    rig.listen(topic="/device/+/bridge/state").wait_for(rf'1 {STATE} {{"state":"offline"}}')  # kept


def test_a_bridge_that_is_killed_leaves_its_last_will(rig):
    rig.use("mosquitto")
    bridge = rig.bridge()
    listener = rig.listen(topic="/device/+/bridge/state")
    listener.wait_for(rf'[01] {STATE} {{"state":"online"}}')
    bridge.process.kill()
    bridge.process.wait()
    listener.wait_for(rf'0 {STATE} {{"state":"offline"}}')
    rig.listen(topic="/device/+/bridge/state").wait_for(rf'1 {STATE} {{"state":"offline"}}')


@pytest.mark.parametrize("kind", ["mosquitto", "embedded"])
def test_it_is_online_again_after_the_broker_was_away(rig, kind):
    rig.use(kind)
    bridge = rig.bridge()
    rig.listen(topic="/device/+/bridge/state").wait_for(rf'[01] {STATE} {{"state":"online"}}')
    if rig.mosquitto:
        rig.mosquitto.kill()
        bridge.wait_for_log("mqtt_down")
        rig.mosquitto.start()
        wait_until(lambda: bridge.log.count("mqtt_up") == 2, lambda: bridge.log)
    _, _, payload = rig.listen(topic="/device/+/bridge/state").wait_for(rf'1 {STATE} {{"state":"online"}}')
    assert json.loads(payload) == {"state": "online"}
