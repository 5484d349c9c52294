"""A meter's clock to UTC."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fluksometer.domain.p1_time import utc

AMSTERDAM = ZoneInfo("Europe/Amsterdam")


@pytest.mark.parametrize(
    ("stamp", "expected"),
    [
        ("260801123456S", datetime(2026, 8, 1, 10, 34, 56, tzinfo=UTC)),
        ("260110080910W", datetime(2026, 1, 10, 7, 9, 10, tzinfo=UTC)),
        ("260828152453W", datetime(2026, 8, 28, 14, 24, 53, tzinfo=UTC)),  # Sweden says W in summer, and means it
        ("260101000000W", datetime(2025, 12, 31, 23, tzinfo=UTC)),
        ("090712160000", datetime(2009, 7, 12, 14, tzinfo=UTC)),
        ("090212160000", datetime(2009, 2, 12, 15, tzinfo=UTC)),
        ("261025023000", datetime(2026, 10, 25, 0, 30, tzinfo=UTC)),  # twice: the first
        ("240229120000W", datetime(2024, 2, 29, 11, tzinfo=UTC)),
        ("230229120000W", None),
        ("632525252525W", None),
        ("700101010000W", None),
        ("000101000001W", None),
        ("260801126056S", None),
        ("", None),
        (None, None),
    ],
)
def test_stamps(stamp, expected):
    assert utc(stamp) == expected


def test_other_time_zones():
    assert utc("260801123456S", 0) == datetime(2026, 8, 1, 11, 34, 56, tzinfo=UTC)
    assert utc("260801123456S", 2) == datetime(2026, 8, 1, 9, 34, 56, tzinfo=UTC)


@given(st.datetimes(datetime(2008, 1, 1), datetime(2037, 12, 31), timezones=st.just(UTC)))
def test_every_moment_comes_back(moment):
    moment = moment.replace(microsecond=0)
    local = moment.astimezone(AMSTERDAM)
    suffix = "S" if local.dst() else "W"
    assert utc(f"{local:%y%m%d%H%M%S}{suffix}") == moment
    if not local.fold:
        assert utc(f"{local:%y%m%d%H%M%S}") == moment
