"""The health of a running bridge, as a stranger's MQTT client sees it."""

import json

from host.test_service import greeted


def test_an_unplugged_board_is_told_and_its_sensors_say_so(rig):
    rig.use("embedded")
    bridge = greeted(rig)
    for port in (1, 2, 3):
        rig.board.clamp(port, 248, 0)
    heard = rig.listen("/device/+/health")
    *_, payload = heard.wait_for(r'[01] /device/[0-9a-f]{32}/health .*"good":3.*')
    before = json.loads(payload)
    assert (before["state"], before["faults"], before["link"]["up"]) == ("ok", [], True)
    assert before["board"]["reset_cause"] == "power on" and before["sinks"]["mqtt"]["up"]
    assert sorted(one["function"] for one in before["sensors"].values() if one["quality"] == "never") == [
        "pulse 4",
        "pulse 5",
    ]
    rig.board.unplug()
    *_, payload = heard.wait_for(r'. /device/.*"what":"link_down".*')
    after = json.loads(payload)
    (fault,) = after["faults"]
    assert after["state"] == "fault" and "plugged" in fault["says"]
    *_, payload = heard.wait_for(r'. /device/.*"quality":"stale".*')
    stale = [one for one in json.loads(payload)["sensors"].values() if one["quality"] == "stale"]
    assert {one["reason"] for one in stale} == {"the board is not there"}
    assert bridge.stop() == 0
    assert "health='fault: link_down'" in bridge.log  # the summary at the end
    assert "[error" not in bridge.log, "link_down stands there already"
