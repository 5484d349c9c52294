"""The whole bridge: a scripted board on a pseudo-terminal at one end, a stranger's MQTT client at the other."""

import json
import os
import signal
import time
from pathlib import Path

import pytest
from host.rig import BridgeProcess, wait_until

from fluksometer.domain.readings import BoardSettings

BROKERS = pytest.mark.parametrize("kind", ["embedded", "mosquitto"])


def ids(rig):
    """Sensor id by port, from the retained configuration alone."""
    listener = rig.listen("/device/+/config/sensor")
    _retained, topic, payload = listener.wait_for(r"[01] /device/[0-9a-f]{32}/config/sensor .*")
    sections = json.loads(payload)
    assert len(topic.split("/")) == 5
    return {int(key): section["id"] for key, section in sections.items() if key.isdigit()}


def middle_of_second(ago_s=0):
    """Half past a recent whole second: far from where rounding could go either way."""
    return int(time.time()) - ago_s + 0.5


def greeted(rig, more=""):
    """Bridge running, board plugged in and known, its clock well observed (also on a busy machine)."""
    rig.board.plug()
    bridge = rig.bridge(more)
    bridge.wait_for_log("board_hello")
    bridge.wait_for_log("mqtt_up")
    for _ in range(3):
        time.sleep(0.05)
        rig.board.hello()
    return bridge


@BROKERS
def test_readings_reach_a_strangers_client(rig, kind):
    rig.use(kind)
    bridge = greeted(rig)
    sensor = ids(rig)
    live = rig.listen()
    time.sleep(0.3)
    end_s = middle_of_second(ago_s=1)  # the window ended a second or so ago; that is the time that counts
    ts = int(end_s)
    charge = 248 * 1000 * 3600 // 2  # half an hour of 2298 W
    rig.board.clamp(1, 248, charge, wall_s=end_s)
    rig.board.clamp(2, 0, 0, wall_s=end_s)
    rig.board.pulse(4, 7, edge_wall_s=end_s, interval_us=1_000_000)
    rig.board.pulse(5, 3, edge_wall_s=end_s, interval_us=30_000_000)
    expected = [
        rf'0 /sensor/{sensor[1]}/gauge \[{ts},2298,"W"\]',
        rf'0 /sensor/{sensor[1]}/counter \[{ts},1148,"Wh"\]',
        rf'0 /sensor/{sensor[2]}/gauge \[{ts},0,"W"\]',
        rf'0 /sensor/{sensor[2]}/counter \[{ts},0,"Wh"\]',
        rf'0 /sensor/{sensor[4]}/gauge \[{ts},\d+,"W"\]',
        rf'0 /sensor/{sensor[4]}/counter \[{ts},3.5,"Wh"\]',
        rf'0 /sensor/{sensor[5]}/gauge \[{ts},28800,"L/day"\]',
        rf'0 /sensor/{sensor[5]}/counter \[{ts},30,"L"\]',
    ]
    for pattern in expected:
        live.wait_for(pattern)
    late = rig.listen()
    for pattern in expected:
        late.wait_for("1" + pattern[1:])  # retained
    assert bridge.stop() == 0
    assert "resumed=1 " in bridge.log  # behind the hello
    assert "gap_samples=0" in bridge.log
    assert "latency_max_ms=" in bridge.log


@BROKERS
def test_a_broker_that_dies_gets_everything_again(rig, kind):
    rig.use(kind)
    bridge = greeted(rig)
    rig.board.clamp(1, 100, 0, wall_s=middle_of_second(1))
    rig.listen().wait_for(r'[01] /sensor/\w+/gauge \[\d+,927,"W"\]')
    if rig.mosquitto:
        rig.mosquitto.kill()
        bridge.wait_for_log("mqtt_down")
        rig.mosquitto.start()
    else:
        os.kill(child_of(bridge.process.pid), signal.SIGKILL)
        bridge.wait_for_log("broker_died")
        wait_until(lambda: bridge.log.count("broker_started") == 2, lambda: bridge.log)
    wait_until(lambda: bridge.log.count("mqtt_up") == 2, lambda: bridge.log, 30)
    again = rig.listen("#")
    again.wait_for(r'[01] /sensor/\w+/gauge \[\d+,927,"W"\]')
    again.wait_for(r"[01] /device/\w+/config/sensor .*")
    rig.board.clamp(1, 200, 0, wall_s=time.time() + 1)
    again.wait_for(r'0 /sensor/\w+/gauge \[\d+,1853,"W"\]')
    assert bridge.stop(signal.SIGINT) == 0


def child_of(pid):
    """The broker's process: started by one of the bridge's threads."""
    children = [
        child for task in Path(f"/proc/{pid}/task").iterdir() for child in (task / "children").read_text().split()
    ]
    assert len(children) == 1
    return int(children[0])


