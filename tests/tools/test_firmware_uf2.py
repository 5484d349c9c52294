"""Which files pass for a MicroPython image, and what is said about the others."""

import contextlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tools.uf2_files import micropython_uf2, uf2_block, uf2_file

from firmware_uf2 import RP2040, RP2350, NotAnImage, check, payload, version_in

GOOD = micropython_uf2("1.2.3")


def test_the_content_comes_out_as_it_went_in() -> None:
    content = bytes(range(256)) * 3
    assert payload(uf2_file(content), RP2040) == content


def test_the_version_is_found_across_block_borders(tmp_path: Path) -> None:
    assert b"MicroPython v1.2.3" not in GOOD  # it is cut by a border
    (tmp_path / "x.uf2").write_bytes(GOOD)
    assert check(tmp_path / "x.uf2", RP2040, "1.2.3") == "1.2.3"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty"),
        (b"\x7fELF" + bytes(508), "not a UF2 file"),
        (b"<html>", "not a UF2 file"),
        (GOOD[:-1], "truncated: .* no whole number"),
        (GOOD[:-512], "truncated: 4 of 5 blocks"),
        (GOOD[512:], "has number 1, expected 0"),
        (GOOD[:512] + GOOD[1024:], "has number 2, expected 1"),
        (GOOD[:1020] + bytes(4) + GOOD[1024:], "block 1: broken"),
        (uf2_block(0, 1, bytes(256))[:16] + b"\xff\xff\0\0" + uf2_block(0, 1, bytes(256))[20:], "broken"),
        (micropython_uf2("1.2.3", RP2350), "made for RP2350, not for RP2040"),
        (micropython_uf2("1.2.3", 0x12345678), "made for family 0x12345678, not for RP2040"),
        (uf2_block(0, 1, bytes(256), flags=0), "made for no chip"),
        (uf2_block(0, 1, bytes(256), flags=1), "truncated: 0 of 0"),
    ],
)
def test_what_is_wrong_is_said(data: bytes, reason: str) -> None:
    with pytest.raises(NotAnImage, match=reason):
        payload(data, RP2040)


def test_the_opening_block_of_official_rp2350_files_is_passed_over() -> None:
    opening = uf2_block(0, 2, b"\xef" * 256, 0xE48BFF57)
    assert version_in(payload(opening + micropython_uf2("1.2.3", RP2350), RP2350)) == "1.2.3"


@pytest.mark.parametrize(
    ("content", "version", "reason"),
    [(b"CircuitPython", None, "no MicroPython"), (None, "1.2.4", "1.2.3, wanted 1.2.4")],
)
def test_another_program_or_version_is_refused(
    tmp_path: Path, content: bytes | None, version: str | None, reason: str
) -> None:
    file = tmp_path / "x.uf2"
    file.write_bytes(uf2_file(content) if content else GOOD)
    with pytest.raises(NotAnImage, match=reason):
        check(file, RP2040, version)


@pytest.mark.parametrize("version", ["1.25.0", "1.26.0-preview.12.g0123456", "1.18"])
def test_versions_of_all_kinds_are_read(version: str) -> None:
    assert version_in(f"x MicroPython v{version} on 2025-01-02".encode()) == version


@given(st.binary(max_size=2000) | st.binary(max_size=1500).map(lambda tail: GOOD[:512] + tail))
def test_any_bytes_are_an_image_or_refused(data: bytes) -> None:
    with contextlib.suppress(NotAnImage):
        payload(data, RP2040)
