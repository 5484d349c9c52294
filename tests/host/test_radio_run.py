"""Radio and panel through the whole bridge: a scripted board at one end, a stranger's MQTT client at the other."""

import json
import os
import subprocess
import sys
import time

from host.radio_records import (
    PAIR_REQUEST,
    WEATHER_A,
    WEATHER_B,
    next_sent,
    packet,
    publish,
    radio_status,
)
from host.rig import environment, wait_until
from host.test_service import greeted

from fluksometer.shared.kube import (
    collect_group,
    decode_block,
    decode_pair_reply,
    decode_upgrade,
    encode_download_request,
    encode_pair_request,
    encode_upgrade,
    image_crc,
)
from fluksometer.shared.terminal_records import BUTTON, RADIO_NONE, RADIO_RFM12B

RADIO = '[radio]\nimages = "images"\n'
PANEL = '[panel]\nheartbeat_port = 4\non_toggle = ["sh", "-c", "echo toggled \\"$0\\"; exit 3", "a b"]\n'
FLK01A, FLK01B = 0x4B11, 0x4B12


def device_of(listener):
    _retained, topic, payload = listener.wait_for(r"[01] /device/[0-9a-f]{32}/config/kube .*")
    return topic.split("/")[2], json.loads(payload)


def kubes(rig, *words):
    return subprocess.run(
        [sys.executable, "-m", "fluksometer", "kubes", "--port", str(rig.port), *words],
        capture_output=True,
        text=True,
        timeout=40,
        env=environment(),
    )


def paired(rig, device, request=PAIR_REQUEST, node=1):
    """Pairs a kube; the payload of what it is answered."""
    rig.board.sent.clear()
    publish(rig, f"/device/{device}/request/pair")
    assert next_sent(rig.board, "radio_listen") == (212, 20)
    packet(rig.board, 212, 0xE0, request)
    assert next_sent(rig.board, "radio_listen") == (212, 0)
    group, header, payload = next_sent(rig.board, "radio_send")
    assert (group, header) == (212, 0xA0)
    hw_type, own, given, key = decode_pair_reply(payload)
    assert (hw_type, own, given) == (int.from_bytes(request[:2], "little"), collect_group(device), node)
    return key


def section_of(listener, kind, node):
    """A kube's sensor in the published configuration."""

    def found():
        lines = [line for line in listener.lines() if line[1].endswith("/config/sensor")]
        sections = json.loads(lines[-1][2]).values() if lines else []
        return next((one for one in sections if one.get("kid") == node and one["type"] == kind), None)

    return wait_until(found, lambda: f"{kind} of kube {node} in {listener.lines()}")


