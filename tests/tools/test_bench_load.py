"""The load benchmark: a few boards' bytes end as readings in a real broker and engine."""

import asyncio
import shutil

import pytest

from bench_load import Load, Servers, keeps_up
from load_boards import BoardsBridge, VirtualBoard


def test_a_virtual_board_is_one_to_the_bridge(tmp_path):
    one = BoardsBridge(VirtualBoard(3), tmp_path)
    one.meet()
    assert one.session.hello is not None and one.session.hello.boot_id == 0x1003
    points = one.feed(one.board.second())
    assert {point.sensor_id for point in points} == {sensor.sensor_id for sensor in one.sensors}
    assert {(point.kind, point.unit) for point in points} >= {("gauge", "W"), ("counter", "Wh"), ("counter", "L")}
    assert one.session.counts.dropped == one.session.counts.refused == 0 and one.acknowledge() > 0


def test_a_handful_of_boards_are_kept_up_with(tmp_path):
    for name in ("influxd", "mosquitto_sub"):
        if not shutil.which(name):
            pytest.skip(f"{name} is not installed: tools/setup.sh broker engines")
    with Servers(tmp_path) as servers:
        found = asyncio.run(Load(tmp_path, servers, 5).run(3))
    assert keeps_up(found) and found["points"] > 5 * 5
    assert found["wire_mqtt"] > 0 and found["wire_influx_bodies"] > 0
    assert not keeps_up(found | {"late": 9.0}) and not keeps_up(found | {"behind_mqtt": 9.0})
