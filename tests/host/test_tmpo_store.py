"""The store: series of blocks, compaction, what a kill or a worn disk leaves, the room it may take."""

import gzip
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from host.histories import SID, START_S, growth, store_at, values
from host.history_kills import Disk, Killed
from hypothesis import given, settings
from hypothesis import strategies as st

from fluksometer.domain.tmpo import BlockName, Closing, ripe
from fluksometer.storage.tmpo import HistoryFault, Series, Store, StoredHistory
from fluksometer.storage.tmpo.spans import thinned

SERIES = Series(SID, 0)
LEVEL_12 = START_S  # the first second of one


def read(store: Store, start_s: int = 0, end_s: int = 1 << 40, **more):
    return values(StoredHistory(store), start_s, end_s, **more)


def levels(store: Store) -> list[tuple[int, int]]:
    return [(name.lvl, name.bid) for name in store.names(SERIES)]


def filled(root: Path, first_s: int, count: int, every_s: int = 60) -> tuple[Store, list[tuple[int, int]]]:
    store = store_at(root)
    times = range(first_s, first_s + count * every_s, every_s)
    samples = [(time_s, 1000 * number) for number, time_s in enumerate(times)]
    store.append([growth(times, [milli for _time, milli in samples])])
    return store, samples


def compact(store: Store, now_s: float):
    return [one.name for step in store.compact(now_s) for one in step]


def test_sixteen_children_become_one_when_their_parent_is_over(tmp_path) -> None:
    store, samples = filled(tmp_path, LEVEL_12 + 5, 100)
    assert [lvl for lvl, _bid in levels(store)] == [8] * 24
    assert compact(store, LEVEL_12 + 4095) == []
    assert compact(store, LEVEL_12 + 4096) == [BlockName(0, 12, LEVEL_12)]
    assert levels(store)[:2] == [(12, LEVEL_12), (8, LEVEL_12 + 4096)]
    assert read(store) == {0: samples}
    assert compact(store, LEVEL_12 + (1 << 21))[-1] == BlockName(0, 20, LEVEL_12 >> 20 << 20)
    assert levels(store) == [(20, LEVEL_12 >> 20 << 20)] and read(store) == {0: samples}
    files = [path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()]
    assert sorted(files) == ["lock", f"sensor/{SID}/0/20/{LEVEL_12 >> 20 << 20}"]
    store.close()


def test_the_sensor_of_a_parent_is_as_in_its_last_child(tmp_path) -> None:
    store = store_at(tmp_path)
    first, second = growth([START_S], [1]), growth([START_S + 300], [2])
    second.cfg["function"] = "new name"  # type: ignore[index]
    store.append([first, second])
    compact(store, START_S + 4096)
    assert store.cfg(SID)["function"] == "new name"
    store.close()


def test_what_comes_late_joins_the_block_that_is_there_already(tmp_path) -> None:
    store, samples = filled(tmp_path, LEVEL_12 + 5, 10)
    compact(store, LEVEL_12 + 4096)
    late = [(LEVEL_12 + 4000, 50_000), (LEVEL_12 + 4100, 51_000)]
    written = store.append([growth(*zip(*late, strict=True))])
    assert [one.name.lvl for one in written] == [12, 8]
    assert read(store) == {0: samples + late} and levels(store) == [(12, LEVEL_12), (8, LEVEL_12 + 4096)]
    store.close()


def test_a_second_that_is_there_stays_what_it_is(tmp_path) -> None:
    store, samples = filled(tmp_path, LEVEL_12 + 5, 100)
    compact(store, LEVEL_12 + 4096)
    last_s = samples[-1][0]
    store.append([growth([LEVEL_12, LEVEL_12 + 300, last_s, last_s + 1], [1, 2, 3, 4])])
    store.append([growth([LEVEL_12], [1])])
    assert read(store) == {0: [*samples, (last_s + 1, 4)]}
    store.close()


def test_a_second_writer_is_refused_and_a_reader_is_not(tmp_path) -> None:
    store, samples = filled(tmp_path, START_S, 3)
    with pytest.raises(HistoryFault, match="another program"):
        store_at(tmp_path)
    reader = Store(tmp_path)
    reader.look()
    assert read(reader) == {0: samples}
    store.close()
    store_at(tmp_path).close()


def test_what_is_foreign_or_torn_is_named_and_set_aside(tmp_path) -> None:
    store, samples = filled(tmp_path, START_S, 12)
    store.close()
    sensor = tmp_path / "sensor"
    (sensor / "notes.txt").write_text("mine")
    (sensor / SID / "0" / "8" / "17").write_text("no slot begins there")
    (sensor / SID / "0" / "9").mkdir()
    (sensor / SID / "0" / "9" / "512").write_text("x")
    (sensor / SID / "0" / "8" / str(START_S + 5 * 256)).mkdir()
    (sensor / SID / "0" / "8" / str(START_S + 6 * 256)).symlink_to("/dev/zero")
    newest = sensor / SID / "0" / "8" / str(START_S + 2 * 256)
    newest.write_bytes(newest.read_bytes()[:-9])
    first = sensor / SID / "0" / "8" / str(START_S)
    first.write_bytes(gzip.compress(b'{"h":{}'))
    again = store_at(tmp_path)
    assert read(again) == {0: [sample for sample in samples if START_S + 256 <= sample[0] < START_S + 512]}
    again.tidy()
    reports = again.take_reports()
    assert len(reports) == 7 and all("set aside as" in report for report in reports), reports
    assert len(list((tmp_path / "aside").iterdir())) == 7
    assert levels(again) == [(8, START_S + 256)]
    again.close()