def test_a_kube_is_paired_reports_and_keeps_its_ids_over_a_restart(rig):
    rig.use("mosquitto")
    bridge = greeted(rig, RADIO)
    live = rig.listen("#")
    device, config = device_of(live)
    group = collect_group(device)
    assert config == {"main": {"pair_group": 212, "collect_group": group, "max_nodes": 30, "encryption": 0}}
    assert (rig.board.settings.radio, rig.board.settings.radio_group) == (1, group)
    packet(rig.board, 212, 0xE0, PAIR_REQUEST)  # nobody has opened the pairing
    key = paired(rig, device)
    live.wait_for(rf'0 /device/{device}/pair {{"state":"paired","node":1,.*"known":false}}')
    live.wait_for(rf'[01] /device/{device}/config/kube .*"1":{{"hw_id":"000102030405060708090a0b0c0d0e0f".*')
    packet(rig.board, group, 1, WEATHER_B)
    ids = {name: section_of(live, name, 1)["id"] for name in ("temperature", "pressure", "movement", "battery")}
    live.wait_for(rf'0 /sensor/{ids["temperature"]}/gauge \[\d+,21.79,"°C"\]')
    live.wait_for(rf'0 /sensor/{ids["pressure"]}/gauge \[\d+,101325,"Pa"\]')
    live.wait_for(rf'0 /sensor/{ids["battery"]}/gauge \[\d+,2.9,"V"\]')
    packet(rig.board, group, 1, (7).to_bytes(4, "little"))
    live.wait_for(rf'0 /sensor/{ids["movement"]}/counter \[\d+,7,""\]')
    # A second one, then a packet of another house and one of nobody.
    assert paired(rig, device, encode_pair_request(FLK01A, 0, 0, 0xF0BE, bytes(16)), node=2) == key
    packet(rig.board, group % 250 + 1, 1, WEATHER_B)
    packet(rig.board, group, 9, WEATHER_A)
    live.wait_for(rf'0 /device/{device}/radio/9 {{"time":[\d.]+,"header":9,"rssi_dbm":-71,"payload":"0064007b0c00"}}')
    bridge.wait_for_log("radio_unknown_node")
    packet(rig.board, group, 2, WEATHER_A)
    attic = section_of(live, "humidity", 2)["id"]
    live.wait_for(rf'0 /sensor/{attic}/gauge \[\d+,54.1,"%"\]')
    retained = rig.listen("/sensor/+/+")
    retained.wait_for(rf"1 /sensor/{attic}/gauge .*")
    assert not [line for line in retained.lines() if ids["movement"] in line[1]]  # an event is not kept
    assert bridge.stop() == 0
    assert "radio_unknown=1" in bridge.log and "radio_refused=0" in bridge.log
    again = rig.bridge(RADIO)
    again.wait_for_log("mqtt_up")
    late = rig.listen("#")
    assert section_of(late, "temperature", 1)["id"] == ids["temperature"]
    again.wait_for_log("board_hello")
    assert paired(rig, device) == key
    late.wait_for(rf'0 /device/{device}/pair {{"state":"paired","node":1,.*"known":true}}')
    assert again.stop() == 0


