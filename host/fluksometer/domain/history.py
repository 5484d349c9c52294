"""The history as those see it who only read it."""

from typing import TYPE_CHECKING, Protocol

from .tmpo import BlockName

if TYPE_CHECKING:  # 15 MB of memory for a bridge that nobody asks
    import numpy as np
    from numpy.typing import NDArray

Samples = tuple["NDArray[np.int64]", "NDArray[np.int64]"]
"""Seconds (UTC), strictly ascending, and the values at them in thousandths of the sensor's unit."""


class History(Protocol):
    """What is stored of each sensor, what is in no file yet included. Safe to use from any thread; calls may block."""

    def sensors(self) -> list[str]:
        """Ids of all sensors of which there is anything."""
        ...

    def read(
        self, sensor_id: str, start_s: int, end_s: int, *, every_s: int = 1
    ) -> "list[tuple[int, NDArray[np.int64], NDArray[np.int64]]]":
        """(rid, time_s, milli) of each series that has values in ``start_s`` to ``end_s`` (both included), rids ascending.

        The last value before ``start_s``, if there is one, comes first. With ``every_s`` above 1 only the first and the last
        value of each of its slots (``time_s // every_s``) are there: enough for totals at the slots' borders, and little memory
        for years."""
        ...

    def last(self, sensor_id: str) -> tuple[int, int, int] | None:
        """(rid, time_s, milli) of the newest value."""
        ...

    def blocks(self, sensor_id: str) -> list[BlockName]:
        """Finished blocks, ascending."""
        ...

    def block(self, sensor_id: str, rid: int, lvl: int, bid: int) -> bytes | None:
        """A finished block as it is in its file: gzip."""
        ...