def test_an_unplugged_board_comes_back_and_totals_go_on(rig):
    rig.use("embedded")
    bridge = greeted(rig)
    sensor = ids(rig)
    live = rig.listen()
    rig.board.pulse(4, 8, edge_wall_s=middle_of_second(2), interval_us=0)
    live.wait_for(rf'[01] /sensor/{sensor[4]}/counter \[\d+,4,"Wh"\]')
    rig.board.unplug()
    bridge.wait_for_log("link_down")
    time.sleep(0.5)
    rig.board.asked.clear()
    rig.board.plug()
    rig.board.wait_for_host()
    rig.board.reboot(0xB008)
    wait_until(lambda: bridge.log.count("new_boot=True") == 2, lambda: bridge.log)
    rig.board.pulse(4, 2, edge_wall_s=time.time(), interval_us=0)
    live.wait_for(rf'[01] /sensor/{sensor[4]}/counter \[\d+,5,"Wh"\]')
    assert bridge.log.count("is not there") <= 1  # told once, not per try
    assert bridge.stop() == 0


def test_a_board_with_other_settings_is_set(rig):
    rig.use("embedded")
    rig.board.settings = BoardSettings(rate_hz=1000, clamp_ports=0b001, pulse_ports=0, voltage_port=1)
    bridge = greeted(rig)
    rig.board.wait_for_host("settings")
    assert rig.board.settings == BoardSettings(
        rate_hz=20_000,
        clamp_ports=0b111,
        pulse_ports=0b011000,
        width_us_4=12_000,
        width_us_5=12_000,
        gap_us_4=40_000,
        gap_us_5=40_000,
    )
    bridge.wait_for_log("rate_hz=20000")
    assert bridge.stop() == 0
    assert "settings_refused" not in bridge.log


def test_what_the_board_says_is_logged(rig):
    rig.use("embedded")
    bridge = greeted(rig)
    rig.board.log("ring was over, 12 samples lost")
    rig.board.write(b'Traceback (most recent call last):\r\n  File "main.py", line 3\r\nKeyboardInterrupt: \r\n>>> ')
    bridge.wait_for_log("board_log          text='ring was over, 12 samples lost'")
    bridge.wait_for_log("board_text         text=KeyboardInterrupt:")
    assert bridge.stop() == 0


def test_ids_are_kept_over_restarts(rig):
    rig.use("embedded")
    bridge = greeted(rig)
    before = ids(rig)
    assert bridge.stop() == 0
    bridge = rig.bridge()
    assert ids(rig) == before
    assert bridge.stop() == 0


def test_the_last_reading_is_flushed_at_the_end(rig):
    rig.use("mosquitto")
    bridge = greeted(rig)
    rig.board.clamp(3, 248, 0, wall_s=middle_of_second(1))
    wait_until(lambda: "published" in bridge.log or bridge.process.poll() is None, "")
    time.sleep(0.2)
    assert bridge.stop() == 0
    rig.listen().wait_for(r'1 /sensor/\w+/gauge \[\d+,2298,"W"\]')


def test_sigterm_ends_it_without_board_and_broker(rig):
    rig.use("embedded")
    config = rig.write_config()
    config.write_text(config.read_text().replace('broker = "embedded"', 'broker = "127.0.0.1"'))
    bridge = BridgeProcess(config)
    bridge.wait_for_log("is not there: is the board plugged in?")
    bridge.wait_for_log("can't be reached")
    started_s = time.monotonic()
    assert bridge.stop() == 0
    assert time.monotonic() - started_s < 5


def test_a_taken_port_is_named(rig):
    rig.use("mosquitto")
    port, rig.mosquitto, mosquitto = rig.port, None, rig.mosquitto
    bridge = rig.bridge()
    assert bridge.process.wait(timeout=15) == 1
    mosquitto.kill()
    assert (
        f'port {port} is taken: another broker? set mqtt.broker = "127.0.0.1" to use it, or another mqtt.port'
        in bridge.log
    )


def test_a_second_bridge_on_the_same_board_is_told_so(rig):
    rig.use("embedded")
    first = greeted(rig)
    text = rig.write_config().read_text().replace(f"port = {rig.port}", f"port = {rig.port + 1}")
    config = rig.folder / "second.toml"
    config.write_text(text)
    second = BridgeProcess(config)
    assert second.process.wait(timeout=15) == 1 and "another program holds it" in second.log
    config.write_text(text.replace('state = "state"', 'state = "other"'))
    second = BridgeProcess(config)
    second.wait_for_log("is in use by another program")
    assert second.stop() == 0
    assert first.stop() == 0