def test_blocks_under_a_parent_are_removed_only_when_it_has_their_values(tmp_path) -> None:
    store, samples = filled(tmp_path, LEVEL_12, 40)
    store.close()
    children = tmp_path / "sensor" / SID / "0" / "8"
    shutil.copytree(children, tmp_path / "kept")
    again = store_at(tmp_path)
    compact(again, LEVEL_12 + 4096)
    again.append([growth([LEVEL_12 + 4000], [99])])
    again.close()
    shutil.copytree(tmp_path / "kept", children, dirs_exist_ok=True)
    other = store_at(tmp_path / "other")
    other.append([growth([LEVEL_12 + 256], [7])])
    other.close()
    shutil.copy(tmp_path / "other/sensor" / SID / "0/8" / str(LEVEL_12 + 256), children)
    again = store_at(tmp_path)
    assert levels(again) == [(12, LEVEL_12)] and read(again) == {0: [*samples, (LEVEL_12 + 4000, 99)]}
    assert list(children.iterdir()) == []
    (report,) = again.take_reports()
    assert "not the same values" in report
    again.close()


def test_a_block_that_somebody_deletes_is_missed_and_named(tmp_path) -> None:
    store, samples = filled(tmp_path, START_S, 12)
    reader = Store(tmp_path)
    reader.look()
    (tmp_path / "sensor" / SID / "0" / "8" / str(START_S + 256)).unlink()
    rest = [sample for sample in samples if not START_S + 256 <= sample[0] < START_S + 512]
    assert read(store) == read(reader) == {0: rest}
    store.tidy()
    (report,) = store.take_reports()
    assert "it is gone" in report and read(store) == {0: rest}
    store.close()


def test_a_reader_follows_a_compaction(tmp_path) -> None:
    store, samples = filled(tmp_path, START_S, 100)
    reader = Store(tmp_path)
    reader.look()
    compact(store, START_S + 8192)
    assert read(reader) == {0: samples} and len(reader.names(SERIES)) == 2
    compact(store, START_S + (1 << 21))
    assert read(reader, samples[-1][0], samples[-1][0]) == {0: samples[-2:]}
    store.close()


def test_a_torn_parent_gives_way_to_its_children(tmp_path) -> None:
    store, samples = filled(tmp_path, LEVEL_12, 40)
    store.close()
    parent = tmp_path / "sensor" / SID / "0" / "12" / str(LEVEL_12)
    parent.parent.mkdir()
    parent.write_bytes(b"torn")
    again = store_at(tmp_path)
    assert read(again) == {0: samples} and {lvl for lvl, _bid in levels(again)} == {8}
    again.close()


@pytest.mark.parametrize("power", [False, True], ids=["kill", "power cut"])
def test_a_kill_at_any_step_loses_nothing_and_leaves_nothing_twice(tmp_path, monkeypatch, power) -> None:
    disk = Disk(monkeypatch, power=power)
    first = [(LEVEL_12 + second, second) for second in range(0, 4096, 97)]
    more = [(LEVEL_12 + second, second) for second in range(4100, 4700, 97)]

    def work(root: Path) -> None:
        store = store_at(root)
        try:
            tail = store.tail(SERIES)
            rest = [sample for sample in first + more if tail is None or sample[0] > tail[0]]
            if rest:
                store.append([growth(*zip(*rest, strict=True))])
            compact(store, LEVEL_12 + 8192)
        finally:
            store.close()  # the system does it for a process that is killed

    with disk.dying_at(1 << 30):
        work(tmp_path / "whole")
        steps = disk.steps
    assert steps > 60
    for step in range(1, steps + 1):
        root = tmp_path / str(step)
        with disk.dying_at(step), pytest.raises(Killed):
            work(root)
        work(root)
        store = store_at(root)
        assert read(store) == {0: first + more}, step
        assert levels(store) == [(12, LEVEL_12), (12, LEVEL_12 + 4096)], step
        assert not (root / "aside").exists(), step  # no name ever stood for a torn file
        store.close()
        assert list((root / "sensor").rglob("8/*")) == [], step
        shutil.rmtree(root)


def test_a_disk_that_is_full_is_told_and_nothing_is_lost(tmp_path, monkeypatch) -> None:
    store, samples = filled(tmp_path, START_S, 3)

    def full(_path, _data):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch, pytest.raises(HistoryFault, match="the disk is full"):
        patch.setattr(Path, "write_bytes", full)
        store.append([growth([START_S + 1000], [5])])
    assert read(store) == {0: samples}
    store.append([growth([START_S + 1000], [5])])
    assert read(store) == {0: [*samples, (START_S + 1000, 5)]}
    store.close()


