"""What all tests share: where the checkout, its tools and what they built are."""

from pathlib import Path

import pytest
from places import ROOT

# tests/board runs on MicroPython only: tests/test_on_micropython.py calls it there.
collect_ignore = ["board"]


@pytest.fixture(scope="session")
def root() -> Path:
    """The checkout."""
    return ROOT


@pytest.fixture(scope="session")
def image() -> Path:
    """The MicroPython image that a maker flashes, as tools/firmware left it."""
    tag = (ROOT / "micropython.tag").read_text().strip()
    path = ROOT / ".cache/firmware" / f"RPI_PICO-{tag}.uf2"
    assert path.exists(), "no MicroPython image: run tools/firmware (./tools/test does)"
    return path
