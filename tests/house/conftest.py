"""Houses and emulated boards for the tests of the emulated house."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fluksometer.faults import parse_toml
from house.housefile import House
from house.pico import EmulatedPico

HouseFrom = Callable[[str], House]
Boot = Callable[..., EmulatedPico]


@pytest.fixture
def house_from() -> HouseFrom:
    """Makes a house from the text of a house file."""
    return lambda text: parse_toml(text, House, source="house.toml")


@pytest.fixture
def boot(image: Path, house_from: HouseFrom) -> Iterator[Boot]:
    """Makes emulated boards that have come up on USB, and closes them after the test."""
    boards: list[EmulatedPico] = []

    def make(house: str = "", **options: object) -> EmulatedPico:
        board = EmulatedPico(image, house_from(house), **options)  # type: ignore[arg-type]
        boards.append(board)
        assert board.run_until(lambda: board.usb.enumerated, 5)
        return board

    yield make
    for board in boards:
        board.close()
