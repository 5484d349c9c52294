"""Two real bridges, one of which uploads to the other, through kills and outages; and TMPO over MQTT 3.1 with TLS."""

import gzip
import json
import subprocess
import time

import pytest
from host.certificates import Authority
from host.rig import MOSQUITTO, Mosquitto, Rig, free_port, wait_until
from host.test_cli import fluksometer
from host.test_service import greeted, ids
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

pytestmark = pytest.mark.skipif(not MOSQUITTO, reason="mosquitto is not installed")
UPLOAD = """
[upload]
enable = true
url = "{url}"
key_file = "key"
every_s = 1
{more}
"""


@pytest.fixture
def homes(tmp_path):
    """A cottage with a board, and a home that it uploads to, each with a broker of its own."""
    rigs = []
    for name in ("cottage", "home"):
        (tmp_path / name).mkdir()
        rigs.append(Rig(tmp_path / name))
        rigs[-1].use("mosquitto")
    yield rigs
    for one in rigs:
        one.close()


def registered(home, cottage):
    """The configuration of the server, at which the cottage is registered; its port, and the id of the cottage."""
    port, authority = free_port(), Authority(home.folder / "authority")
    certificate = authority.issue("localhost")
    tls = f'cert_file = "{certificate.cert}"\nkey_file = "{certificate.key}"\n'
    config = home.write_config(f"[server]\nport = {port}\n{tls}")
    cottage.write_config()
    device_id = fluksometer("devices", "-c", cottage.folder / "meter.toml", "id").stdout.strip()
    added = fluksometer("devices", "-c", config, "add", device_id, "cottage")
    assert added.returncode == 0 and "cottage may upload" in added.stderr, added
    (cottage.folder / "key").write_text(added.stdout)
    (cottage.folder / "key").chmod(0o600)
    assert (home.folder / "state" / "devices.json").stat().st_mode & 0o777 == 0o600
    return config, port, device_id


def counters(listener, sensor_id):
    """(second, total) as they were published, without what was retained."""
    found = [json.loads(text) for flag, topic, text in listener.lines() if topic == f"/sensor/{sensor_id}/counter"]
    return list(dict.fromkeys((second, total) for second, total, _unit in found))


def pulses(board, count):
    board.pulse(5, count, edge_wall_s=time.time(), interval_us=1_000_000)


def assert_once(uploaded, published):
    assert set(uploaded) <= set(published) and uploaded == sorted(uploaded)
    assert len({second for second, _ in uploaded}) == len(uploaded)


def assert_told(home, config, device_id, sensor_id):
    """The device is listed as heard, and its sensor published with name and unit."""
    listed = fluksometer("devices", "-c", config).stdout
    assert listed.startswith(f"cottage  {device_id}  ") and "heard" in listed and "not heard" not in listed
    told = home.listen("/device/+/config/sensor").wait_for(r'[01] \S+ .*"cottage pulse 5".*')
    section = next(one for one in json.loads(told[2]).values() if one.get("id") == sensor_id)
    assert (section["type"], section["unit"], section["class"]) == ("water", "L", "remote")


def test_totals_of_one_bridge_come_to_the_other_once_through_kills_and_outages(homes):
    cottage, home = homes
    config, port, device_id = registered(home, cottage)
    ca_file = f'ca_file = "{home.folder / "authority" / "ca.crt"}"'
    upload = UPLOAD.format(url=f"https://localhost:{port}", more=ca_file)
    sensor_id = None
    listener = home.listen()
    server = home.bridge_from(config)
    server.wait_for_log("server_up")
    bridge = greeted(cottage, upload)
    sensor_id = ids(cottage)[5]
    at_home = cottage.listen(f"/sensor/{sensor_id}/counter")

    def both_have(total):
        for one in (at_home, listener):
            wait_until(
                lambda one=one: [value for _, value in counters(one, sensor_id)][-1:] == [total],
                lambda one=one: f"{one.lines()}\n{bridge.log}\n{server.log}",
                timeout_s=30,
            )

    pulses(cottage.board, 3)
    both_have(30)
    server.process.kill()
    server.process.wait()
    time.sleep(1.1)
    pulses(cottage.board, 4)
    bridge.wait_for_log("sink_down")
    wait_until(lambda: cottage.board.unacknowledged == 0, bridge.log)
    bridge.process.kill()  # what was not uploaded is in its ledger
    bridge.process.wait()
    bridge = cottage.bridge(upload)
    server = home.bridge_from(config)
    both_have(40)
    time.sleep(1.1)
    pulses(cottage.board, 6)
    both_have(60)
    assert_once(counters(listener, sensor_id), counters(at_home, sensor_id))
    assert_told(home, config, device_id, sensor_id)
    removed = fluksometer("devices", "-c", config, "rm", "cottage")
    assert removed.returncode == 0
    time.sleep(1.1)
    pulses(cottage.board, 7)
    bridge.wait_for_log("No proper provisioning", timeout_s=20)
    assert bridge.stop() == 0 and server.stop() == 0