def test_the_oldest_blocks_give_way_and_that_is_said(tmp_path) -> None:
    store, samples = filled(tmp_path, START_S, 400, every_s=200)
    size = store.size_bytes
    store.drop_oldest(size)
    assert store.take_reports() == []
    store.drop_oldest(size // 2)
    assert size // 4 < store.size_bytes <= size // 2
    left = read(store)[0]
    assert left == samples[-len(left) :]
    (report,) = store.take_reports()
    assert "oldest blocks dropped, up to 2015-" in report
    store.close()
    again = store_at(tmp_path)
    assert read(again) == {0: left}
    again.close()


def test_a_value_before_the_first_is_the_last_one_known(tmp_path) -> None:
    store, samples = filled(tmp_path, START_S, 40)
    compact(store, START_S + 4096)
    middle = samples[20][0]
    assert read(store, middle, middle)[0] == samples[19:21]
    assert read(store, middle + 1, middle + 2) == {}
    assert read(store, middle + 1, middle + 60)[0] == samples[20:22]
    assert read(store, 0, START_S)[0] == samples[:1]
    assert read(store, samples[-1][0] + 1, 1 << 40) == {} and read(store, 0, START_S - 1) == {}
    store.close()


@given(
    st.lists(st.integers(1, 700), min_size=1, max_size=80), st.integers(0, 30_000), st.integers(0, 30_000), st.data()
)
@settings(max_examples=40, deadline=None)
def test_reading_is_cutting(tmp_path_factory, steps, begin, length, data) -> None:
    times = (START_S + np.cumsum(steps)).tolist()
    samples = [(time_s, 7 * number) for number, time_s in enumerate(times)]
    root = tmp_path_factory.mktemp("store")
    store = store_at(root)
    store.append([growth(*zip(*samples, strict=True))])
    compact(store, START_S + data.draw(st.integers(0, 1 << 21)))
    start_s, end_s = START_S + begin, START_S + begin + length
    inside = [sample for sample in samples if start_s <= sample[0] <= end_s]
    before = [sample for sample in samples if sample[0] < start_s][-1:]
    assert read(store, start_s, end_s) == ({0: before + inside} if inside else {})
    every_s = data.draw(st.sampled_from((2, 60, 900)))
    thin = read(store, start_s, end_s, every_s=every_s)
    slots: dict[int, list[tuple[int, int]]] = {}
    for sample in before + inside:
        slots.setdefault(sample[0] // every_s, []).append(sample)
    wanted = [one for slot in slots.values() for one in dict.fromkeys((slot[0], slot[-1]))]
    assert thin == ({0: wanted} if inside else {})
    store.close()
    shutil.rmtree(root)


def test_thinning_keeps_the_ends_of_each_slot() -> None:
    times, milli = thinned((np.array([0, 1, 2, 10, 11, 12, 13, 25]), np.arange(8)), 10)
    assert times.tolist() == [0, 2, 10, 13, 25] and milli.tolist() == [0, 2, 3, 6, 7]


@given(st.sets(st.integers(0, 3000), min_size=1), st.integers(0, 3000))
def test_what_is_ripe_lies_in_one_parent_that_is_over(slots, now) -> None:
    names = [BlockName(0, 8, START_S + 256 * slot) for slot in slots]
    now_s = START_S + 256 * now
    found = ripe(names, now_s)
    if not found:
        assert all(name.parent.tail_s >= now_s or name.parent.bid > now_s for name in names)
        return
    parent = found[0].parent
    assert found == sorted(name for name in names if name.parent == parent) and parent.tail_s < now_s


def test_blocks_are_closed_a_grace_after_their_end() -> None:
    closing = Closing(4.0)
    assert closing.due(1_000_000_000.0) is None  # the clock was never set
    assert closing.due(START_S + 1.0) is None  # an earlier run's values may still come
    assert closing.due(START_S + 5.5) == START_S
    closing.closed(START_S)
    assert closing.due(START_S + 259.9) is None
    assert closing.due(START_S + 260.0) == START_S + 256
    assert closing.due(START_S + 900.0) == START_S + 768  # it was not asked in time
    closing.closed(START_S + 768)
    assert closing.due(START_S + 901.0) is None
    assert closing.due(START_S - 5000.0) is None  # the clock was set back
    assert closing.due(START_S - 4995.0) == START_S - 5120


def test_a_year_is_named_without_its_files_being_read(tmp_path) -> None:
    store, _samples = filled(tmp_path, START_S, 3)
    store.close()
    script = (
        "import sys; from pathlib import Path; from fluksometer.storage.tmpo import Store; store = Store(Path(sys.argv[1]));"
        "store.look(); print(store.series())"
    )
    done = subprocess.run([sys.executable, "-c", script, tmp_path], capture_output=True, text=True, check=True)
    assert SID in done.stdout
