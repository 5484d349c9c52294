"""The whole bridge and its ledger: totals that survive a kill, a deleted file and a deliberate reset."""

import json
import time

from host.rig import wait_until
from host.test_cli import fluksometer
from host.test_service import greeted, ids


def counted(rig, litres, *, more=""):
    """A running bridge on whose port 5 so many pulses of 10 L came, and on whose listener the total was heard."""
    bridge = greeted(rig, more)
    live = rig.listen(f"/sensor/{ids(rig)[5]}/counter")
    rig.board.pulse(5, litres // 10, edge_wall_s=time.time(), interval_us=1_000_000)
    live.wait_for(rf'[01] /sensor/\w+/counter \[\d+,{litres},"L"\]')
    wait_until(lambda: rig.board.unacknowledged == 0, bridge.log)
    return bridge, live


def test_totals_go_on_after_a_kill_and_a_new_boot_of_the_board(rig):
    rig.use("mosquitto")
    bridge, live = counted(rig, 30)
    bridge.process.kill()
    bridge.process.wait()
    rig.board.pulse(5, 5, edge_wall_s=time.time(), interval_us=1_000_000)
    again = rig.bridge()
    live.wait_for(r'[01] /sensor/\w+/counter \[\d+,50,"L"\]')
    rig.board.reboot(0xB008)
    time.sleep(0.2)
    rig.board.pulse(5, 1, edge_wall_s=time.time(), interval_us=0)
    live.wait_for(r'[01] /sensor/\w+/counter \[\d+,60,"L"\]')
    assert again.stop() == 0


def test_a_deleted_ledger_is_written_anew_from_memory_and_told(rig):
    rig.use("mosquitto")
    bridge, live = counted(rig, 30)
    (rig.folder / "state" / "ledger.db").unlink()
    rig.board.pulse(5, 4, edge_wall_s=time.time(), interval_us=1_000_000)
    live.wait_for(r'[01] /sensor/\w+/counter \[\d+,40,"L"\]')
    bridge.wait_for_log("condition=missing")
    wait_until(lambda: rig.board.unacknowledged == 0, bridge.log)
    bridge.process.kill()
    bridge.process.wait()
    again = rig.bridge()
    again.wait_for_log("board_hello")
    rig.board.pulse(5, 6, edge_wall_s=time.time(), interval_us=1_000_000)
    live.wait_for(r'[01] /sensor/\w+/counter \[\d+,60,"L"\]')
    assert again.stop() == 0


def test_totals_are_listed_and_one_begins_a_new_series(rig):
    rig.use("mosquitto")
    bridge, live = counted(rig, 30)
    config = rig.folder / "meter.toml"
    listed = fluksometer("counters", "-c", config)
    (line,) = [line for line in listed.stdout.splitlines() if line.startswith("pulse 5")]
    assert line.split()[2:6] == ["30", "L", "series", "0"], listed
    refused = fluksometer("counters", "-c", config, "reset", "pulse 5")
    assert refused.returncode == 1 and "stop the other bridge" in refused.stderr
    assert bridge.stop() == 0
    assert "no totals are called 'x'" in fluksometer("counters", "-c", config, "reset", "x").stderr
    done = fluksometer("counters", "-c", config, "reset", "pulse 5")
    assert done.stdout == "pulse 5: 30 L stay in series 0; series 1 begins at 0\n", done
    again = rig.bridge()
    again.wait_for_log("board_hello")
    rig.board.pulse(5, 4, edge_wall_s=time.time() + 1, interval_us=1_000_000)
    live.wait_for(r'[01] /sensor/\w+/counter \[\d+,10,"L"\]')
    _, _, payload = rig.listen("/device/+/config/sensor").wait_for(r"[01] /device/\w+/config/sensor .*")
    sections = json.loads(payload)
    assert (sections["5"]["rid"], sections["4"]["rid"]) == (1, 0)
    assert again.stop() == 0