def test_a_missing_or_wrong_key_is_told_of(homes):
    cottage, _ = homes
    cottage.write_config('[upload]\nenable = true\nurl = "https://127.0.0.1"\nkey_file = "none"\n')
    config = cottage.folder / "meter.toml"
    checked = fluksometer("check", "-c", config)
    assert checked.returncode == 2 and "upload.key_file: " in checked.stderr
    bridge = cottage.bridge_from(config)
    assert bridge.process.wait(15) == 2 and "upload.key_file" in bridge.log
    (cottage.folder / "none").write_text("secret\n")
    bridge = cottage.bridge_from(config)
    assert bridge.process.wait(15) == 2 and "32 lower-case hex digits" in bridge.log and "secret" not in bridge.log


def test_tmpo_and_configuration_go_to_the_server_by_mqtt_3_1_and_its_list_comes_back(homes, tmp_path):
    cottage, _ = homes
    authority = Authority(tmp_path)
    certificate = authority.issue("localhost")
    device_id = fluksometer("devices", "-c", cottage.write_config(), "id").stdout.strip()
    key = "0123456789abcdef0123456789abcdef"
    (cottage.folder / "key").write_text(key + "\n")
    passwords = tmp_path / "passwords"
    subprocess.run(["mosquitto_passwd", "-c", "-b", passwords, device_id, key], check=True)
    port = free_port()
    more = f"listener {port} 127.0.0.1\ncertfile {certificate.cert}\nkeyfile {certificate.key}\n"
    (tmp_path / "server").mkdir()
    server = Mosquitto(tmp_path / "server", f"persistence false\npassword_file {passwords}\nlog_type all\n{more}")
    try:
        import_block(cottage, "1" * 32, tmp_path / "old")
        tmpo = f'tmpo_url = "mqtts://localhost:{port}"\nca_file = "{authority.files.cert}"'
        cottage.sensors = cottage.sensors.replace("port = 1\n", f'port = 1\nid = "{"1" * 32}"\n')
        far, near = Peer(server.port), Peer(cottage.port)
        bridge = greeted(cottage, UPLOAD.format(url="http://127.0.0.1:9", more=tmpo))
        sensor_id = "1" * 32
        wait_until(lambda: f"/device/{device_id}/config/sensor" in far.heard, bridge.log)
        assert sensor_id in far.heard[f"/device/{device_id}/config/sensor"].decode()
        near.client.publish(f"/sensor/{sensor_id}/tmpo/0/8/1422802432/gz", b"of somebody else on the broker")
        wait_until(lambda: f"/device/{device_id}/tmpo/sync" in far.heard, lambda: far.heard)
        wanted = json.dumps([{"sid": sensor_id, "rid": 0, "lvl": 0, "bid": 0}]).encode()
        far.client.publish(f"/d/device/{device_id}/tmpo/sync", wanted)

        def blocks():  # compacted meanwhile, perhaps
            return [one for one in far.heard if one.startswith(f"/sensor/{sensor_id}/tmpo/0/")]

        wait_until(blocks, lambda: f"{list(far.heard)}\n{bridge.log}")
        (published,) = blocks()
        assert gzip.decompress(far.heard[published]).endswith(b'"t":[0,66,81],"v":[0,1,1]}')
        assert near.heard[f"/d/device/{device_id}/tmpo/sync"] == wanted
        assert bridge.stop() == 0
    finally:
        server.kill()


def import_block(rig, sensor_id, folder):
    """One block of an older Fluksometer's history, into the store of the bridge."""
    cfg = f'{{"id":"{sensor_id}","type":"electricity","port":[1],"function":"main","rid":0,"class":"analog","data_type":"counter"}}'
    head = f'{{"h":{{"head":[1422801984,637840],"tail":[1422802131,637842],"vsn":1,"cfg":{cfg}}}'
    path = folder / "sensor" / sensor_id / "0" / "8" / "1422801920"
    path.parent.mkdir(parents=True)
    path.write_bytes(gzip.compress((head + ',"t":[0,66,81],"v":[0,1,1]}').encode()))
    done = fluksometer("tmpo", "import", "-c", rig.folder / "meter.toml", folder)
    assert done.returncode == 0, done


class Peer:
    """A client that hears everything."""

    def __init__(self, port):
        self.heard = {}
        self.client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv311)
        self.client.on_connect = lambda client, *_: client.subscribe("#")
        self.client.on_message = lambda _client, _data, got: self.heard.update({got.topic: got.payload})
        self.client.connect("127.0.0.1", port)
        self.client.loop_start()
