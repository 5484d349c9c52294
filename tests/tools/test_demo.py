"""The demo as a newcomer runs it, and a stranger's MQTT client beside it: emulated Pico, flash.sh, broker, bridge, table."""

import json
import shutil
import signal
import socket
import subprocess
import time
from fractions import Fraction

import pytest
from places import ROOT

pytestmark = [pytest.mark.emulated, pytest.mark.xdist_group("demo")]

HOUSE = """
[converter]
curve = "ideal"
noise_lsb = 0.8
[[clamp]]
port = 1
current_a = 5.0
[[clamp]]
port = 2
current_a = 20.0
harmonics = { 3 = 0.2 }
[[clamp]]
port = 3
current_a = 50.0
[[pulse]]
port = 4
rate_hz = 0.5
bounce_ms = 2
[[pulse]]
port = 5
rate_hz = 2.0
"""
WATTS = {"clamp 1": 1150, "clamp 2": 4600, "clamp 3": 11500}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """What ./tools/demo printed, its exit code, and what mosquitto_sub saw meanwhile: (arrival second, topic, payload)."""
    mosquitto_sub = shutil.which("mosquitto_sub")
    if mosquitto_sub is None:
        pytest.skip("mosquitto-clients is not installed: tools/setup.sh broker")
    folder, port = tmp_path_factory.mktemp("demo"), free_port()
    (folder / "house.toml").write_text(HOUSE)
    command = [ROOT / "tools/demo", "--seconds", "30", "--house", folder / "house.toml", "--mqtt", str(port)]
    with (folder / "demo.log").open("w") as log:
        run = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
    deadline = time.monotonic() + 180
    while "the bridge hears the board" not in (folder / "demo.log").read_text():
        assert run.poll() is None and time.monotonic() < deadline, (folder / "demo.log").read_text()
        time.sleep(0.1)
    listen = [mosquitto_sub, "-p", str(port), "-F", "%U %t %p", "-t", "/sensor/#", "-t", "/device/#"]
    client = subprocess.Popen(listen, stdout=subprocess.PIPE, text=True)
    code = run.wait(120)
    client.send_signal(signal.SIGTERM)
    lines = [line.split(" ", 2) for line in client.communicate()[0].splitlines()]
    return (
        (folder / "demo.log").read_text(),
        code,
        [(float(at), topic, json.loads(payload)) for at, topic, payload in lines],
    )


@pytest.fixture(scope="module")
def sensors(demo) -> dict[str, dict]:
    """Sensor entries of the published configuration by their function."""
    [config, *_] = [payload for _, topic, payload in demo[2] if topic.endswith("/config/sensor")]
    return {entry["function"]: entry for entry in config.values() if isinstance(entry, dict) and "function" in entry}


def readings(demo, sensors, function: str, kind: str) -> list:
    topic = f"/sensor/{sensors[function]['id']}/{kind}"
    return [payload for _, seen, payload in demo[2] if seen == topic]


def test_it_ends_by_itself_and_showed_a_table(demo) -> None:
    log, code, _ = demo
    assert code == 0, log
    assert "clamp 1" in log and "pulse 5" in log and "Wh" in log


def test_gauges_of_all_clamps_each_second_and_within_one_percent(demo, sensors) -> None:
    for function, watts in WATTS.items():
        gauges = readings(demo, sensors, function, "gauge")
        stamps = [stamp for stamp, _, _ in gauges]
        # Once a second of the board's time; a machine that emulates slowly gets fewer of them in 30 s of its own.
        assert len(gauges) >= 12 and stamps == sorted(set(stamps))
        assert all(unit == "W" and value == pytest.approx(watts, rel=0.01) for _, value, unit in gauges)


def test_counters_grow_as_the_power_says(demo, sensors) -> None:
    counters = readings(demo, sensors, "clamp 3", "counter")
    (first_s, first_wh, unit), (last_s, last_wh, _) = counters[0], counters[-1]
    assert unit == "Wh" and all(isinstance(wh, int) for _, wh, _ in counters)
    # 11500 W is 3.19 Wh a second: whole Wh and whole seconds at both ends leave less than 2 Wh and 2 s open.
    grown, expected = last_wh - first_wh, Fraction(11500, 3600) * (last_s - first_s)
    margin = 2 + 2 * Fraction(11500, 3600)
    # Where this machine emulates too slowly, fewer of the board's seconds passed than of the wall's.
    assert expected * 7 / 10 - margin <= grown <= expected + margin


def test_pulses_are_counted(demo, sensors) -> None:
    counters = readings(demo, sensors, "pulse 5", "counter")
    assert counters[-1][2] == "Wh" and sensors["pulse 5"]["constant"] == 1
    values = [value for _, value, _ in counters]
    assert values == sorted(values) and values[-1] > values[0]


def test_stamps_are_measured_and_not_the_future(demo, sensors) -> None:
    topic = f"/sensor/{sensors['clamp 1']['id']}/gauge"
    lags = [at - payload[0] for at, seen, payload in demo[2] if seen == topic]
    # A board that is emulated too slowly has a clock that goes slow: its bridge follows some seconds behind.
    assert all(-1.5 < lag < 15 for lag in lags[1:]), lags


def test_a_house_with_faults_names_them_all_and_starts_nothing(tmp_path) -> None:
    (tmp_path / "house.toml").write_text("[mains]\nfrequency_hz = 70\n[[clamp]]\nport = 9\ncurrent_a = -1\n")
    done = subprocess.run(
        [ROOT / "tools/demo", "--seconds", "5", "--house", tmp_path / "house.toml"],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 2
    for path in ("mains.frequency_hz", "clamp[0].port", "clamp[0].current_a"):
        assert path in done.stderr


def test_a_taken_port_is_named() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = subprocess.run([ROOT / "tools/demo", "--mqtt", str(port)], capture_output=True, text=True, timeout=120)
    assert done.returncode == 1 and f"port {port} is taken" in done.stderr
