"""The C core of telegrams reads exactly as shared/p1_body.py does: the same registers, counts and CRC for any bytes."""

from typing import Any

import pytest
from host.p1_vectors import LUXEMBOURG_FRAME, TELEGRAMS, crc, sealed
from hypothesis import example, given, settings
from hypothesis import strategies as st

from fluksometer.shared.p1 import Parser, Telegram
from fluksometer.shared.p1_body import Body
from fluksometer.shared.p1_wire import encode
from fluksometer.telegram import TelegramBody, crc16

LIMITS = (40, 24)


def pair(limits: tuple[int, int] = LIMITS) -> tuple[Body, TelegramBody]:
    return Body(*limits), TelegramBody(*limits)


def shape(body: Any) -> tuple[Any, ...]:
    return (*body.end(), body.registers())


def agree(data: bytes, limits: tuple[int, int] = LIMITS) -> None:
    """Both read the same bytes the way Parser does: whole stretches, and by itself each line where they stop."""
    reference, core = pair(limits)
    at = 0
    while at < len(data):
        stopped = reference.read(data, at)
        assert core.read(data, at) == stopped
        end = data.find(b"\n", stopped) + 1 or len(data)
        reference.line(data[stopped:end])
        core.line(data[stopped:end])
        at = end
    assert shape(core) == shape(reference)
    assert core.packed() == encode(Telegram("", "ok", reference.registers(), 0))[1:]


def test_crc() -> None:
    assert crc16(0, b"123456789") == 0xBB3D
    for data in TELEGRAMS.values():
        assert crc16(crc16(0, data[:100]), data[100:]) == crc(data)


@pytest.mark.parametrize("limits", [LIMITS, (512, 2048), (0, 0)])
@pytest.mark.parametrize("name", TELEGRAMS)
def test_every_vector(name: str, limits: tuple[int, int]) -> None:
    agree(TELEGRAMS[name], limits)


ADDRESSES = [
    "1-0:1.8.1",
    "0-0:1.0.0",
    "1-3:0.2.8",
    "0-1:24.3.0",
    "1-0:1.8.0*255",
    "0-0:96.1.4*01",
    "0-0:98.1.0",
    "x",
    "",
]
TEXTS = st.text("0aB-:*()! \t\r\x7f~", max_size=12)
NUMBERS = st.text("0123456789.-", max_size=20)
STAMPS = st.sampled_from(
    ["230101120000W", "230101120000S", "230101120000", "23010112000", "230101120000X", "632525252525W"]
)
GROUPS = st.one_of(
    STAMPS,
    NUMBERS,
    TEXTS,
    st.builds(lambda n, u: f"{n}*{u}", NUMBERS, st.sampled_from(["kWh", "", "m3", "k*W", "a" * 16, "a" * 17, "k)W"])),
    st.builds(lambda n: f"{n}kW", NUMBERS),
    st.sampled_from(["0-1:24.2.1", "m3", "00", "60", "1"]),
)
LINES = st.builds(
    lambda a, groups, end: (a + "".join(f"({g})" for g in groups) + end).encode("ascii"),
    st.sampled_from(ADDRESSES),
    st.lists(GROUPS, max_size=8),
    st.sampled_from(["\r\n", "\n", ")\r\n", "(\n", "\r\r\n", "x\n"]),
)


@settings(max_examples=800, deadline=None)
@given(st.lists(LINES, max_size=8))
@example([b"0-1:24.3.0(120515210000)(00)(60)(1)(0-1:24.2.1)(m3)\r\n", b"\x80\r\n", b"(1.5)\r\n"])
@example([b"0-1:24.3.0(120515210000)(00)(60)(1)(0-1:24.2.1)(m3)(-0.5)\r\n", b"(1.5)\r\n"])
@example([b"1-0:1.8.0(999999999999999999*kWh)\n", b"1-0:1.8.0(-0.0009*kWh)\n", b"(\n", b"(1)\n", b"1-0:1.8.0(\n"])
def test_any_lines(lines: list[bytes]) -> None:
    agree(b"".join(lines))


@settings(max_examples=1000, deadline=None)
@given(
    st.lists(
        st.binary(max_size=40) | st.sampled_from([b"\n", b"!", b"/", b"(", b")", b"a" * 2099, b"a" * 2100]), max_size=12
    )
)
def test_any_bytes(parts: list[bytes]) -> None:
    agree(b"".join(parts))


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(sorted(TELEGRAMS)),
    st.integers(1, 300),
    st.lists(st.tuples(st.integers(0, 3000), st.integers(0, 255)), max_size=3),
)
def test_the_parser_gives_the_same_with_either(name: str, piece: int, hurt: list[tuple[int, int]]) -> None:
    data = bytearray(TELEGRAMS[name] + LUXEMBOURG_FRAME + sealed("1-0:1.8.1(000100.500*kWh)"))
    for at, byte in hurt:
        data[at % len(data)] = byte
    reference, core = Parser(*LIMITS), Parser(*LIMITS, body=TelegramBody(*LIMITS))
    for at in range(0, len(data), piece):
        chunk = bytes(data[at : at + piece])
        assert list(map(vars, core.push(chunk))) == list(map(vars, reference.push(chunk)))
    assert list(map(vars, core.pause())) == list(map(vars, reference.pause()))
    assert (core.bad_crc, core.bad_form, core.cut) == (reference.bad_crc, reference.bad_form, reference.cut)


def test_what_has_no_room_is_left_out_whole() -> None:
    reference, core = pair((5000, 5000))
    line = b"0-0:96.13.0(" + b"30" * 1000 + b")\r\n"
    for _ in range(40):
        reference.line(line)
        core.line(line)
    kept = core.end()[2]
    assert kept == 65536 // 2014 and kept + core.end()[4] == 40
    assert core.registers() == reference.registers()[:kept]
