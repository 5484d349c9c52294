"""HTTP of a real bridge: a process of its own, with a board that the test plays."""

import json
import time
import urllib.error
import urllib.request

from host.rig import free_port, wait_until
from host.test_service import greeted, ids, middle_of_second


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
    found = wait_until(lambda: (text := fetch(address)[2]) != "[]" and text, "a value")
    slots = json.loads(found)
    assert [value for _, value in slots[:3]] == [2298] * 3
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
