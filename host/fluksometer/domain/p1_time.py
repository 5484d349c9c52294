"""A smart meter's clock to UTC: ``YYMMDDhhmmss`` of local time, then S (summer), W (winter) or nothing (DSMR P1 4.0, 6.4).

The suffix alone decides, so the hour that comes twice in October is no riddle, and no time zone database is needed. Swedish
meters say W all year, and mean it.
"""

from datetime import UTC, datetime, timedelta
from functools import lru_cache

from fluksometer.shared.p1_lines import is_stamp

CENTRAL_EUROPE_H = 1  # winter time before UTC

_HOUR = timedelta(hours=1)
# Clocks that were never set begin in 1970, 2000 or at a month 25; the first P1 ports are of 2008.
_YEARS = range(2008, 2070)


@lru_cache(maxsize=1024)  # of the clock each is new, but lists and devices repeat theirs in each telegram
def utc(stamp: str | None, winter_h: int = CENTRAL_EUROPE_H) -> datetime | None:
    """The moment of a stamp; None when there is none, when it does not exist, or when the clock was never set.

    ``winter_h``: hours that winter time is before UTC where the meter is. A stamp without suffix (before DSMR 4) follows the
    summer time of the European Union; in the hour that comes twice it is taken for the first.
    """
    if stamp is None or not is_stamp(stamp.encode()):
        return None
    year = 2000 + int(stamp[:2])
    if year not in _YEARS:
        return None
    rest = int(stamp[2:4]), int(stamp[4:6]), int(stamp[6:8]), int(stamp[8:10]), int(stamp[10:12])
    try:
        winter = datetime(year, *rest, tzinfo=UTC) - timedelta(hours=winter_h)
    except ValueError:
        return None
    if stamp[12:] == "W":
        return winter
    summer = winter - _HOUR
    return summer if stamp[12:] == "S" or _in_summer(summer) else winter


def _in_summer(moment: datetime) -> bool:
    # Directive 2000/84/EC: from 01:00 UTC on the last Sunday of March to the same of October.
    begin, end = (_last_sunday(moment.year, month) + timedelta(hours=1) for month in (3, 10))
    return begin <= moment < end


def _last_sunday(year: int, month: int) -> datetime:
    last = datetime(year, month, 31, tzinfo=UTC)
    return last - timedelta(days=(last.weekday() + 1) % 7)
