"""Hostile bytes for deframer and link session: noise, torn frames, and well-formed records in sequences that no board sends."""

import random
import time
from collections.abc import Iterator
from itertools import count
from pickle import dumps
from typing import Any

from fluksometer.domain import wire
from fluksometer.domain.link_events import BoardSaidHello, Event, FramesDropped
from fluksometer.domain.readings import BoardSettings, Hello
from fluksometer.link_session import LinkSession
from fluksometer.shared import frame, records, terminal_records
from fluksometer.shared.deframer import LineDeframer
from fluksometer.shared.layout import Layout

WANTED = BoardSettings(rate_hz=20_000, clamp_ports=7, pulse_ports=24)
_LAYOUTS = tuple((records.TO_HOST | terminal_records.TO_HOST).values())
_CHUNK_BYTES = 4096


def run(count_bytes: int, seed: int) -> dict[str, float]:
    """Feeds at least so many bytes. Whatever raises is a fault; answers what came of it.

    ``held_bytes``: the most that the session held at any time, measured by its pickled form.
    """
    rng = random.Random(seed)
    session, now_s, fed, seen = LinkSession(WANTED), 0.0, 0, {"hellos": 0, "dropped": 0}
    asks, held, started_s = 0, 0, time.monotonic()
    session.open(now_s)
    for turn in count():
        if fed >= count_bytes:
            break
        data = b"".join(_bytes(rng, session))
        fed, now_s = fed + len(data), now_s + rng.choice((0.0, 0.001, 0.05, 0.3))
        events = session.feed(data, now_s) + session.tick(now_s)
        _count(events, seen)
        if turn % 50 == 0:
            held = max(held, held_bytes(session))
        if rng.random() < 0.9:  # else the port takes nothing for a while
            asks += _asks(session.data_to_send())
        if session.position and rng.random() < 0.1:
            session.acknowledge(session.position)
        if rng.random() < 0.002:
            session.close()
            session.open(now_s)
        if rng.random() < 0.01:
            session.hold = not session.hold
    return seen | {
        "bytes": fed,
        "taken": session.counts.records,
        "asks_a_second": asks / now_s,
        "held_bytes": held,
        "seconds": time.monotonic() - started_s,
    }


def held_bytes(session: LinkSession) -> int:
    """What a session holds, its functions left out."""
    state: dict[str, Any] = vars(session) | {"_wishes": None}
    return len(dumps({key: vars(one) if hasattr(one, "__dict__") else one for key, one in state.items()}))


def _count(events: list[Event], seen: dict[str, int]) -> None:
    seen["hellos"] += sum(isinstance(event, BoardSaidHello) for event in events)
    seen["dropped"] += sum(event.count for event in events if isinstance(event, FramesDropped))


def _asks(data: bytes) -> int:
    assert b"\x03" not in data
    lines = [(kind, payload) for kind, _seq, _prev, payload in LineDeframer().push(data)]
    return sum(kind == records.ACK.kind and records.ACK.unpack(payload)[2] for kind, payload in lines)


def _bytes(rng: random.Random, session: LinkSession) -> Iterator[bytes]:
    left = rng.randrange(1, _CHUNK_BYTES)
    while left > 0:
        if rng.random() < 0.1:
            piece = rng.randbytes(rng.randrange(1, 1500))
        elif rng.random() < 0.02:
            piece = b"Traceback (most recent call last):\r\n" * rng.randrange(1, 60)
        else:
            piece = _record(rng, session)
            if rng.random() < 0.05:
                piece = piece[: rng.randrange(len(piece))]
        left -= len(piece)
        yield piece


def _record(rng: random.Random, session: LinkSession) -> bytes:
    last = session.position.seq if session.position else 0
    numbers = (0, 1, max(0, last - 1), last, last + 1, last + 2, 0xFFFFFFFF, rng.getrandbits(32))
    weights = (8, 1, 1, 2, 8, 2, 0.02, 0.02)
    seq, prev = rng.choices(numbers, weights)[0], rng.choices((*numbers, last), (*weights, 20))[0]
    seq, prev = min(seq, 0xFFFFFFFF), min(prev, 0xFFFFFFFF)
    layout = rng.choice(_LAYOUTS) if rng.random() < 0.9 else records.HELLO
    payload = rng.randbytes(rng.randrange(80)) if rng.random() < 0.03 else _payload(rng, layout, session.hello)
    kind = layout.kind if rng.random() < 0.98 else rng.randrange(256)
    return bytes(frame.to_host(frame.seal(kind, seq, payload, prev)))


def _payload(rng: random.Random, layout: Layout, hello: Hello | None) -> bytes:
    values: list[Any] = []
    for name, _code, low, high in layout.fields:
        value = rng.choice((low, min(high, low + 1), high, rng.randint(low, high)))
        if name == "t_us":
            value = rng.choice((0, 5_000_000, 60_000_000)) + rng.randrange(20_000_000)
        elif name == "boot_id" and hello and rng.random() < 0.9:
            value = hello.boot_id
        elif name == "wire_version" and rng.random() < 0.98:
            value = wire.WIRE_VERSION
        values.append(value)
    if layout.tail:
        values.append("Pico" if layout.text else rng.randbytes(rng.randrange(64)))
    return bytes(layout.pack(*values))


if __name__ == "__main__":
    print(run(10_000_000, seed=1))
