"""HTTP of a real bridge: a process of its own, with a board that the test plays."""

import json
import ssl
import time
import urllib.error
import urllib.request

from host.rig import free_port, wait_until
from host.scripted_board import ScriptedBoard
from host.test_cli import fluksometer
from host.test_service import greeted, ids, middle_of_second
from host.tmpo_client import _certificate


def fetch(url, headers=None):
    """Status, headers, text."""
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers or {}), timeout=10) as answer:
            return answer.status, answer.headers, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.headers, error.read().decode()


def web(rig, more=""):
    """The bridge with [web] on a free port, and its address."""
    port = free_port()
    bridge = greeted(rig, f"[web]\nport = {port}\n{more}")
    bridge.wait_for_log("web_up")
    return bridge, f"http://127.0.0.1:{port}"


def test_a_clamp_is_seen_by_http_and_the_bridge_ends_within_two_seconds(rig):
    rig.use("embedded")
    bridge, base = web(rig)
    sensor = ids(rig)
    address = f"{base}/sensor/{sensor[1]}?version=1.0&interval=minute&unit=watt"
    assert fetch(address)[2] == "[]"
    end_s = middle_of_second(ago_s=3)
    for ago_s in (2, 1, 0):
        rig.board.clamp(1, 248, 0, wall_s=end_s - ago_s)
    slots = wait_until(lambda: len(found := json.loads(fetch(address)[2])) >= 3 and found, "three values")
    wait_until(lambda: fetch(address)[2].count(",2298]") == 3, "three values")
    assert slots[0][0] == int(end_s) - 2
    assert slots[-1][1] == "nan"
    status, headers, text = fetch(f"{address}&callback=realtime")
    assert (status, text[:10], text[-2:]) == (200, "realtime([", ");")
    assert headers["Access-Control-Allow-Origin"] == "*"
    began_s = time.monotonic()
    assert bridge.stop() == 0
    assert time.monotonic() - began_s < 5
    assert "Traceback" not in bridge.log


def test_a_taken_port_stops_no_metering(rig):
    rig.use("embedded")
    port = rig.port  # the broker has it
    bridge = greeted(rig, f"[web]\nport = {port}\n")
    bridge.wait_for_log("web_down")
    rig.board.clamp(1, 100, 0, wall_s=middle_of_second(1))
    rig.listen().wait_for(r'[01] /sensor/\w+/gauge \[\d+,927,"W"\]')
    assert bridge.stop() == 0


def test_what_was_just_measured_is_in_the_history_already(rig):
    rig.use("embedded")
    rig.board = ScriptedBoard(rig.folder / "board", up_s=1000)
    bridge, base = web(rig)
    sensor = ids(rig)
    token = fluksometer("token", "-c", rig.folder / "meter.toml", "new").stdout.strip()
    end_s = middle_of_second(ago_s=3)
    for ago_s in (240, 180, 120, 60, 0):
        rig.board.clamp(1, 248, (240 - ago_s) * 1000 * 248, wall_s=end_s - ago_s)  # 2298 W
    address = f"{base}/sensor/{sensor[1]}?interval=hour&unit=watt&version=1.0&token={token}"
    found = wait_until(lambda: (text := fetch(address)[2]).startswith("[[") and json.loads(text), "history")
    assert len(found) == 60

    def known():
        return [value for _, value in json.loads(fetch(address)[2]) if value != "nan"]

    values = wait_until(lambda: len(values := known()) >= 2 and values, "two whole minutes")
    assert all(abs(value - 2298) <= 61 for value in values)  # whole Wh: 60 W of a minute
    newest = json.loads(fetch(f"{base}/api/v1/sensors/{sensor[1]}")[2])
    assert newest["gauge"]["value"] == 2298
    assert fetch(f"{base}/api/v1/health")[0] == 200
    assert (
        f'flukso_power_watts{{sensor="{sensor[1]}",function="clamp 1",type="electricity"}} 2298'
        in fetch(f"{base}/metrics")[2]
    )
    assert fetch(f"{base}/openapi.json")[0] == 200
    assert bridge.stop() == 0
    assert "Traceback" not in bridge.log


def test_with_a_certificate_the_same_is_served_by_tls(rig):
    rig.use("embedded")
    _certificate(rig.folder)
    tls_port = free_port()
    bridge, base = web(rig, f'cert_file = "server.crt"\nkey_file = "server.key"\ntls_port = {tls_port}\n')
    trusted = ssl.create_default_context(cafile=rig.folder / "server.crt")
    with urllib.request.urlopen(f"https://127.0.0.1:{tls_port}/api/v1/sensors", timeout=10, context=trusted) as answer:
        assert json.load(answer) == json.loads(fetch(f"{base}/api/v1/sensors")[2])
    assert bridge.stop() == 0
