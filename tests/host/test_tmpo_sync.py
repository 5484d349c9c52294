"""Lists of blocks on the wire: the original's forms, and what anybody may send instead."""

import json

import pytest
from host.test_tmpo_codec import VECTORS
from hypothesis import given
from hypothesis import strategies as st

from fluksometer.domain.tmpo import BlockName, block_name
from fluksometer.domain.tmpo_sync import (
    NOTHING,
    BadSync,
    block_of_topic,
    block_path,
    block_topic,
    client_list,
    device_list,
    newest_asked,
    read_device_list,
    superseded,
    to_pull,
    to_push,
)

SYNC = VECTORS["sync"]
BLOCKS = [BlockName(*one) for one in SYNC["blocks"]]
SID = "0123456789abcdef0123456789abcde1"

names = st.builds(
    lambda rid, lvl, number: BlockName(rid, lvl, number << lvl),
    st.integers(0, 3),
    st.sampled_from((8, 12, 16, 20)),
    st.integers(0, 5000),
)


@pytest.mark.parametrize("one", SYNC["device"])
def test_what_a_device_pushes(one) -> None:
    listed = read_device_list(json.dumps([{"sid": SID} | one["newest"]]).encode())
    assert to_push(BLOCKS, listed[SID]) == [BlockName(*name) for name in one["push"]]


@pytest.mark.parametrize("one", SYNC["client"])
def test_what_a_client_is_told(one) -> None:
    assert client_list(BLOCKS, newest_asked(*one["newest"])) == one["list"]


@pytest.mark.parametrize("words", SYNC["refused"])
def test_what_is_no_block_is_refused(words) -> None:
    with pytest.raises(BadSync):
        newest_asked(*words)


def test_addresses() -> None:
    name = BLOCKS[0]
    assert block_path(SID, name) == f"sensor/{SID}/0/20/1421869056"
    assert block_topic(SID, name) == f"/sensor/{SID}/tmpo/0/20/1421869056/gz"
    assert block_of_topic(block_topic(SID, name)) == (SID, name)
    for topic in (
        "",
        "/sensor/x/tmpo/0/20/1421869056/gz",
        f"/sensor/{SID}/tmpo/0/20/1/gz",
        f"/sensor/{SID}/tmpo/0/8/gz",
    ):
        assert block_of_topic(topic) is None


def test_the_list_of_a_server() -> None:
    text = device_list({SID: None, "a" * 32: BLOCKS[3]})
    assert text == (
        f'[{{"sid":"{SID}","rid":0,"lvl":0,"bid":0}},{{"sid":"{"a" * 32}","rid":0,"lvl":8,"bid":1422987264}}]'
    )
    assert read_device_list(text.encode()) == {SID: NOTHING, "a" * 32: BLOCKS[3]}


@pytest.mark.parametrize(
    "payload", [b"", b"{}", b"x", b"\xff", b"[" * 100_000, b"[" + b"0," * (1 << 20) + b"0]", b"1e999"]
)
def test_what_is_no_list(payload) -> None:
    with pytest.raises(BadSync):
        read_device_list(payload)


@pytest.mark.parametrize(
    "entry",
    [
        1,
        None,
        [],
        {},
        {"sid": SID},
        {"sid": SID.upper(), "rid": 0, "lvl": 0, "bid": 0},
        {"sid": SID + "/../x", "rid": 0, "lvl": 0, "bid": 0},
        {"sid": SID, "rid": -1, "lvl": 8, "bid": 256},
        {"sid": SID, "rid": 0, "lvl": 9, "bid": 512},
        {"sid": SID, "rid": 0, "lvl": 10**9, "bid": 0},
        {"sid": SID, "rid": "0", "lvl": 8, "bid": 256},
        {"sid": SID, "rid": 0.5, "lvl": 8, "bid": 256},
        {"sid": SID, "rid": 0, "lvl": 8, "bid": 10**30},
    ],
)
def test_entries_that_name_nothing_are_passed_over(entry) -> None:
    right = {"sid": "b" * 32, "rid": 0, "lvl": 8, "bid": 256}
    assert read_device_list(json.dumps([entry, right]).encode()) == {"b" * 32: BlockName(0, 8, 256)}


@given(st.recursive(st.none() | st.integers() | st.floats() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(
    st.sampled_from(["sid", "rid", "lvl", "bid"]), inner), max_leaves=8))  # fmt: skip
def test_any_json_is_a_list_or_refused(value) -> None:
    try:
        listed = read_device_list(json.dumps(value).encode())
    except BadSync:
        return
    for newest in listed.values():
        assert set(to_push(BLOCKS, newest)) <= set(BLOCKS)


@given(st.lists(names, max_size=40), names)
def test_nobody_is_told_of_what_he_has(blocks, newest) -> None:
    for lacking in (to_push(blocks, newest), to_pull(blocks, newest)):
        assert newest not in lacking
        assert all(name.tail_s > newest.tail_s for name in lacking)


@given(names, names)
def test_a_parent_stands_for_all_that_lies_inside(new, other) -> None:
    inside = other.rid == new.rid and other.lvl < new.lvl and new.bid <= other.bid < new.bid + new.span_s
    assert superseded([other], new) == ([other] if inside else [])


@given(st.text(max_size=12), st.text(max_size=4), st.text(max_size=14))
def test_no_text_makes_a_name_outside_the_tree(rid, lvl, bid) -> None:
    name = block_name(rid, lvl, bid)
    assert name is None or block_path(SID, name) == f"sensor/{SID}/{rid}/{lvl}/{bid}"
