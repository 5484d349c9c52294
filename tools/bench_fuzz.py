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
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from accuracy_waves import Figure
from fluksometer.domain.p1 import read
from fluksometer.domain.p1_sensors import values
from fluksometer.domain.p1_stream import host_parser
from fluksometer.domain.readings import BoardSettings
from fluksometer.link_session import LinkSession
from fluksometer.shared import frame, kube, records, rf12, terminal_records
from fluksometer.shared.deframer import LineDeframer
from fluksometer.shared.p1 import MAX_FRAME, Frame, Parser, Telegram
from fluksometer.shared.p1_wire import decode, encode

VECTORS = Path(__file__).resolve().parent.parent / "tests/vectors/p1"
TELEGRAMS = [path.read_bytes() for path in sorted([*VECTORS.glob("*.txt"), *VECTORS.glob("*.bin")])]
TASK_BYTES, QUICK_BYTES, FULL_BYTES = 1_000_000, 2_000_000, 100_000_000
HANGS_AFTER_S = 120
MOST_GROWTH_MB = 64.0
PYTHON_SHARE = 0.05  # of telegrams that the Python form reads too
BOARD_SHARE = 0.1  # of blocks that are followed by a line towards the board
MOST_SAID = 20_000  # bytes: a linearity table and what else a session may have to say at once
LINK_QUICK_BYTES, LINK_FULL_BYTES = 10_000_000, 1_000_000_000


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


def fuzz_link(rng: random.Random, size: int) -> int:
    """Events of a session, out of what comes from a board; and requests found by the board in what comes from a bridge."""
    pool = [bytes(frame.to_host(one)) for one in _records_of_a_board(rng)]
    asks = [frame.to_board(one) for one in _records_of_a_bridge(rng)]
    session, lines = LinkSession(BoardSettings(rate_hz=20_000, clamp_ports=7, pulse_ports=24)), LineDeframer()
    now_s = decoded = 0
    session.open(now_s)
    for block in blocks(rng, pool, size):
        for piece in pieces(rng, block):
            decoded += len(session.feed(piece, now_s))
            now_s += rng.choice((0, 0, 0.01, 3))
            session.tick(now_s)
        if rng.random() < 0.01:
            session.close()
            session.open(now_s)
        said = session.data_to_send()
        assert b"\x03" not in said and len(said) < MOST_SAID
        assert len(session._deframer._held) <= frame.MAX_STUFFED and not session._deframer.text
        if rng.random() < BOARD_SHARE:
            decoded += len(lines.push(damaged(rng, rng.choice(asks))))
            assert len(lines._held) <= frame.MAX_LINE
    return decoded


def _records_of_a_board(rng: random.Random) -> Iterator[bytes]:
    # Two boots with their kept records in order, passing ones between them, and whole records of any kind full of noise.
    head = (frame.WIRE_VERSION, 0, 1, 0, 1, 25, 0, 1, 1)
    settings = [max(field[2], min(field[3], 7)) for field in records.SETTINGS.fields]
    for boot_id in (7, 8):
        values = (*head, boot_id, 1, *settings, 0, 0, 1_000_000, "Pico")
        yield frame.seal(records.HELLO.kind, 0, records.HELLO.pack(*values))
        for seq in range(1, 60):
            t_us = seq * 1_000_000
            pulse = records.PULSE.pack(4, t_us, seq, t_us - 1, 50_000, 0, 0)
            clamp = records.CLAMP.pack(
                1 + seq % 3, 7, 20_000, t_us, 0, seq * 1024, 20_000, 0, 20_000, 50_000, -1, 1, 0, 50
            )
            yield frame.seal(records.CLAMP.kind, seq, clamp, seq - 1)
            yield frame.seal(records.PULSE.kind, rng.choice((0, seq)), pulse, rng.choice((seq, seq - 1)))
    for layout in (*records.TO_HOST.values(), *terminal_records.TO_HOST.values()):
        for _ in range(4):
            size = layout.size + (rng.randrange(100) if layout.tail else 0)
            yield frame.seal(
                layout.kind, rng.choice((0, 61, rng.getrandbits(32))), rng.randbytes(size), rng.getrandbits(32)
            )
    yield frame.seal(0x7F, 0, b"a kind that nobody knows")


def _records_of_a_bridge(rng: random.Random) -> Iterator[bytes]:
    for layout in (*records.TO_BOARD.values(), *terminal_records.TO_BOARD.values()):
        yield frame.seal(layout.kind, rng.getrandbits(8), rng.randbytes(layout.size))


FUZZES = {"p1": fuzz_p1, "rf12": fuzz_rf12, "kube": fuzz_kube, "link": fuzz_link}
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
    yield from figures_of(("p1", "rf12", "kube"), FULL_BYTES if full else QUICK_BYTES)


def link_figures(full: bool) -> Iterator[Figure]:
    """The same of the link's deframers and session."""
    yield from figures_of(("link",), LINK_FULL_BYTES if full else LINK_QUICK_BYTES)


def figures_of(names: Iterable[str], size: int) -> Iterator[Figure]:
    """So many bytes through each of these decoders."""
    with multiprocessing.Pool(os.cpu_count()) as pool:
        for name in names:
            jobs = [(name, seed, TASK_BYTES) for seed in range(size // TASK_BYTES)]
            results = pool.imap_unordered(task, jobs)
            done = [results.next(timeout=2 * HANGS_AFTER_S) for _ in jobs]  # a killed process answers nothing
            seconds = sum(one.seconds for one in done)
            yield Figure(metric=f"{name}_bytes", value=sum(one.size for one in done), unit="bytes")
            yield Figure(metric=f"{name}_decoded", value=sum(one.decoded for one in done), unit="messages")
            yield Figure(metric=f"{name}_rate", value=size / seconds / 1e6, unit="MB/s")
            growth_mb = max(one.growth_mb for one in done)
            yield Figure(metric=f"{name}_memory_growth", value=growth_mb, unit="MB", limit=MOST_GROWTH_MB)
