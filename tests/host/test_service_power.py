"""The whole bridge with a measured voltage: what the board is given, signed power, two counters, captures on request."""

import json
import subprocess
import sys
import time

import pytest
from host.rig import MOSQUITTO_SUB, environment, wait_until
from host.test_service import BROKERS, greeted, ids, middle_of_second

from fluksometer.domain.board_calibration import BoardCalibration
from fluksometer.domain.linearity import default_table, steps_of
from fluksometer.domain.readings import BoardSettings

POWER = """\
[[sensor]]
port = 1
function = "grid in"
clamp_a = 50
phase_deg = 2.7
[[sensor]]
port = 1
function = "grid out"
clamp_a = 50
phase_deg = 2.7
direction = "export"
[[sensor]]
port = 2
function = "mains"
adapter_v = 400
[[sensor]]
port = 3
function = "oven"
enable = false
"""
W_PER_LSB2 = (3.3 / 4096) ** 2 * 50 * 400
UID = f"{0xE66:016x}"


def powered(rig, kind, more=""):
    rig.use(kind)
    rig.sensors = POWER
    bridge = greeted(rig, more)
    rig.board.wait_for_host("table")
    wait_until(lambda: rig.board.table_crc, "the table")
    return bridge


def ask(rig, what, payload=""):
    command = [MOSQUITTO_SUB.replace("mosquitto_sub", "mosquitto_pub"), "-p", str(rig.port)]
    device = rig.listen("/device/+/config/sensor").wait_for(r"1 /device/.*")[1].split("/")[2]
    subprocess.run([*command, "-t", f"/device/{device}/request/{what}", "-m", payload], check=True, timeout=10)


def test_the_board_is_given_settings_calibration_and_its_chips_table(rig):
    bridge = powered(rig, "embedded")
    assert rig.board.settings == BoardSettings(
        rate_hz=20_000, clamp_ports=0b011, pulse_ports=0, voltage_port=2, pairs=0b001
    )
    default = BoardCalibration(table=steps_of(default_table("rp2040")))
    wait_until(lambda: rig.board.table_crc == default.table_crc, "the default table")
    first = {name: rig.board.asked.index(name) for name in ("settings", "calibration", "table")}
    assert sorted(first, key=first.get) == ["settings", "calibration", "table"]
    c0, c1 = rig.board.calibration[3:5]
    assert c1 > 0 and c0 < 1 << 14  # the clamp leads by 2.7 degrees, less 0.45 of the time between conversions
    bridge.wait_for_log(f"table={default.table_crc:08x}")
    assert bridge.stop() == 0
    assert "settings_refused" not in bridge.log
    book = json.loads((rig.folder / "state/calibration.json").read_text())
    assert list(book["boards"]) == [UID]


@BROKERS
def test_power_has_a_sign_and_two_counters(rig, kind):
    bridge = powered(rig, kind)
    sensor = ids(rig)
    assert set(sensor) == {1, 2, 3, 7}
    live = rig.listen()
    time.sleep(0.3)
    for ago_s, sign, totals in ((2, 1, (1_000_000, 0)), (1, -1, (1_000_000, 500_000))):
        end_s = middle_of_second(ago_s)
        rig.board.clamp(1, 100, 0, wall_s=end_s)
        rig.board.clamp(2, 700, 0, wall_s=end_s)
        rig.board.pair(1, 2, sign * 70_000, totals, wall_s=end_s)
        ts, watts = int(end_s), round(70_000 * W_PER_LSB2)
        wh, out_wh = (int(total * W_PER_LSB2 / 3600) for total in totals)
        # Compensation turns the pair by 2.25 degrees: cos of it is 0.08 % away.
        lines = [
            rf'0 /sensor/{sensor[1]}/gauge \[{ts},(-?\d+),"W"\]',
            rf'0 /sensor/{sensor[7]}/gauge \[{ts},(\d+),"W"\]',
            rf'0 /sensor/{sensor[2]}/gauge \[{ts},226,"V"\]',
        ]
        shown = [int(live.wait_for(line)[2].split(",")[1]) for line in lines]
        assert shown[0] == pytest.approx(sign * watts, rel=2e-3)
        assert shown[1] == max(0, -shown[0])
    live.wait_for(rf'0 /sensor/{sensor[1]}/counter \[\d+,{wh},"Wh"\]')
    live.wait_for(rf'0 /sensor/{sensor[7]}/counter \[\d+,{out_wh},"Wh"\]')
    assert wh == 3 and out_wh == 1
    assert not [line for line in live.lines() if sensor[2] in line[1] and line[1].endswith("counter")]
    assert bridge.stop() == 0


