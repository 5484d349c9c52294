"""The same C core on every machine that can run here gives the same bytes: cffi, MicroPython for Linux, the emulated Pico."""

import subprocess
from pathlib import Path

import pytest
from native.blocks import digest
from native.refusals import CALLS_TO_REFUSE, program
from places import BIN, ROOT

import native_through_cffi
from house.housefile import read_house
from house.pico import EmulatedPico
from house.rawrepl import BoardError, execute

BLOCKS = Path(__file__).with_name("blocks.py").read_text()


def on_linux(source: str) -> str:
    done = subprocess.run(
        [BIN / "micropython", "-c", source], cwd=ROOT / ".cache/native/x64", capture_output=True, text=True
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
    blocks = 10000
    printed = on_linux(f"{BLOCKS}\nimport metering\nprint(digest(metering, 1, {blocks}))")
    assert printed.strip() == digest(native_through_cffi, 1, blocks)


@pytest.mark.emulated
@pytest.mark.xdist_group("chip")
def test_armv6m_module_on_the_chip_equals_cffi(chip: EmulatedPico) -> None:
    # `./tools/bench native --full` does ten thousand.
    blocks = 100
    execute(chip, f"{BLOCKS}\nimport metering")
    printed = execute(chip, f"print(digest(metering, 2, {blocks}))", timeout_s=600)
    assert printed.strip() == digest(native_through_cffi, 2, blocks)


def test_x64_module_refuses_what_would_crash() -> None:
    assert on_linux(program(CALLS_TO_REFUSE)).split("\n")[:-1] == [f"asked {len(CALLS_TO_REFUSE)}"]


@pytest.mark.emulated
@pytest.mark.xdist_group("chip")
def test_armv6m_module_refuses_what_would_crash(chip: EmulatedPico) -> None:
    assert execute(chip, program(CALLS_TO_REFUSE)).split("\r\n")[:-1] == [f"asked {len(CALLS_TO_REFUSE)}"]


def test_x64_module_refuses_coefficients_beyond_32_bits() -> None:
    assert on_linux(program(["metering.multiply(s, 0, 1, 1 << 32, 0)"])) == "asked 1\n"


@pytest.mark.emulated
@pytest.mark.xdist_group("chip")
def test_a_module_for_another_chip_is_refused_by_the_chip(chip: EmulatedPico) -> None:
    module = (ROOT / ".cache/native/armv7emsp/metering.mpy").read_bytes()
    execute(chip, f"file = open('other.mpy', 'wb'); file.write({module[:200]!r}); file.close()")
    with pytest.raises(BoardError, match="incompatible"):
        execute(chip, "import other")
