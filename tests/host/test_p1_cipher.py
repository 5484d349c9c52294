"""Luxembourg's encrypted frames."""

import random
import sys

import pytest
from host.p1_vectors import LUXEMBOURG_FRAME, LUXEMBOURG_KEY, TELEGRAMS
from host.test_p1 import one

from fluksometer.adapters.p1_cipher import decrypter
from fluksometer.domain.p1_stream import NO_KEY, WRONG_KEY, P1Stream
from fluksometer.errors import Failure


def test_a_frame_opens_with_its_key():
    assert decrypter(LUXEMBOURG_KEY)(LUXEMBOURG_FRAME) == TELEGRAMS["luxembourg"]
    assert one(LUXEMBOURG_FRAME, decrypt=decrypter(LUXEMBOURG_KEY)) == one(TELEGRAMS["luxembourg"])


def test_another_key_opens_nothing():
    for decrypt in (decrypter(bytes(16)), decrypter(LUXEMBOURG_KEY, bytes(16))):
        stream = P1Stream(decrypt)
        assert stream.push(LUXEMBOURG_FRAME) == [] and stream.bad == {WRONG_KEY: 1}
    stream = P1Stream()
    assert stream.push(LUXEMBOURG_FRAME) == [] and stream.bad == {NO_KEY: 1}


def test_no_bit_of_a_frame_can_be_changed():
    rng = random.Random(20261122)
    decrypt = decrypter(LUXEMBOURG_KEY)
    for _ in range(2000):
        frame = bytearray(LUXEMBOURG_FRAME)
        frame[rng.randrange(len(frame))] ^= 1 << rng.randrange(8)
        stream = P1Stream(decrypt)
        assert stream.push(bytes(frame)) + stream.pause() == []


def test_frames_lost_in_part_do_not_take_the_ones_behind_them():
    decrypt = decrypter(LUXEMBOURG_KEY)
    stream = P1Stream(decrypt)
    found = stream.push(LUXEMBOURG_FRAME[:500])
    found += stream.pause()  # meters are silent for seconds between frames
    found += stream.push(LUXEMBOURG_FRAME + LUXEMBOURG_FRAME)
    assert len(found) == 2 and stream.bad.total() == 1


def test_a_frame_with_something_else_inside_is_counted():
    stream = P1Stream(lambda frame: b"no telegram")
    assert stream.push(LUXEMBOURG_FRAME) == [] and stream.bad.total() == 1


def test_without_the_package_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "cryptography.exceptions", None)
    with pytest.raises(Failure, match="pip install"):
        decrypter(LUXEMBOURG_KEY)
