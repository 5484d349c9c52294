"""The text of a block: the original's byte for byte, and nothing else is taken for one."""

import contextlib
import gzip
import json
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from places import ROOT

from fluksometer.domain.tmpo import BlockName
from fluksometer.storage.tmpo import BadBlock, Block, decode, encode, text_of
from fluksometer.storage.tmpo.arrays import decode_arrays
from fluksometer.storage.tmpo.importing import repaired

VECTORS = json.loads((ROOT / "tests/vectors/tmpo.json").read_text())
SLOT = BlockName(0, 8, 1_422_801_920)


def packed(text: str | bytes) -> bytes:
    return gzip.compress(text.encode() if isinstance(text, str) else text)


def block_of(text: str, name: BlockName = SLOT) -> Block:
    return decode(packed(text), name)


def test_the_golden_block_is_read_and_written_byte_for_byte() -> None:
    golden = VECTORS["golden"]
    data = bytes.fromhex(golden["gzip"])
    block = decode(data, SLOT)
    assert block.time_s.tolist() == golden["time_s"] and block.milli.tolist() == golden["milli"]
    assert text_of(block).decode() == golden["text"]
    assert encode(block)[:10].hex() == "1f8b0800000000000203"
    assert gzip.decompress(encode(block)).decode() == golden["text"]


def test_the_golden_compaction() -> None:
    wanted = VECTORS["compaction"]
    children = [block_of(one["text"], BlockName(0, 8, one["bid"])) for one in wanted["children"]]
    parent = json.loads(text_of(Block.joined(children)))
    assert {key: parent["h"][key] for key in ("head", "tail")} == {key: wanted[key] for key in ("head", "tail")}
    assert parent["t"] == wanted["t"] and parent["v"] == wanted["v"]
    assert children[0].time_s[0] >> wanted["lvl"] << wanted["lvl"] == wanted["bid"]


@pytest.mark.parametrize("one", VECTORS["originals"], ids=lambda one: str(one["bid"]))
def test_blocks_of_a_real_fluksometer(one) -> None:
    block = block_of(one["text"], BlockName(0, 8, one["bid"]))
    assert block.time_s.tolist() == one["time_s"] and block.milli.tolist() == one["milli"]


@pytest.mark.parametrize("one", VECTORS["good"], ids=lambda one: one["why"])
def test_what_other_programs_may_write(one) -> None:
    assert block_of(one["text"]).milli.tolist() == one["milli"]


@pytest.mark.parametrize("decoder", [decode, decode_arrays])
@pytest.mark.parametrize("one", VECTORS["bad"], ids=lambda one: one["why"])
def test_what_is_no_block(one, decoder) -> None:
    with pytest.raises(BadBlock):
        decoder(packed(one["text"]), SLOT)


def test_the_quick_decoder_finds_the_same() -> None:
    for one in [*VECTORS["good"], VECTORS["golden"]]:
        times, milli = decode_arrays(packed(one["text"]), SLOT)
        assert milli.tolist() == one["milli"] and times[0] == 1_422_801_984
    for one in VECTORS["originals"]:
        times, milli = decode_arrays(packed(one["text"]), BlockName(0, 8, one["bid"]))
        assert times.tolist() == one["time_s"] and milli.tolist() == one["milli"]


def test_torn_long_and_foreign_files() -> None:
    data = packed(VECTORS["golden"]["text"])
    for bad in (data[:-1], data[:20], b"", b"no gzip", data + data, data + b"x", zlib.compress(b"x" * 99)):
        with pytest.raises(BadBlock):
            decode(bad)
    with pytest.raises(BadBlock, match="too long"):
        decode(packed(b"0" * (65 << 20)))


@pytest.mark.parametrize("one", VECTORS["repairs"], ids=lambda one: one["why"])
def test_what_a_fluksometer_wrote_wrong_is_put_right(one) -> None:
    name = BlockName(0, one["lvl"], one["bid"])
    with pytest.raises(BadBlock):
        decode(packed(one["text"]), name)
    block = repaired(packed(one["text"]), name)
    assert block.time_s.tolist() == one["time_s"] and block.milli.tolist() == one["milli"]
    assert repaired(packed(one["text"].replace('"v":[0,1', '"v":[0,2')), name) is None
    assert repaired(b"x", name) is None


steps = st.lists(st.integers(1, 3000), max_size=60)
deltas = st.one_of(st.integers(-(10**6), 10**6).map(lambda wh: wh * 1000), st.integers(-(10**9), 10**9))


@given(st.integers(0, 1 << 33), st.integers(-(10**15), 10**15), steps, st.data())
def test_what_is_written_is_read(first_s, first, steps, data) -> None:
    changes = data.draw(st.lists(deltas, min_size=len(steps), max_size=len(steps)))
    times = np.cumsum([first_s, *steps])
    milli = np.cumsum([first, *changes])
    block = decode(encode(Block.of({"id": "x", "function": '"t":[0,}],"v":['}, times, milli)))
    assert block.time_s.tolist() == times.tolist() and block.milli.tolist() == milli.tolist()
    quick = decode_arrays(encode(block), BlockName(0, 60, 0))
    assert quick[0].tolist() == times.tolist() and quick[1].tolist() == milli.tolist()
    text = text_of(block)
    assert not set(text) & set(b" \n\t") and json.loads(text)["t"][0] == json.loads(text)["v"][0] == 0


@given(st.binary(max_size=300))
def test_any_bytes_are_a_block_or_named_bad(data) -> None:
    for one in (data, packed(data), packed(b'{"h":{"head":[1,1],"tail":[9,9]},"t":[' + data)):
        with contextlib.suppress(BadBlock):
            decode(one)
        with contextlib.suppress(BadBlock):
            decode_arrays(one, SLOT)
        assert repaired(one, SLOT) is None


@given(st.text("0123456789,-.eE+ N", max_size=30), st.text("0123456789,-.eE+ N", max_size=30))
def test_the_quick_decoder_never_says_otherwise(times, values) -> None:
    data = packed(f'{{"h":{{"head":[1,1],"tail":[{len(times)},{len(values)}]}},"t":[0,{times}],"v":[0,{values}]}}')
    with contextlib.suppress(BadBlock):
        block = decode(data)
        quick = decode_arrays(data, BlockName(0, 20, 0))
        assert quick[0].tolist() == block.time_s.tolist() and quick[1].tolist() == block.milli.tolist()


@given(st.integers(0, 2000), st.integers(0, 255))
def test_one_changed_byte_never_makes_a_block_that_does_not_fit_itself(at, byte) -> None:
    text = bytearray(VECTORS["golden"]["text"].encode())
    text[at % len(text)] = byte
    try:
        block = decode(packed(bytes(text)), SLOT)
    except BadBlock:
        return
    whole = json.loads(bytes(text))
    assert whole["h"]["tail"] == [block.time_s[-1], block.milli[-1] / 1000]
    assert np.cumsum(whole["t"]).tolist() == [one - block.time_s[0] for one in block.time_s]
    assert np.cumsum(whole["v"]).tolist() == [(one - block.milli[0]) / 1000 for one in block.milli]