def test_new_firmware_is_served_block_by_block(rig):
    rig.use("mosquitto")
    image = os.urandom(300)
    (rig.folder / "images").mkdir()
    (rig.folder / "images/flk01b-7.bin").write_bytes(image)
    bridge = greeted(rig, RADIO)
    device, _config = device_of(rig.listen("#"))
    group = collect_group(device)
    paired(rig, device)
    packet(rig.board, group, 0xA1, encode_upgrade(FLK01B, 1, 3952, 0x1234))
    sent_group, header, payload = next_sent(rig.board, "radio_send")
    hw_type, version, size, crc = decode_upgrade(payload)
    assert (sent_group, header, hw_type, version, size) == (group, 0xE1, FLK01B, 7, 320)
    fetched = b""
    for block in range(size // 64):
        packet(rig.board, group, 0xA1, encode_download_request(version, block))
        sent_group, header, payload = next_sent(rig.board, "radio_send")
        mark, data = decode_block(payload)
        assert (sent_group, header, len(payload), mark) == (group, 0xE1, 66, version ^ block)
        fetched += data
    assert fetched == image + b"\xff" * 20 and image_crc(fetched) == crc
    packet(rig.board, group, 0xA1, encode_download_request(version, 5))
    bridge.wait_for_log("block: 0..4, not 5")
    shown = kubes(rig)
    assert shown.returncode == 0 and "FLK01B" in shown.stdout and "-71 dBm" in shown.stdout, shown.stderr
    assert bridge.stop() == 0
    kept = json.loads((rig.folder / "state/kubes.json").read_text())
    assert kept["kubes"]["1"]["version"] == 1


def test_kubes_are_paired_named_listed_and_removed_at_the_command_line(rig):
    rig.use("mosquitto")
    bridge = greeted(rig, RADIO)
    live = rig.listen("#")
    device, _config = device_of(live)
    rig.board.sent.clear()
    pairing = subprocess.Popen(
        [sys.executable, "-m", "fluksometer", "kubes", "--port", str(rig.port), "pair"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
    )
    next_sent(rig.board, "radio_listen", timeout_s=30)
    packet(rig.board, 212, 0xE0, encode_pair_request(0x4B00, 0, 0, 0, bytes(16)))
    live.wait_for(rf"0 /device/{device}/pair .*refused.*unknown type 19200.*")
    packet(rig.board, 212, 0xE0, PAIR_REQUEST)
    said, complained = pairing.communicate(timeout=40)
    assert pairing.returncode == 0 and "kube 1 is paired" in said and "unknown type 19200" in complained
    named = kubes(rig, "--device", device[:6], "name", "1", "attic [1]")
    assert named.returncode == 0 and "attic [1]" in named.stdout, named.stderr
    wait_until(lambda: section_of(live, "light", 1)["function"] == "attic [1] light", "the new name")
    assert "attic [1]" in json.loads((rig.folder / "state/kubes.json").read_text())["kubes"]["1"]["name"]
    wrong = kubes(rig, "remove", "2")
    assert (wrong.returncode, wrong.stderr) == (1, "fluksometer: no kube is paired as node 2\n")
    removed = kubes(rig, "remove", "1")
    assert removed.returncode == 0 and "attic" not in removed.stdout
    wait_until(lambda: '"kid"' not in last_config(live), "the end of its sensors")
    radio_status(rig.board, RADIO_NONE)
    bridge.wait_for_log("radio_no_chip")
    refused = kubes(rig, "pair")
    assert (refused.returncode, refused.stderr) == (1, "fluksometer: no radio answers the board\n")
    radio_status(rig.board, RADIO_RFM12B)
    ended = kubes(rig, "pair", "--seconds", "1")
    assert (ended.returncode, ended.stderr) == (1, "fluksometer: no kube has asked to be paired\n")
    nobody = kubes(rig, "--device", "xyz")
    assert nobody.returncode == 1 and "no bridge with a radio with an id that begins with xyz" in nobody.stderr
    assert bridge.stop() == 0


def last_config(listener):
    return [line for line in listener.lines() if line[1].endswith("/config/sensor")][-1][2]


def test_a_damaged_book_stops_the_bridge_and_names_the_fix(rig):
    rig.use("embedded")
    (rig.folder / "state").mkdir()
    (rig.folder / "state/kubes.json").write_text('{"kubes": {"1": {"hw_id": "x"}}}')
    bridge = rig.bridge(RADIO)
    assert bridge.process.wait(timeout=15) == 1
    assert "kubes.json: kubes.1.hw_id: " in bridge.log and "Mend it, or restore it from a backup" in bridge.log


def test_the_panel_shows_the_broker_and_the_button_acts(rig):
    rig.use("mosquitto")
    bridge = greeted(rig, PANEL)
    live = rig.listen("/device/+/button")
    wait_until(lambda: rig.board.sent and rig.board.sent[-1][1][2] == 1, lambda: rig.board.sent)
    assert rig.board.settings.heartbeat_port == 4
    rig.mosquitto.kill()
    bridge.wait_for_log("mqtt_down")
    wait_until(lambda: rig.board.sent[-1][1][2] == 0, lambda: rig.board.sent)
    rig.mosquitto.start()
    wait_until(lambda: rig.board.sent[-1][1][2] == 1, lambda: rig.board.sent)
    live.process.kill()
    live = rig.listen("/device/+/button")
    time.sleep(0.3)  # until it is subscribed
    rig.board.send(BUTTON.kind, BUTTON.pack(rig.board.t_us(), 5_999))
    live.wait_for(r'0 /device/\w{32}/button {"time":[\d.]+,"held_ms":5999,"action":"toggle network"}')
    bridge.wait_for_log("said='toggled a b'")
    assert "exit_code=3" in bridge.log
    rig.board.send(BUTTON.kind, BUTTON.pack(rig.board.t_us(), 6_000))
    live.wait_for(r'0 /device/\w{32}/button {"time":[\d.]+,"held_ms":6000,"action":null}')
    assert bridge.stop() == 0
    assert bridge.log.count("button_program") == 1
