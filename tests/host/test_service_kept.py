"""The whole bridge and a line that loses and damages: every reading comes, in its order, and the board may forget it."""

import random
import time

from host.rig import wait_until
from host.test_service import greeted, ids

from fluksometer.shared import records


def counters(listener):
    return [payload for _retained, topic, payload in listener.lines() if topic.endswith("/counter")]


def test_a_bad_line_costs_no_reading(rig):
    rig.use("mosquitto")
    bridge = greeted(rig)
    sensor = ids(rig)
    live = rig.listen(f"/sensor/{sensor[5]}/counter")
    rng = random.Random(20261122)

    def spoil(framed):
        if rng.random() >= 0.3:
            return framed
        at = rng.randrange(len(framed))
        return rng.choice(
            [b"", framed[:at], framed[:at] + bytes([framed[at] ^ 1 << rng.randrange(8)]) + framed[at + 1 :]]
        )

    rig.board.spoils = spoil
    now_s = time.time()
    for count in range(1, 61):
        edge_s = int(now_s) - 61 + count + 0.5  # one litre a second, of the last minute
        values = (5, rig.board.t_us(), count, rig.board.t_us(edge_s), 1_000_000, 0, 0)
        rig.board.keep(records.PULSE.kind, records.PULSE.pack(*values))
        time.sleep(0.02)
    rig.board.spoils = lambda framed: framed
    rig.board.log("nothing more")
    wait_until(lambda: rig.board.unacknowledged == 0, lambda: f"{rig.board.unacknowledged} kept, {bridge.log}")
    wait_until(lambda: counters(live)[-1:] and '600,"L"' in counters(live)[-1], lambda: counters(live))
    values = [float(payload.strip("[]").split(",")[1]) for payload in counters(live)]
    assert values == [10.0 * count for count in range(int(values[0] / 10), 61)]
    assert values[0] <= 20  # the listener may have been late for the first
    assert bridge.stop() == 0
    assert "records_lacking" in bridge.log and "board_restarted" not in bridge.log


def test_what_was_kept_while_no_bridge_ran_comes_when_one_does(rig):
    rig.use("mosquitto")
    bridge = greeted(rig)
    sensor = ids(rig)
    live = rig.listen(f"/sensor/{sensor[5]}/counter")
    rig.board.pulse(5, 3, edge_wall_s=time.time(), interval_us=1_000_000)
    live.wait_for(r'[01] /sensor/\w+/counter \[\d+,30,"L"\]')
    wait_until(lambda: rig.board.unacknowledged == 0, bridge.log)
    bridge.process.kill()
    bridge.process.wait()
    rig.board.pulse(5, 5, edge_wall_s=time.time(), interval_us=1_000_000)
    assert rig.board.unacknowledged == 1
    rig.bridge().wait_for_log("board_hello")
    wait_until(lambda: rig.board.unacknowledged == 0, "the reading of the time without a bridge")
