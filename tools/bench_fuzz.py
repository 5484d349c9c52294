"""The `fuzz` benchmark: damaged and random bytes through the decoders of everything that comes from outside.

No decoder may raise anything but its own refusal, hang, or hold more than it should; what the C core makes of a telegram must be
what the Python form makes of it. Each task has a seed of its own, and tells it when it fails.
"""

import multiprocessing
import os
import random
import resource
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from accuracy_waves import Figure
from fluksometer.domain.p1 import read
from fluksometer.domain.p1_sensors import values
from fluksometer.domain.p1_stream import host_parser
from fluksometer.shared import kube, rf12
from fluksometer.shared.p1 import MAX_FRAME, Frame, Parser, Telegram
from fluksometer.shared.p1_wire import decode, encode

VECTORS = Path(__file__).resolve().parent.parent / "tests/vectors/p1"
TELEGRAMS = [path.read_bytes() for path in sorted([*VECTORS.glob("*.txt"), *VECTORS.glob("*.bin")])]
TASK_BYTES, QUICK_BYTES, FULL_BYTES = 1_000_000, 2_000_000, 100_000_000
HANGS_AFTER_S = 120
MOST_GROWTH_MB = 64.0
PYTHON_SHARE = 0.05  # of telegrams that the Python form reads too


@dataclass(frozen=True)
class Done:
    """What one task has found."""

    size: int  # bytes
    decoded: int  # telegrams, packets or payloads that came out
    seconds: float
    growth_mb: float  # of the process's greatest size, from its first task on


def damaged(rng: random.Random, data: bytes) -> bytes:
    """The same with up to six accidents: bits turned, bytes lost, doubled or put in, an end that is missing."""
    made = bytearray(data)
    for _ in range(rng.choice((0, 0, 1, 1, 2, 6))):
        at, length = rng.randrange(len(made) + 1), rng.choice((1, 1, 2, 20, 300))
        kind = rng.randrange(5)
        if kind == 0 and at < len(made):
            made[at] ^= 1 << rng.randrange(8)
        elif kind == 1:
            del made[at : at + length]
        elif kind == 2:
            made[at:at] = made[at : at + length]
        elif kind == 3:
            made[at:at] = rng.randbytes(length)
        elif kind == 4 and rng.random() < 0.2:
            del made[at:]
    return bytes(made)


def pieces(rng: random.Random, data: bytes) -> Iterator[bytes]:
    """The same in pieces of any size."""
    at, most = 0, rng.choice((1, 7, 64, 300, 1000, 5000))
    while at < len(data):
        size = rng.randint(1, most)
        yield data[at : at + size]
        at += size


def blocks(rng: random.Random, pool: list[bytes], size: int) -> Iterator[bytes]:
    """So many bytes, of the pool and of noise."""
    while size > 0:
        one = rng.randbytes(rng.randrange(1, 3000)) if rng.random() < 0.1 else damaged(rng, rng.choice(pool))
        size -= len(one)
        yield one


def fuzz_p1(rng: random.Random, size: int) -> int:
    """Telegrams found in bytes of a P1 port, taken to values and over the wire."""
    parser, reference = host_parser(), Parser(512, 2048)
    decoded = 0
    for block in blocks(rng, TELEGRAMS, size):
        found = [one for piece in pieces(rng, block) for one in parser.push(piece)]
        assert len(parser._held) <= MAX_FRAME
        if rng.random() < PYTHON_SHARE:
            reference.pause()
            again = host_parser().push(block), reference.push(block)
            assert _said(again[0]) == _said(again[1]), block
        for one in found:
            if isinstance(one, Telegram):
                values(read(one))
                assert _said([decode(encode(one), one.crc, one.left_out)]) == _said([one])
        decoded += len(found)
    return decoded


def _said(found: list[Telegram | Frame]) -> list[object]:
    return [
        (one.head, one.crc, one.registers, one.left_out) if isinstance(one, Telegram) else one.data for one in found
    ]


def fuzz_rf12(rng: random.Random, size: int) -> int:
    """Packets found in bytes of a receiver."""
    pool = [rf12.on_air(rf12.frame(212, header, rng.randbytes(header % 67))) for header in range(0, 256, 3)]
    decoder = rf12.Decoder(rng.choice((0, 212)))
    decoded = 0
    for block in blocks(rng, pool, size):
        for piece in pieces(rng, block):
            decoded += len(decoder.push(piece))
            assert len(decoder._held) <= rf12.MAX_PAYLOAD + 6
    return decoded


def fuzz_kube(rng: random.Random, size: int) -> int:
    """Payloads of packets that some decoder of the kubes takes."""
    decoders: list[Callable[[bytes], object]] = [
        lambda payload: kube.decode(kube.FLK01A, payload),
        lambda payload: kube.decode(kube.FLK01B, payload),
        kube.decode_pair_request,
        kube.decode_pair_reply,
        kube.decode_upgrade,
        kube.decode_download_request,
        kube.decode_block,
    ]
    decoded = 0
    while size > 0:
        payload = rng.randbytes(rng.randrange(rf12.MAX_PAYLOAD + 1))
        size -= len(payload)
        for one in decoders:
            try:
                one(payload)
            except rf12.RadioError:
                continue
            decoded += 1
    return decoded


FUZZES = {"p1": fuzz_p1, "rf12": fuzz_rf12, "kube": fuzz_kube}
_first_kb = 0


def task(job: tuple[str, int, int]) -> Done:
    """One task: decoder, seed, bytes."""
    global _first_kb
    name, seed, size = job
    signal.alarm(HANGS_AFTER_S)  # which ends the process where a decoder hangs
    began = time.process_time()
    try:
        decoded = FUZZES[name](random.Random(f"{name} {seed}"), size)
    except Exception as error:
        raise RuntimeError(f"{name}, seed {seed}, {size} bytes") from error
    signal.alarm(0)
    most_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    _first_kb = _first_kb or most_kb
    return Done(size, decoded, time.process_time() - began, (most_kb - _first_kb) / 1024)


def figures(full: bool) -> Iterator[Figure]:
    """What was borne, and how fast on one core. All cores work."""
    size = FULL_BYTES if full else QUICK_BYTES
    with multiprocessing.Pool(os.cpu_count()) as pool:
        for name in FUZZES:
            jobs = [(name, seed, TASK_BYTES) for seed in range(size // TASK_BYTES)]
            results = pool.imap_unordered(task, jobs)
            done = [results.next(timeout=2 * HANGS_AFTER_S) for _ in jobs]  # a killed process answers nothing
            seconds = sum(one.seconds for one in done)
            yield Figure(metric=f"{name}_bytes", value=sum(one.size for one in done), unit="bytes")
            yield Figure(metric=f"{name}_decoded", value=sum(one.decoded for one in done), unit="messages")
            yield Figure(metric=f"{name}_rate", value=size / seconds / 1e6, unit="MB/s")
            growth_mb = max(one.growth_mb for one in done)
            yield Figure(metric=f"{name}_memory_growth", value=growth_mb, unit="MB", limit=MOST_GROWTH_MB)
