"""The history as it grows: written when blocks close, read across files and memory, nothing twice and nothing lost."""

from host.histories import SECTION, SID, START_S, Logger, counter, values

from fluksometer.domain.points import Point


def test_values_are_read_from_memory_and_from_files_alike(tmp_path) -> None:
    log = Logger(tmp_path)
    sent = [counter(START_S + second, second // 10) for second in range(10, 600, 10)]
    log.turn(START_S, *sent[:20])
    assert values(log.history) == {0: [(point.time_s, point.milli) for point in sent[:20]]}
    assert log.history.blocks(SID) == [] and log.sink.cursor == 0
    log.turn(START_S + 600, *sent[20:])
    log.turn(START_S + 604)
    assert [name.bid for name in log.history.blocks(SID)] == [START_S, START_S + 256]
    assert values(log.history) == {0: [(point.time_s, point.milli) for point in sent]}
    assert log.history.last(SID) == (0, START_S + 590, 59_000)
    assert log.sink.cursor == len([point for point in sent if point.time_s < START_S + 512])
    log.close()


def test_only_the_kind_a_sensor_is_about_is_logged(tmp_path) -> None:
    kube = {"id": "b" * 32, "enable": 1, "class": "kube", "data_type": "gauge"}
    off = {"id": "c" * 32, "enable": 1, "data_type": "counter", "tmpo": 0}
    log = Logger(tmp_path, sections=(SECTION, kube, off))
    log.turn(
        START_S + 9,
        counter(START_S + 1, 1),
        Point(SID, 0, "gauge", START_S + 1, 230_000, "W"),
        Point("b" * 32, 0, "gauge", START_S + 2, 21_790, "\u00b0C"),
        counter(START_S + 3, 1, sid="c" * 32),
    )
    assert log.history.sensors() == sorted([SID, "b" * 32])
    assert values(log.history, sid="b" * 32) == {0: [(START_S + 2, 21_790)]}
    log.close()
