"""Counts of kubes that start anew, their names for people, and firmware images."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from places import ROOT

from fluksometer.adapters.kube_file import ImageFolder, KubeFile
from fluksometer.domain.kube_sensors import RunningCount, error_names, kube_sensor
from fluksometer.domain.kube_upgrade import WAIT_S, Answers
from fluksometer.domain.kubes import Kube, KubeBook, pair
from fluksometer.errors import StateFault
from fluksometer.shared.kube import FLK01A, FLK01B, KUBES, KubeError, decode_block, decode_upgrade, image_crc

VECTORS = json.loads((ROOT / "tests/vectors/rf12.json").read_text(encoding="utf-8"))
B = Kube(hw_id="b" * 32, hw_type=FLK01B, sensors={name: f"{at:032x}" for at, name in enumerate(KUBES[FLK01B])})


def totals(name, counts):
    running = RunningCount(name)
    return [running.take(count) for count in counts]


def test_a_total_goes_on_when_the_kube_counts_from_0_again():
    assert totals("movement", [5, 7, 7, 2, 3]) == [5, 7, None, 9, 10]


def test_nothing_counted_is_nothing_new():
    assert totals("movement", [0, 0, 1]) == [None, None, 1]


def test_vibration_wraps_at_16_bits():
    assert totals("vibration", [65_530, 4, 100]) == [65_530, 65_540, 65_636]
    assert totals("vibration", [300, 2]) == [300, 302]  # too far for a wrap: it has started anew


def test_a_known_restart_counts_from_0_even_when_the_count_did_not_fall():
    running = RunningCount("vibration")
    running.take(65_530)
    running.restarted = True
    assert [running.take(4), running.take(5)] == [65_534, 65_535]
    running.restarted = True
    assert running.take(9) == 65_544


@given(st.sampled_from(["movement", "vibration"]), st.lists(st.integers(0, 0xFFFF)), st.booleans())
def test_totals_never_fall(name, counts, restarted):
    running = RunningCount(name)
    last = 0
    for count in counts:
        running.restarted = restarted
        total = running.take(count)
        assert total is None or total > last
        last = total or last


def test_a_sensor_of_a_kube():
    attic = B.model_copy(update={"name": "attic"})
    assert kube_sensor(5, attic, "temperature").section() == {
        "id": f"{0:032x}",
        "enable": 1,
        "class": "kube",
        "type": "temperature",
        "function": "attic temperature",
        "data_type": "gauge",
        "unit": "°C",
        "rid": 0,
        "kid": 5,
    }
    movement = kube_sensor(5, B, "movement")
    assert (movement.function, movement.counts, movement.retain) == ("kube 5 movement", True, False)


def test_errors_are_named():
    assert error_names(B, 0b100100) == ["light", "supply below 2.15 V"]
    assert error_names(B.model_copy(update={"hw_type": FLK01A}), 3) == ["error 3"]
    assert error_names(B, 0) == []


# --- answers ---


def test_a_kube_alone_is_answered_at_once():
    answers = Answers()
    answers.add(5, b"a", 10.0)
    assert answers.due(10.0) == (5, b"a")
    assert answers.due(10.0) is None and answers.next_deadline_s() is None


def test_two_that_listen_are_never_answered_at_once():
    answers = Answers()
    answers.add(5, b"a", 10.0)
    answers.add(6, b"b", 10.1)
    assert answers.due(10.1) is None
    assert answers.next_deadline_s() == 10.0 + WAIT_S
    assert answers.due(10.0 + WAIT_S) == (6, b"b")  # the other has given up


def test_nobody_is_answered_while_another_waits_in_vain():
    answers = Answers()
    answers.add(5, None, 10.0)
    answers.add(6, b"b", 11.0)
    assert answers.due(11.0) is None and answers.due(12.4) is None
    assert answers.due(12.5) == (6, b"b")
    answers.add(5, None, 20.0)
    assert answers.due(30.0) is None and answers.next_deadline_s() is None


# --- what is kept ---


def test_the_book_is_kept_and_a_damaged_one_names_the_fix(tmp_path):
    file = KubeFile(tmp_path / "state")
    assert file.read() == KubeBook()
    book, _node = pair(KubeBook(), FLK01B, "c" * 32, iter(f"{n:032x}" for n in range(99)).__next__)
    file.write(book)
    assert file.read() == book
    for text in ("{", "[]", '{"kubes": {"31": {}}}', "\xff", "[" * 100_000):
        file.path.write_text(text, encoding="latin-1")
        with pytest.raises(StateFault, match="Mend it, or restore it from a backup"):
            file.read()


def test_a_book_that_can_not_be_written_names_the_reason(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StateFault, match=r"can't be written: .*Set device.state"):
        KubeFile(tmp_path / "file" / "state").write(KubeBook())


def test_images_are_found_by_name(tmp_path: Path):
    folder = ImageFolder(tmp_path)
    assert folder.newest(FLK01B) is None and ImageFolder(tmp_path / "none").newest(FLK01B) is None
    for name, data in (
        ("flk01b-9.bin", b"nine"),
        ("flk01b-10.bin", b"\x01" * 64),
        ("flk01b-11.bin", bytes(12289)),
        ("flk01b-12.bin", b""),
        ("flk01b-65536.bin", b"x"),
        ("flk01a-99.bin", b"a"),
        ("notes.bin", b"x"),
        ("readme.txt", b"x"),
    ):
        (tmp_path / name).write_bytes(data)
    (tmp_path / "flk01b-13.bin").mkdir()
    image = folder.newest(FLK01B)
    assert (image.version, image.data) == (10, b"\x01" * 64)  # those above can't be used
    assert [Path(fault.partition(": ")[0]).name for fault in folder.faults] == [
        "flk01b-65536.bin",
        "notes.bin",
        "flk01b-13.bin",
        "flk01b-12.bin",
        "flk01b-11.bin",
    ]
    nine = folder.newest(FLK01B, 9)
    assert nine.data == b"nine" + b"\xff" * 60
    assert decode_upgrade(nine.offer()) == (FLK01B, 9, 64, image_crc(nine.data))
    assert folder.newest(FLK01B, 8) is None


def test_blocks_are_served_as_the_vectors_have_them(tmp_path):
    whole = bytes(range(64)) + bytes(64)
    (tmp_path / "flk01b-1.bin").write_bytes(whole)
    image = ImageFolder(tmp_path).newest(FLK01B)
    reply = image.block(bytes.fromhex("01000000"))
    assert reply[:2] == b"\x01\x00" and reply[2:].hex().startswith(VECTORS["whitened"])
    assert decode_block(image.block(bytes.fromhex("01000100"))) == (1 ^ 1, bytes(64))
    with pytest.raises(KubeError, match=r"block: 0\.\.1, not 2"):
        image.block(bytes.fromhex("01000200"))
