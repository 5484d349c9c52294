"""The history as it grows: written when blocks close, read across files and memory, nothing twice and nothing lost."""

import random
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from host.histories import SECTION, SID, START_S, Logger, counter, in_threads, values
from host.rig import environment, wait_until
from places import ROOT

from fluksometer import history
from fluksometer.domain.points import Point
from fluksometer.history import HistorySink, new_log
from fluksometer.outbox import Outbox
from fluksometer.sinks import Seat, SinkChanged
from fluksometer.storage.tmpo import HistoryFault


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


def test_what_was_in_memory_comes_again_from_the_ledger_after_a_kill(tmp_path) -> None:
    sent = [counter(START_S + second, second) for second in range(0, 2000, 3)]
    first = Logger(tmp_path)
    first.turn(START_S, *sent[:200])
    first.turn(START_S + 5)
    first.turn(START_S + 520, *sent[200:220])
    cursor = first.sink.cursor
    assert cursor == len([point for point in sent if point.time_s < START_S + 512])
    first.close()  # killed: the ledger has all points, and this cursor or an older one
    for known in (cursor, cursor // 2):
        again = Logger(tmp_path, cursor=known, points=sent[:220])
        again.turn(START_S + 530, *sent[220:])
        assert values(again.history) == {0: [(point.time_s, point.milli) for point in sent]}
        again.turn(START_S + 3000)
        assert values(again.history) == {0: [(point.time_s, point.milli) for point in sent]}
        assert again.log.counts == {}
        again.close()


def test_a_value_that_is_not_later_is_counted_and_left_out(tmp_path) -> None:
    log = Logger(tmp_path)
    log.turn(START_S, counter(START_S + 9, 1), counter(START_S + 9, 2), counter(START_S + 3, 3), counter(1_000, 4))
    assert values(log.history) == {0: [(START_S + 9, 1000)]} and log.log.counts == {"history_late": 2}
    log.close()


def test_a_sensor_that_nobody_has_told_of_yet_is_logged_as_what_it_turns_out_to_be(tmp_path) -> None:
    log = Logger(tmp_path, sections=())
    other = "b" * 32
    log.turn(START_S + 1, counter(START_S, 5), Point(SID, 0, "gauge", START_S, 9000, "W"))
    log.turn(
        START_S + 1, Point(other, 0, "gauge", START_S, 21_000, "\u00b0C"), Point(other, 0, "counter", START_S, 3, "")
    )
    log.log.configured({"7": {"id": other, "enable": 1, "data_type": "gauge", "unit": "\u00b0C"}})
    log.turn(START_S + 260)
    log.turn(START_S + 300)
    assert values(log.history) == {0: [(START_S, 5000)]}  # a total is what one without a word is about
    assert values(log.history, sid=other) == {0: [(START_S, 21_000)]}
    assert log.log.store.cfg(other) == {"id": other, "data_type": "gauge", "unit": "\u00b0C", "rid": 0}
    log.close()
    again = Logger(tmp_path, sections=())  # after a restart its blocks tell of it
    again.turn(START_S + 300, Point(other, 0, "gauge", START_S + 301, 22_000, ""), counter(START_S + 301, 4, sid=other))
    assert values(again.history, sid=other)[0][-1] == (START_S + 301, 22_000)
    again.close()


def test_a_backlog_goes_to_the_files_at_once_and_memory_keeps_little(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(history, "_BACKLOG_MOST", 1000)
    sent = [counter(START_S + second, second) for second in range(0, 30_000, 2)]
    log = Logger(tmp_path, points=sent[:12_000])
    log.turn(START_S + 40_000)
    assert log.log.unwritten < 6000 and log.sink.cursor > 5000
    blocks = log.history.blocks(SID)
    log.turn(START_S + 40_001, *sent[12_000:])
    assert values(log.history) == {0: [(point.time_s, point.milli) for point in sent]}
    assert 12 in {name.lvl for name in blocks}  # compacted on the way
    log.turn(START_S + 40_300)
    log.turn(START_S + 40_600)
    assert log.log.unwritten == 0 and log.sink.cursor == len(sent)
    assert values(log.history) == {0: [(point.time_s, point.milli) for point in sent]}
    log.close()


def test_while_the_disk_fails_the_cursor_stays_and_afterwards_nothing_lacks(tmp_path, monkeypatch) -> None:
    log = Logger(tmp_path)
    sent = [counter(START_S + second, second) for second in range(1, 600, 7)]
    log.turn(START_S, *sent)

    def worn(_path, _data):
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", worn)
        for _ in range(2):
            with pytest.raises(HistoryFault, match="Input/output error"):
                log.turn(START_S + 600)
    assert log.sink.cursor == 0 and values(log.history) == {0: [(point.time_s, point.milli) for point in sent]}
    log.turn(START_S + 601)
    assert log.sink.cursor > 0 and len(log.history.blocks(SID)) == 2
    assert values(log.history) == {0: [(point.time_s, point.milli) for point in sent]}
    log.close()


def test_the_thread_tells_of_an_outage_and_of_its_end(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(history, "_RETRY_S", 0.01)
    place = tmp_path / "a file"
    place.write_text("")
    told: list[SinkChanged] = []
    outbox = Outbox()
    outbox.append([counter(START_S, 1)])
    log = new_log(place, 1 << 30)
    log.configured({"1": SECTION})
    sink = HistorySink(log, Seat(outbox, 0, told.append), clock=lambda: START_S + 10.0, grace_s=0.0, tick_s=0.01)
    sink.start()
    wait_until(lambda: sink.down, "an outage")
    assert log.history.sensors() == [] and log.history.last(SID) is None
    place.unlink()
    wait_until(lambda: sink.published == 1, "its end")
    sink.stop()
    assert [one.reason == "" for one in told] == [False, True]
    assert values(log.history) == {0: [(START_S, 1000)]}


def test_readers_and_the_writer_do_not_disturb_each_other(tmp_path) -> None:
    log = Logger(tmp_path)
    sent = [counter(START_S + second, second) for second in range(0, 60_000, 20)]
    wrong: list[object] = []
    done = threading.Event()

    def write() -> None:
        for at in range(0, len(sent), 10):
            log.turn(sent[at].time_s + 30, *sent[at : at + 10])
        done.set()

    def look() -> None:
        seen = 0
        while not done.is_set():
            found = values(log.history).get(0, [])
            if len(found) < seen or found != [(point.time_s, point.milli) for point in sent[: len(found)]]:
                wrong.append(found)
            seen = len(found)

    in_threads(write, look, look)
    assert wrong == []
    assert values(log.history) == {0: [(point.time_s, point.milli) for point in sent]}
    log.close()


WRITER = """
import itertools, json, sys, time
from pathlib import Path
from host.histories import START_S, Logger, counter
from fluksometer.storage.tmpo import tree
tree._sync = lambda folder: None  # what a killed process has written is there
root = Path(sys.argv[1])
ledger = root / "cursor"
cursor = int(ledger.read_text()) if ledger.exists() else 0
points = [counter(START_S + 11 * n, n) for n in range(int(sys.argv[2]))]
log = Logger(root / "history", cursor=cursor, points=points[:cursor])
print("begun", flush=True)
for n in itertools.count(cursor, 30):
    log.turn(START_S + 11 * n + 1.0, *points[n : n + 30])
    part = root / "cursor.part"
    part.write_text(str(log.sink.cursor))
    part.replace(ledger)
    if n > len(points):
        break
"""


def test_kill_9_again_and_again(tmp_path) -> None:
    count = 9000  # a day
    environ = environment()
    environ["PYTHONPATH"] += f":{ROOT / 'tests'}"
    for turn in range(6):
        process = subprocess.Popen(
            [sys.executable, "-c", WRITER, tmp_path, str(count)], stdout=subprocess.PIPE, env=environ, text=True
        )
        assert process.stdout.readline() == "begun\n"
        time.sleep(random.Random(turn).uniform(0.0, 0.4))
        process.kill()
        process.wait()
        process.stdout.close()
    cursor = int((tmp_path / "cursor").read_text())
    points = [counter(START_S + 11 * n, n) for n in range(count)]
    log = Logger(tmp_path / "history", cursor=cursor, points=points)
    log.turn(points[-1].time_s + 1.0)
    assert values(log.history) == {0: [(point.time_s, point.milli) for point in points]}
    assert log.log.take_reports() == []
    log.close()


def test_a_bridge_that_nobody_asks_spares_the_memory_of_numpy(tmp_path) -> None:
    script = (
        "import sys, fluksometer.service, fluksometer.desks; from host.histories import *; log = Logger(Path(sys.argv[1]));"
        "log.turn(START_S, counter(START_S, 1)); log.turn(START_S + 5000); log.turn(START_S + 9000);"
        "assert log.history.last(SID) and log.history.blocks(SID)[0].lvl == 12; print('numpy' in sys.modules)"
    )
    environ = environment()
    environ["PYTHONPATH"] += f":{ROOT / 'tests'}"
    command = [sys.executable, "-c", script, tmp_path]
    done = subprocess.run(command, capture_output=True, text=True, env=environ, check=True)
    assert done.stdout == "False\n"
