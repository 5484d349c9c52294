"""The same C core on every machine that can run here gives the same bytes: cffi, MicroPython for Linux, the emulated Pico."""

import subprocess
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
from places import BIN, ROOT

from fluksometer import metering
from house.housefile import read_house
from house.pico import EmulatedPico
from house.rawrepl import BoardError, execute

BLOCKS = Path(__file__).with_name("blocks.py")
CALLS_TO_REFUSE = [
    "metering.fold(bytearray(metering.STATE_BYTES), array('H', [1]), 0, 1)",  # not begun
    "metering.fold(s, bytearray(6), 0, 1)",
    "metering.fold(s, array('h', [1, 2, 3]), 0, 1)",
    "metering.fold(s, array('H', [1, 2, 3]), 0, 2)",
    "metering.fold(s, array('H', [1, 2, 3]), 1, 1)",
    "metering.fold(s, array('H', [1, 2, 3]), 4, 0)",
    "metering.fold(s, array('H', [1, 2, 3]), -1, 0)",
    "metering.fold(s, array('H', [1, 2, 3]), 0, -1)",
    "metering.init(s, 0, 10, 10)",
    "metering.init(s, 4, 10, 10)",
    "metering.init(s, 3, 0, 10)",
    "metering.init(s, 3, 1048577, 10)",
    "metering.init(s, 3, 10, 0)",
    "metering.init(s, 3, 10, 500001)",
    "metering.init(s, 3, 10)",
    "metering.init(bytearray(metering.STATE_BYTES - 1), 3, 10, 10)",
    "metering.init(bytes(metering.STATE_BYTES), 3, 10, 10)",
    "metering.take(s, 0, bytearray(32), 0)",  # no window closed yet
    "metering.take(t, 1, bytearray(32), 0)",
    "metering.take(t, 0, bytearray(31), 0)",
    "metering.take(t, 0, bytearray(40), 9)",
]
REFUSALS = f"""
from array import array
import metering
s, t = bytearray(metering.STATE_BYTES), bytearray(metering.STATE_BYTES)
metering.init(s, 3, 10, 10)
metering.init(t, 1, 2, 2)
metering.fold(t, array('H', [1, 2]), 0, 2)
metering.take(t, 0, bytearray(40), 8)
for call in {CALLS_TO_REFUSE!r}:
    try:
        eval(call)
    except (ValueError, TypeError):
        continue
    print("NOT REFUSED", call)
print("asked", len({CALLS_TO_REFUSE!r}))
"""


def host_digest(seed: int, blocks: int, window: int) -> str:
    """What blocks.py computes, here through cffi."""
    total = sha256()
    for block in range(blocks):
        channels = block % 3 + 1
        codes = []
        for _ in range(channels * window):
            seed = (seed * 1103515245 + 12345) & 0x7FFFFFFF
            codes.append(seed >> 19 if block % 4 == 3 else 2048 + (seed >> 23) - 128)
        rows = np.array(codes, dtype=np.uint16).reshape(window, channels)
        core, at, windows = metering.Core(channels, window, 1 + block * 37), 0, []
        while at < window:
            piece = min(window - at, 1 + seed % 97)
            windows += core.fold(rows[at : at + piece])
            at += piece
            seed = (seed * 1103515245 + 12345) & 0x7FFFFFFF
        [closed] = windows
        for found in closed:
            total.update(found.raw)
    return total.hexdigest()


def on_linux(program: str) -> str:
    done = subprocess.run(
        [BIN / "micropython", "-c", program], cwd=ROOT / ".cache/native/x64", capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def chip(image) -> EmulatedPico:
    """An emulated Pico that holds nothing but the native module."""
    pico = EmulatedPico(image, read_house(ROOT / "tools/house/houses/ideal.toml"))
    pico.run_for(2.0)
    module = (ROOT / ".cache/native/armv6m/metering.mpy").read_bytes()
    execute(pico, "file = open('metering.mpy', 'wb')")
    for at in range(0, len(module), 256):
        execute(pico, f"file.write({module[at : at + 256]!r})")
    execute(pico, "file.close()")
    return pico


def test_x64_module_equals_cffi() -> None:
    source = BLOCKS.read_text()
    for seed, blocks, window in ((1, 600, 200), (2, 24, 3000)):
        assert on_linux(f"{source}\nprint(digest({seed}, {blocks}, {window}))").strip() == host_digest(
            seed, blocks, window
        )


@pytest.mark.emulated
@pytest.mark.xdist_group("chip")
def test_armv6m_module_on_the_chip_equals_cffi(chip: EmulatedPico) -> None:
    execute(chip, BLOCKS.read_text())
    for seed, blocks, window in ((3, 24, 100), (4, 6, 700)):
        assert execute(chip, f"print(digest({seed}, {blocks}, {window}))", timeout_s=60).strip() == host_digest(
            seed, blocks, window
        )


def test_x64_module_refuses_what_would_crash() -> None:
    assert on_linux(REFUSALS).split("\n")[:-1] == [f"asked {len(CALLS_TO_REFUSE)}"]


@pytest.mark.emulated
@pytest.mark.xdist_group("chip")
def test_armv6m_module_refuses_what_would_crash(chip: EmulatedPico) -> None:
    assert execute(chip, REFUSALS).split("\r\n")[:-1] == [f"asked {len(CALLS_TO_REFUSE)}"]


@pytest.mark.emulated
@pytest.mark.xdist_group("chip")
def test_a_module_for_another_chip_is_refused_by_the_chip(chip: EmulatedPico) -> None:
    module = (ROOT / ".cache/native/armv7emsp/metering.mpy").read_bytes()
    execute(chip, f"file = open('other.mpy', 'wb'); file.write({module[:200]!r}); file.close()")
    with pytest.raises(BoardError, match="incompatible"):
        execute(chip, "import other")
