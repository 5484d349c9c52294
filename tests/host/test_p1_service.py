"""The whole bridge with a smart meter: pieces or a cable at one end, a stranger's MQTT client at the other."""

import json
import re
import time

import pytest
from host.p1_vectors import LUXEMBOURG_FRAME, LUXEMBOURG_KEY, TELEGRAMS, sealed
from host.rig import wait_until
from host.test_p1_line import Meter
from host.test_service import greeted, middle_of_second


def functions(rig, has):
    """Sensor ids by function from the retained configuration, once it has this function."""
    listener = rig.listen("/device/+/config/sensor")

    def found():
        for _, _, payload in reversed(listener.lines()):
            sections = json.loads(payload).values()
            by_name = {section["function"]: section for section in sections if "function" in section}
            return by_name if has in by_name else None
        return None

    return wait_until(found, lambda: f"{has} in {listener.lines()}")


@pytest.fixture
def p1_bridge(rig):
    rig.use("mosquitto")
    bridge = greeted(rig, "[p1]\n")
    wait_until(lambda: rig.board.settings.p1 == 1, "the setting")
    return bridge


def test_a_telegram_reaches_a_strangers_client(rig, p1_bridge):
    end_s = middle_of_second(ago_s=1)
    rig.board.meter(TELEGRAMS["hungary"], 1, wall_s=end_s)
    sensors = functions(rig, "P1 import")
    live = rig.listen()
    for name, what, payload in (
        ("P1 import", "counter", '812421000,"Wh"'),
        ("P1 export", "counter", '1714369000,"Wh"'),
        ("P1 net", "counter", '-901948000,"Wh"'),
        ("P1 net", "gauge", '82,"W"'),
        ("P1 power", "gauge", '82,"W"'),
        ("P1 voltage L1", "gauge", '234,"V"'),
        ("P1 frequency", "gauge", '49.99,"Hz"'),
    ):
        number = payload.replace("000,", ",", 1) if "Wh" in payload else payload
        live.wait_for(rf"[01] /sensor/{sensors[name]['id']}/{what} \[{int(end_s)},{re.escape(number)}\]")
    section = sensors["P1 import"]
    assert section | {"id": ""} == {
        "id": "", "enable": 1, "class": "cosem", "type": "electricity", "function": "P1 import", "data_type": "counter",
        "unit": "Wh", "rid": 0, "meter": "9900000001",
    }  # fmt: skip
    assert p1_bridge.stop() == 0
    assert "p1_telegrams=1" in p1_bridge.log


def test_a_swapped_meter_has_other_ids_and_the_first_gets_its_own_again(rig, p1_bridge):
    rig.board.meter(TELEGRAMS["dsmr5"], 1)
    first = functions(rig, "P1 import")["P1 import"]["id"]
    rig.board.meter(SWAPPED_METER, 2)
    other = wait_until(lambda: _other(functions(rig, "P1 import")["P1 import"]["id"], first), "another id")
    assert p1_bridge.stop() == 0
    again = rig.bridge("[p1]\n")
    again.wait_for_log("board_hello")
    rig.board.meter(TELEGRAMS["dsmr5"], 3)
    wait_until(lambda: functions(rig, "P1 import")["P1 import"]["id"] == first, f"{first}, not {other}")


SWAPPED_METER = sealed("1-3:0.2.8(50)", "0-0:96.1.1(5A5A5A31)", "1-0:1.8.0(000001.000*kWh)")


def _other(one, first):
    return one if one != first else None


def test_with_the_wrong_key_nothing_comes_out_and_the_log_says_so(rig):
    rig.use("mosquitto")
    (rig.folder / "key").write_text("00" * 16)
    (rig.folder / "key").chmod(0o644)
    bridge = greeted(rig, '[p1]\nkey_file = "key"\n')
    for number in (1, 2, 3):
        rig.board.meter(LUXEMBOURG_FRAME, number)
    bridge.wait_for_log("p1_not_opened")
    time.sleep(0.3)
    assert bridge.log.count("p1_not_opened") == 1
    assert "chmod 600" in bridge.log and "00" * 16 not in bridge.log
    assert bridge.stop() == 0
    assert "p1_not_opened=3" in bridge.log


def test_luxembourg_with_its_key(rig):
    rig.use("mosquitto")
    (rig.folder / "key").write_text(LUXEMBOURG_KEY.hex())
    (rig.folder / "key").chmod(0o600)
    greeted(rig, '[p1]\nkey_file = "key"\n')
    rig.board.meter(LUXEMBOURG_FRAME, 1)
    assert functions(rig, "P1 import")["P1 import"]["type"] == "electricity"


def test_the_hosts_own_cable_without_any_board(rig):
    rig.use("mosquitto")
    meter = Meter(rig.folder / "meter", TELEGRAMS["dsmr5-three-phase"])
    bridge = rig.bridge(f'[p1]\nport = "{meter.path}"\n')
    bridge.wait_for_log("mqtt_up")
    sensors = functions(rig, "P1 gas")
    assert rig.board.settings.p1 == 0
    live = rig.listen()
    live.wait_for(rf"[01] /sensor/{sensors['P1 import']['id']}/counter \[\d+,6825,\"Wh\"\]")
    live.wait_for(rf"[01] /sensor/{sensors['P1 power L3']['id']}/gauge \[\d+,142,\"W\"\]")
    meter.unplug()
    bridge.wait_for_log("p1_cable_down")
    assert bridge.stop() == 0


CLAMP = """\
[[sensor]]
port = 1
function = "clamp 1"
clamp_a = 50
p1_phase = 2
[[sensor]]
port = 2
function = "clamp 2"
clamp_a = 50
"""


def test_a_clamp_takes_the_voltage_of_its_line(rig):
    rig.use("mosquitto")
    rig.sensors = CLAMP
    greeted(rig, "[p1]\n")
    sensors = functions(rig, "clamp 1")
    live = rig.listen()
    charge = 248 * 1000 * 3600 // 2  # half an hour
    rig.board.clamp(1, 248, charge)
    live.wait_for(rf"[01] /sensor/{sensors['clamp 1']['id']}/gauge \[\d+,2298,\"W\"\]")
    live.wait_for(rf"[01] /sensor/{sensors['clamp 1']['id']}/counter \[\d+,1148,\"Wh\"\]")
    rig.board.meter(sealed("1-3:0.2.8(50)", "1-0:32.7.0(207.0*V)", "1-0:52.7.0(253.0*V)"), 1)
    live.wait_for(r"[01] /sensor/\w+/gauge \[\d+,253,\"V\"\]")
    time.sleep(1.1)
    for port in (1, 2):
        rig.board.clamp(port, 248, 2 * charge)
    live.wait_for(rf"[01] /sensor/{sensors['clamp 1']['id']}/gauge \[\d+,2528,\"W\"\]")
    live.wait_for(rf"[01] /sensor/{sensors['clamp 1']['id']}/counter \[\d+,2412,\"Wh\"\]")
    live.wait_for(rf"[01] /sensor/{sensors['clamp 2']['id']}/gauge \[\d+,2298,\"W\"\]")
