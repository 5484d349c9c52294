"""``fluksometer tmpo``: lists, shows, checks and exports blocks, and takes in those of another history."""

import csv
import io
import json
import shutil

import pytest
from host.histories import SID, START_S, growth, store_at, values
from host.making import make_sensor
from host.test_tmpo_codec import VECTORS, packed

from fluksometer.cli import main
from fluksometer.domain.topics import sensor_sections
from fluksometer.storage.tmpo import Series, Store, StoredHistory

OLD = "fed676021dacaaf6a12a8dda7685be34"


@pytest.fixture
def store(tmp_path):
    """With a year-like series of three blocks and another sensor's."""
    store = store_at(tmp_path / "store")
    times = range(START_S, START_S + 4500, 60)
    store.append([growth(times, [1500 * number for number in range(len(times))])])
    store.append([growth([START_S + 7], [21_790], sid="b" * 32)])
    list(store.compact(START_S + 4096))
    store.close()
    return tmp_path / "store"


@pytest.fixture
def tmpo(capsys):
    def run(*words) -> tuple[int, str, str]:
        code = main(["tmpo", *map(str, words)])
        return code, *capsys.readouterr()

    return run


def reading(root) -> StoredHistory:
    store = Store(root)
    store.look()
    return StoredHistory(store)


def test_ls_and_cat(store, tmpo) -> None:
    code, out, _ = tmpo("ls", "--store", store)
    lines = out.splitlines()
    assert code == 0 and len(lines) == 4
    assert lines[0].startswith(f"{SID}/0/12/{START_S} ") and lines[0].endswith("bytes")
    assert "2015-02-01T13:54:08Z 2015-02-01T15:02:24Z" in lines[0]
    assert len(tmpo("ls", "--store", store, "bbbb")[1].splitlines()) == 1
    code, out, _ = tmpo("--store", store, "cat", lines[0].split()[0])
    assert code == 0 and json.loads(out)["h"]["head"] == [START_S, 0]
    assert tmpo("cat", store / "sensor" / SID / "0" / "12" / str(START_S))[1] == out
    for words in (["ls", "main"], ["cat", "nothing"], ["cat", f"{SID}/0/8/{START_S}"], ["export", "0123", "zz"]):
        code, _, err = tmpo("--store", store, *words)
        assert code == 1 and err.startswith("fluksometer: ")


def test_which_history_is_a_question(tmpo, tmp_path) -> None:
    code, _, err = tmpo("ls")
    assert code == 1 and "-c FILE" in err
    code, _, err = tmpo("ls", "--store", tmp_path / "none")
    assert code == 1 and "there is no history yet" in err


def test_export_is_every_value(store, tmpo) -> None:
    code, out, _ = tmpo("export", "--store", store, SID[:6])
    rows = list(csv.DictReader(io.StringIO(out)))
    assert code == 0 and len(rows) == 75
    assert rows[1] == {"sensor": SID, "rid": "0", "time": str(START_S + 60), "value": "1.5", "unit": ""}
    begin, end = START_S + 4140, "2015-02-01T15:07:08"
    code, out, _ = tmpo("export", "--store", store, SID, "--from", begin, "--to", end, "--format", "jsonl")
    assert [one["time"] for one in map(json.loads, out.splitlines())] == list(range(START_S + 4140, START_S + 4381, 60))
    assert tmpo("export", "--store", store, "--from", "yesterday")[0] == 1


def test_check_finds_what_is_wrong(store, tmpo) -> None:
    code, out, err = tmpo("check", "--store", store)
    assert (code, err) == (0, "") and "4 blocks, 76 values" in out and "0 faults" in out
    blocks = store / "sensor" / SID / "0"
    (blocks / "12" / str(START_S)).write_bytes(b"torn")
    (blocks / "8" / "notes").write_text("x")
    shutil.copy(blocks / "8" / str(START_S + 4096), blocks / "8" / str(START_S + 4352 + 256))
    shutil.copy(blocks / "8" / str(START_S + 4096), blocks / "8" / str(START_S))
    code, out, err = tmpo("check", "--store", store)
    assert code == 1 and "4 faults" in out
    assert all(text in err for text in ("not gzip", "no block", "not of its slot", "under a block of a higher level"))


