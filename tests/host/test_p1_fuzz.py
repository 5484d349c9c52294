"""Damaged telegrams: nothing of them gets out, nothing raises, and the next undamaged one is found."""

import random

from host.p1_vectors import LUXEMBOURG_FRAME, TELEGRAMS, WITH_CRC, sealed
from hypothesis import given, settings
from hypothesis import strategies as st

from fluksometer.shared.p1 import MAX_FRAME, MAX_LINE, Parser, Telegram

DAMAGED = 100_000
GROSSLY_DAMAGED = 20_000
SHORT = sealed(
    "0-0:1.0.0(260801123456S)",
    "1-0:1.8.1(000100.500*kWh)",
    "1-0:2.8.2(000005.000*kWh)",
    "1-0:1.7.0(00.244*kW)",
    "0-1:24.2.1(260801123000S)(02310.107*m3)",
)
POOL = [SHORT] * 9 + [data for data in WITH_CRC.values() if len(data) < 1000]
NEXT = sealed("1-0:32.7.0(230.1*V)", head="NXT5\\")


def said(found):
    return [(one.head, one.registers) if isinstance(one, Telegram) else one.data for one in found]


AS_SENT = {data: said(Parser().push(data)) for data in [*POOL, NEXT]}


def flip(data: bytearray, bit: int) -> None:
    data[bit // 8] ^= 1 << bit % 8


def bit_errors(rng: random.Random, telegram: bytes) -> bytes:
    """One to three flipped bits, or a burst within sixteen: what CRC-16 finds without exception in up to 4 kB."""
    data = bytearray(telegram)
    bits = len(data) * 8
    if rng.random() < 0.3:
        first, pattern = rng.randrange(bits - 16), rng.randrange(1, 1 << 16)
        for bit in range(16):
            if pattern >> bit & 1:
                flip(data, first + bit)
    else:
        for bit in rng.sample(range(bits), rng.randrange(1, 4)):
            flip(data, bit)
    return bytes(data)


def accident(rng: random.Random, telegram: bytes) -> bytes:
    """Bytes lost, doubled or put in, the end or the beginning missing: one in 65536 of these a CRC-16 can't tell."""
    data, at = bytearray(telegram), rng.randrange(len(telegram))
    kind = rng.randrange(5)
    if kind == 0:
        del data[at : at + rng.randrange(1, 40)]
    elif kind == 1:
        data[at:at] = data[at : at + rng.randrange(1, 40)]
    elif kind == 2:
        data[at:at] = rng.randbytes(rng.randrange(1, 40))
    elif kind == 3:
        del data[at:]
    else:
        del data[:at]
    return bytes(data)


def wrong_and_missed(damage, count: int, seed: int) -> tuple[int, int]:
    rng = random.Random(seed)
    parser = Parser()
    wrong = missed = 0
    for _ in range(count):
        telegram = POOL[rng.randrange(len(POOL))]
        found = said(parser.push(damage(rng, telegram) + NEXT))
        missed += found[-1:] != AS_SENT[NEXT]
        wrong += any(one not in AS_SENT[telegram] + AS_SENT[NEXT] for one in found)
    assert parser.bad > count / 2
    return wrong, missed


def test_no_bit_error_gives_a_wrong_register():
    wrong, _ = wrong_and_missed(bit_errors, DAMAGED, seed=20261122)
    assert wrong == 0


def test_the_next_telegram_is_always_found():
    # ... but where the accident itself reaches it: a telegram's last line end is the one before the next.
    _, missed = wrong_and_missed(lambda rng, telegram: bit_errors(rng, telegram[:-2]) + b"\r\n", 10_000, seed=1)
    assert missed == 0


def test_accidents():
    wrong, _ = wrong_and_missed(accident, GROSSLY_DAMAGED, seed=20261122)
    assert wrong == 0


@given(st.lists(st.sampled_from([*TELEGRAMS.values(), LUXEMBOURG_FRAME]), max_size=4), st.lists(st.integers(1, 300)))
@settings(max_examples=100, deadline=None)
def test_cut_places_do_not_matter(sent, sizes):
    stream, parser, found = b"".join(sent), Parser(), []
    for size in sizes:
        found += parser.push(stream[:size])
        stream = stream[size:]
    found += parser.push(stream)
    assert said(found) == [one for each in sent for one in said(Parser().push(each))]
    assert parser.bad == 0


_PIECES = st.one_of(
    st.binary(max_size=200),
    st.sampled_from([b"/", b"!", b"\r\n", b"\xdb", b"\xdb\x08", b"/ISK5\\x\r\n", b"(", b")", b"*", b"0-1:24.3.0("]),
    st.sampled_from([SHORT, LUXEMBOURG_FRAME]).flatmap(lambda data: st.integers(0, len(data)).map(lambda n: data[:n])),
    st.integers(1, 5000).map(lambda n: b"x" * n),
)


@given(st.lists(_PIECES, max_size=30))
@settings(max_examples=300, deadline=None)
def test_any_bytes_are_borne(pieces):
    parser = Parser()
    for piece in pieces:
        parser.push(piece)
        assert len(parser._held) <= MAX_FRAME
    parser.pause()
    assert said(parser.push(SHORT)) == AS_SENT[SHORT]


@given(st.lists(st.text(st.characters(min_codepoint=1, max_codepoint=255, exclude_characters="\n/"), max_size=60)))
@settings(max_examples=200, deadline=None)
def test_any_lines_are_borne_by_a_telegram_with_crc(lines):
    found = Parser(max_registers=1000).push(sealed("1-0:1.8.1(1*kWh)", *[line for line in lines if line[:1] != "!"]))
    assert len(found) == 1 and found[0].registers[0] == ("1-0:1.8.1", 1000, "kWh", None, None)


def test_lines_that_never_end():
    parser = Parser()
    for _ in range(100):
        parser.push(SHORT[:60] + b"x" * 10_000)
        assert len(parser._held) <= MAX_LINE
    assert said(parser.push(SHORT)) == AS_SENT[SHORT]
    assert parser.cut == 100
