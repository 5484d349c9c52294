"""The whole bridge with an engine behind it: named, exact, and nothing lost when both are killed."""

import time

from host.engines import Influx
from host.rig import wait_until
from host.test_service import greeted, ids, middle_of_second


def clamps(board, seconds):
    now_s = time.time()
    for port in (1, 2, 3):
        board.clamp(port, 248, 248 * 1000 * seconds, wall_s=now_s)


def test_readings_come_with_their_names_and_survive_kills_of_both(rig, tmp_path):
    rig.use("mosquitto")
    (tmp_path / "influx").mkdir()
    engine = Influx(tmp_path / "influx")
    try:
        engine.ask("CREATE DATABASE home")
        more = f'[influx]\nurl = "{engine.url}"\ndatabase = "home"\ntags = {{ home = "12" }}\n'
        bridge = greeted(rig, more)
        sensor = ids(rig)
        first_s, last_s = middle_of_second(ago_s=3), middle_of_second(ago_s=1)
        clamps(rig.board, 1800)
        rig.board.pulse(5, 3, edge_wall_s=first_s, interval_us=1_000_000)
        wait_until(lambda: engine.values(sensor[5]), bridge.log)
        engine.kill()
        rig.board.pulse(5, 4, edge_wall_s=last_s, interval_us=1_000_000)
        clamps(rig.board, 3600)
        wait_until(lambda: rig.board.unacknowledged == 0, bridge.log)
        bridge.wait_for_log("sink_down")
        bridge.process.kill()
        bridge.process.wait()
        again = rig.bridge(more)
        engine.start()
        expected = [[int(first_s), 30], [int(last_s), 40]]
        wait_until(lambda: engine.values(sensor[5]) == expected, lambda: f"{engine.values(sensor[5])}\n{again.log}", 30)
        assert [value for _, value in engine.values(sensor[1], "gauge")] == [2298, 2298]
        found = engine.ask(f"SELECT value FROM fluksometer WHERE sensor='{sensor[5]}' GROUP BY *", db="home")
        assert [(one["tags"]["function"], one["tags"]["type"], one["tags"]["home"]) for one in found] == [
            ("pulse 5", "water", "12")
        ] * len(found)
        assert {one["tags"]["unit"] for one in found} == {"L", "L/day"}
        time.sleep(0.5)
        assert again.stop() == 0
    finally:
        engine.kill()