@BROKERS
def test_harmonics_and_waveforms_are_answered(rig, kind):
    bridge = powered(rig, kind)
    heard = rig.listen("/device/#")
    time.sleep(0.3)
    ask(rig, "harmonics", "1")
    ask(rig, "waveform")
    ask(rig, "harmonics", "3")
    ask(rig, "harmonics", "x")
    _retained, _topic, payload = heard.wait_for(r"0 /device/\w+/harmonics/1 .*")
    found = json.loads(payload)
    assert found["frequency_hz"] == pytest.approx(50, abs=0.01) and found["unit"] == "A"
    assert found["orders"][0] == pytest.approx(700 / 2**0.5 * 3.3 / 4096 * 50, rel=5e-3)
    _retained, _topic, payload = heard.wait_for(r"0 /device/\w+/waveform .*")
    assert [one["unit"] for one in json.loads(payload)["inputs"]] == ["A", "V"]
    _retained, _topic, payload = heard.wait_for(r"0 /device/\w+/harmonics/3 .*")
    assert json.loads(payload) == {"error": "no clamp and no voltage is measured on port 3"}
    assert rig.board.asked.count("capture") == 2
    late = rig.listen("/device/#")
    late.wait_for(r"1 /device/\w+/config/sensor .*")
    assert not [line for line in late.lines() if "harmonics" in line[1] or "waveform" in line[1]]  # not retained
    assert bridge.stop() == 0


def test_a_capture_that_never_comes_is_told(rig):
    bridge = powered(rig, "embedded")
    rig.board.captures = False
    heard = rig.listen("/device/#")
    time.sleep(0.3)
    ask(rig, "harmonics", "1")
    _retained, _topic, payload = heard.wait_for(r"0 /device/\w+/harmonics/1 .*")
    assert json.loads(payload) == {"error": "the board did not send it all: try again"}
    assert bridge.stop() == 0


def test_a_calibration_written_by_hand_reaches_the_board(rig):
    floor = {"value": 1.44, "date": "2025-01-31T12:00:00Z", "how": "by hand"}
    book = {"format": "fluksometer calibration 1", "boards": {UID: {"1": {"floor_lsb2": floor}}}}
    (rig.folder / "state").mkdir()
    (rig.folder / "state/calibration.json").write_text(json.dumps(book))
    bridge = powered(rig, "embedded")
    assert rig.board.calibration[0] == round(1.44 * 64 * 2**20)
    assert json.loads((rig.folder / "state/calibration.json").read_text()) == book
    assert bridge.stop() == 0


@pytest.mark.parametrize(
    ("linearity", "why"),
    [
        ("none.json", "none.json: cannot be read: No such file"),
        ("wrong.json", "wrong.json: not JSON"),
        ("~nobody-at-all/x", "board.linearity: ~nobody-at-all/x: there is no such home directory"),
    ],
)
@pytest.mark.parametrize("word", ["run", "check"])
def test_a_table_that_can_not_be_used_is_told_before_anything_starts(rig, word, linearity, why):
    rig.use("embedded")
    config = rig.write_config()
    (rig.folder / "wrong.json").write_text("{")
    config.write_text(config.read_text().replace("[board]", f'[board]\nlinearity = "{linearity}"'))
    command = [sys.executable, "-m", "fluksometer", word, "-c", config]
    done = subprocess.run(command, capture_output=True, text=True, timeout=20, env=environment())
    assert done.returncode == 2 and why in done.stderr and done.stderr.count("\n") == 1
    assert not (rig.folder / "state").exists()


def test_a_damaged_book_stops_the_bridge(rig):
    rig.use("embedded")
    (rig.folder / "state").mkdir()
    (rig.folder / "state/calibration.json").write_text("{")
    command = [sys.executable, "-m", "fluksometer", "run", "-c", rig.write_config()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=20, env=environment())
    assert done.returncode == 1 and "calibration.json: not JSON" in done.stderr


@pytest.mark.parametrize("linearity", ["none", "chip"])
def test_the_bridge_starts_without_numpy(linearity):
    code = (
        "import sys; from pathlib import Path; import fluksometer.service, fluksometer.config; "
        "from fluksometer.linearity_tables import tables_by_chip; "
        f"tables_by_chip({linearity!r}, Path('x')); sys.exit('numpy' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], env=environment(), timeout=20).returncode == 0
