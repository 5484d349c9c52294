"""A million damaged and undamaged frames through the deframer: no wrong record, no exception, in step again at the next frame."""

import random

import pytest

from fluksometer.shared.deframer import Deframer
from fluksometer.shared.frame import seal, to_host

FRAMES = 1_000_000
DAMAGED_SHARE = 0.3
CHUNK_FRAMES = 500


def hurt(rng: random.Random, frame: bytes) -> bytes:
    """The frame after one accident on the line. Its delimiters may be hit too."""
    data = bytearray(frame)
    accident = rng.randrange(6)
    at = rng.randrange(len(data))
    if accident == 0:
        data[at] ^= 1 << rng.randrange(8)
    elif accident == 1:
        del data[at:]
    elif accident == 2:
        del data[at : at + rng.randrange(1, 8)]
    elif accident == 3:
        data[at:at] = rng.randbytes(rng.randrange(1, 20))
    elif accident == 4:
        data[at : at + 4] = rng.randbytes(4)
    else:
        data += b"Traceback (most recent call last):\r\n" * rng.randrange(1, 3)
    return bytes(data)


@pytest.mark.parametrize("seed", [20261122])
def test_a_million_frames(seed: int) -> None:
    rng = random.Random(seed)
    pool = [rng.randbytes(rng.randrange(0, 60)) for _ in range(997)]
    deframer = Deframer()
    sent = received = damaged = 0
    for first in range(0, FRAMES, CHUNK_FRAMES):
        stream, expected, possible = bytearray(), [], {}
        for seq in range(first, first + CHUNK_FRAMES):
            record = (seq & 0xFF, seq, max(seq - 1, 0), pool[seq % 997])
            kind, number, prev, payload = record
            frame = bytes(to_host(seal(kind, number, payload, prev)))
            possible[seq] = record
            if rng.random() < DAMAGED_SHARE:
                frame = hurt(rng, frame)
                damaged += 1
            else:
                expected.append(seq)
            stream += frame
        stream += b"\x00"  # what an accident at the end of the chunk left open
        records = [record for at in range(0, len(stream), 4096) for record in deframer.push(stream[at : at + 4096])]
        for record in records:
            assert record == possible[record[1]], "a record that nobody sent"
        got = [record[1] for record in records]
        assert got == sorted(set(got)), "a record twice or out of order"
        missing = set(expected) - set(got)
        assert not missing, f"undamaged frames lost: {sorted(missing)[:5]}"
        sent += len(expected)
        received += len(got)
        deframer.take_text()
    assert damaged > 0.29 * FRAMES and received >= sent
