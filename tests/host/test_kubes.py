"""Kubes are paired once and keep what they got; radio bytes of any kind are borne."""

import json
from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fluksometer.domain.kubes import KubeBook, KubeRefused, kube_at, pair, remove, rename, told_version
from fluksometer.faults import FileFaults, check_values
from fluksometer.shared.kube import FLK01A, FLK01B, KUBES, RadioError, decode, encode
from fluksometer.shared.rf12 import MAX_PAYLOAD, Decoder, frame, on_air

A, B = "a" * 32, "b" * 32


def ids():
    numbers = count(1)
    return lambda: f"{next(numbers):032x}"


def paired(*kubes: tuple[int, str]) -> KubeBook:
    book, make_id = KubeBook(), ids()
    for hw_type, hw_id in kubes:
        book, _ = pair(book, hw_type, hw_id, make_id)
    return book


def test_each_kube_gets_a_node_and_one_id_for_each_sensor_it_has():
    book = paired((FLK01B, B), (FLK01A, A))
    assert [(node, kube.hw_id) for node, kube in book.kubes.items()] == [("1", B), ("2", A)]
    assert list(book.kubes["2"].sensors) == list(KUBES[FLK01A])
    assert book.kubes["1"].sensors["temperature"] == f"{1:032x}"


def test_a_known_kube_keeps_node_name_and_ids():
    book = rename(paired((FLK01A, A), (FLK01B, B)), 2, "attic")
    again, node = pair(book, FLK01B, B, pytest.fail)
    assert (again, node) == (book, 2)


def test_a_kube_with_firmware_of_another_type_keeps_what_it_still_has():
    book = rename(paired((FLK01A, A)), 1, "attic")
    other, node = pair(book, FLK01B, A, lambda: "f" * 32)
    kube = other.kubes["1"]
    assert node == 1 and kube.name == "attic" and kube.sensors["movement"] == book.kubes["1"].sensors["movement"]


def test_a_freed_node_is_used_again_with_new_ids():
    book = paired((FLK01A, A), (FLK01B, B))
    make_id = ids()
    for _ in range(13):
        make_id()
    book, node = pair(remove(book, 1), FLK01A, A, make_id)
    assert node == 1 and list(book.kubes) == ["1", "2"]
    assert book.kubes["1"].sensors["temperature"] == f"{14:032x}"


def test_thirty_kubes_and_no_more():
    book = paired(*((FLK01A, f"{n:032x}") for n in range(30)))
    with pytest.raises(KubeRefused, match="all 30 nodes are taken"):
        pair(book, FLK01A, A, ids())


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda book: pair(book, 0x200, A, ids()), r"unknown type 512 \(0x0200\)"),
        (lambda book: pair(book, FLK01A, "A" * 32, ids()), "32 lower-case hex digits"),
        (lambda book: rename(book, 2, "x"), "no kube is paired as node 2"),
        (lambda book: rename(book, 1, "x" * 33), "up to 32 printable"),
        (lambda book: rename(book, 1, "a\nb"), "up to 32 printable"),
        (lambda book: remove(book, 31), "no kube is paired as node 31"),
        (lambda book: told_version(book, 1, FLK01B, 2), "says type 19218, but was paired as 19217"),
        (lambda book: kube_at(book, 9), "no kube is paired as node 9"),
    ],
)
def test_what_is_refused(call, text):
    with pytest.raises(KubeRefused, match=text):
        call(paired((FLK01A, A)))


def test_the_version_that_a_kube_tells_is_kept():
    assert told_version(paired((FLK01A, A)), 1, FLK01A, 7).kubes["1"].version == 7


def test_the_file_comes_back():
    book = rename(paired((FLK01A, A), (FLK01B, B)), 1, "attic")
    text = json.dumps(book.model_dump())
    assert check_values(json.loads(text), KubeBook, source="kubes.json") == book


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"31": {}}, "a node, 1 to 30"),
        ({"1": {"hw_type": 5}}, "a kube type: 19217 or 19218"),
        ({"1": {"sensors": {}}}, "one id for each of temperature"),
        ({"1": {"hw_id": B}}, "a hw_id stands in it twice"),
        ({"1": {"name": " x"}}, "printable characters"),
        ({"1": {"colour": 1}}, "unknown key"),
    ],
)
def test_a_damaged_file_is_refused(change, text):
    values = json.loads(json.dumps(paired((FLK01A, A), (FLK01B, B)).model_dump()))
    for node, keys in change.items():
        values["kubes"][node] = values["kubes"].get(node, dict(values["kubes"]["1"])) | keys
    with pytest.raises(FileFaults) as fault:
        check_values(values, KubeBook, source="kubes.json")
    assert any(text in line for line in fault.value.lines()), fault.value.lines()


FRAMES = st.builds(frame, st.just(93), st.integers(0, 255), st.binary(max_size=MAX_PAYLOAD))


@given(st.lists(st.one_of(FRAMES, st.binary(max_size=80)), max_size=8), st.lists(st.integers(1, 90), max_size=20))
@settings(max_examples=100, deadline=None)
def test_cut_places_do_not_matter(sent, sizes):
    stream = b"".join(on_air(one) for one in sent)
    whole, pieces, found = Decoder(93), Decoder(93), []
    expected = [(one.header, one.payload) for one in whole.push(stream)]
    for size in [*sizes, len(stream) + 1]:
        found += [(one.header, one.payload) for one in pieces.push(stream[:size])]
        stream = stream[size:]
    assert found == expected
    assert (pieces.bad_crc, pieces.bad_length, pieces.foreign) == (whole.bad_crc, whole.bad_length, whole.foreign)


@given(st.sampled_from(sorted(KUBES)), st.binary(max_size=MAX_PAYLOAD))
@settings(max_examples=200, deadline=None)
def test_any_payload_is_decoded_or_refused(hw_type, payload):
    try:
        values = decode(hw_type, payload)
    except RadioError:
        return
    assert set(values) <= set(KUBES[hw_type])
    assert decode(hw_type, encode(hw_type, values)) == values