def fluksometer_tree(root) -> None:
    """As a Fluksometer's: real blocks, an old compaction with its fault, a torn file."""
    for one in VECTORS["originals"]:
        sid = json.loads(one["text"])["h"]["cfg"]["id"]
        place = root / "sensor" / sid / "0" / "8" / str(one["bid"])
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(packed(one["text"]))
    old = VECTORS["repairs"][0]
    place = root / "sensor" / SID / "0" / "12"
    place.mkdir(parents=True)
    (place / str(old["bid"])).write_bytes(packed(old["text"]))
    (place / str(old["bid"] + 4096)).write_bytes(packed(old["text"])[:-5])


def test_the_history_of_a_fluksometer_is_taken_in_once(tmp_path, tmpo) -> None:
    fluksometer_tree(tmp_path / "old")
    root = tmp_path / "new"
    code, out, err = tmpo("import", "--store", root, tmp_path / "old")
    assert code == 1 and out == "1 left out, 2 new, 1 repaired\n"
    assert "torn" in err and "repaired" in err
    first = VECTORS["originals"][0]
    assert values(reading(root), sid=OLD) == {0: list(zip(first["time_s"], first["milli"], strict=True))}
    kept = root / "sensor" / OLD / "0" / "8" / str(first["bid"])
    assert kept.read_bytes() == (tmp_path / "old" / kept.relative_to(root)).read_bytes()
    old = VECTORS["repairs"][0]
    assert values(reading(root)) == {0: list(zip(old["time_s"], old["milli"], strict=True))}
    before = {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}
    for directory in (tmp_path / "old", tmp_path / "old" / "sensor"):
        code, out, _ = tmpo("import", "--store", root, directory)
        assert out == "3 known, 1 left out\n"
    assert before == {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}
    assert tmpo("check", "--store", root)[0] == 0


def test_a_parent_takes_the_place_of_children_that_were_taken_in_before(tmp_path, tmpo) -> None:
    other = store_at(tmp_path / "other")
    times = range(START_S, START_S + 4096, 60)
    other.append([growth(times[:30], times[:30])])
    assert tmpo("import", "--store", tmp_path / "new", tmp_path / "other")[1] == "7 new\n"
    other.append([growth(times[30:], times[30:])])
    list(other.compact(START_S + 4096))
    assert tmpo("import", "--store", tmp_path / "new", tmp_path / "other")[:2] == (0, "1 new\n")
    assert [name.lvl for name in reading(tmp_path / "new").blocks(SID)] == [12]
    assert values(reading(tmp_path / "new")) == values(StoredHistory(other))
    other.close()


def test_other_values_of_the_same_time_are_left_out(store, tmp_path, tmpo) -> None:
    other = store_at(tmp_path / "other")
    other.append([growth([START_S + 1, START_S + 9000], [1, 2])])
    other.close()
    before = values(reading(store))
    code, out, err = tmpo("import", "--store", store, tmp_path / "other")
    assert code == 1 and out == "1 left out, 1 new\n" and "other values are known" in err
    assert values(reading(store)) == {0: before[0] + [(START_S + 9000, 2)]}


def test_what_is_no_history_and_what_a_bridge_writes_is_refused(store, tmp_path, tmpo) -> None:
    (tmp_path / "empty").mkdir()
    for source in (tmp_path / "empty", tmp_path / "missing"):
        code, _, err = tmpo("import", "--store", store, source)
        assert code == 1 and str(source) in err
    bridge = Store(store)
    bridge.begin()
    code, _, err = tmpo("import", "--store", store, store)
    assert code == 1 and "stop that bridge first" in err
    bridge.close()
    assert bridge.names(Series(SID, 0))


def test_a_sensor_without_history_is_published_as_such() -> None:
    sections = sensor_sections("meter", "0.1.0", [make_sensor(logged=False), make_sensor(port=2)], None)
    assert sections["1"]["tmpo"] == 0 and "tmpo" not in sections["2"]
