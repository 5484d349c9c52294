"""The whole bridge keeps a history: what the board counts is in a block, once, also when the bridge is killed."""

import json
import subprocess
import sys
import time

from host.rig import environment, wait_until
from host.scripted_board import ScriptedBoard
from host.test_service import greeted

from fluksometer.storage.tmpo import Store, StoredHistory


def tmpo(*words) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "fluksometer", "tmpo", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, env=environment(), timeout=30)


def test_what_the_board_counts_is_in_the_history_once(rig) -> None:
    rig.use("embedded")
    rig.board = ScriptedBoard(rig.folder / "old-board", up_s=7200.0)
    bridge = greeted(rig)
    begun_s = int(time.time()) - 1000
    for count in range(1, 6):
        rig.board.pulse(5, count, edge_wall_s=begun_s + 10 * count, interval_us=10_000_000)
    config = rig.folder / "meter.toml"
    time.sleep(2.5)  # the ledger has them
    bridge.process.kill()
    bridge.process.wait()
    second = rig.bridge_from(config)
    root = rig.folder / "state" / "tmpo"

    def stored() -> list[tuple[int, int]]:
        store = Store(root)
        store.look()
        return [
            pair
            for sensor in StoredHistory(store).sensors()
            for _rid, times, milli in StoredHistory(store).read(sensor, 0, 1 << 40)
            for pair in zip(times.tolist(), milli.tolist(), strict=True)
        ]

    wanted = [(begun_s + 10 * count, 10_000 * count) for count in range(1, 6)]
    wait_until(lambda: stored() == wanted, lambda: f"{stored()} {second.log}", timeout_s=30)
    assert tmpo("check", "-c", config).returncode == 0
    shown = tmpo("export", "-c", config, "pulse 5", "--format", "jsonl").stdout.splitlines()
    assert [(one["time"], one["value"], one["unit"]) for one in map(json.loads, shown)] == [
        (time_s, milli // 1000, "L") for time_s, milli in wanted
    ]
    assert second.stop() == 0 and stored() == wanted
