"""Ledgers of the tests, and what is put into them."""

from pathlib import Path

from fluksometer.domain.link_events import Position
from fluksometer.domain.points import Point
from fluksometer.storage.ledger import Ledger

LIMIT_BYTES = 16 << 20
START_S = 1_763_800_000


def open_ledger(folder: Path, limit_bytes: int = LIMIT_BYTES) -> Ledger:
    """The ledger of a test."""
    return Ledger.open(folder / "ledger", limit_bytes=limit_bytes)


def points_of(number: int, count: int = 6) -> list[Point]:
    """The points of second ``number``: gauges and counters in turn."""
    return [
        Point(
            f"{at:032x}", 0, "counter" if at % 2 else "gauge", START_S + number, number * 1000 + at - 3, "Wh", at != 5
        )
        for at in range(count)
    ]


def commit_second(ledger: Ledger, number: int, cursors: dict[str, int] | None = None) -> None:
    """Everything of second ``number`` in one commit; ``number_of`` reads it back."""
    states = {"clock": {"second": number}, f"meter {number % 7}": {"total_uwh": number * 638_889, "at": number}}
    ledger.commit(Position(7, number, number * 1_000_000), states, points_of(number), cursors)


def number_of(ledger: Ledger) -> int:
    """The last second in the ledger, in case it is there as one whole."""
    states = ledger.states
    number = states["clock"]["second"] if states else 0
    assert ledger.position == (Position(7, number, number * 1_000_000) if number else None)
    for meter in range(7):
        last = max((one for one in range(number - 6, number + 1) if one > 0 and one % 7 == meter), default=None)
        assert states.get(f"meter {meter}") == (None if last is None else {"total_uwh": last * 638_889, "at": last})
    assert ledger.last_id == 6 * number
    return number


def check_points(ledger: Ledger, first: int, last: int) -> None:
    """The points of seconds ``first`` to ``last`` are there, with their ids, and no other behind ``first``."""
    found = ledger.read(6 * (first - 1), 10_000_000)
    expected = [point for number in range(first, last + 1) for point in points_of(number)]
    assert found == list(enumerate(expected, 6 * (first - 1) + 1))
