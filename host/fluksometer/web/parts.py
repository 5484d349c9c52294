"""What the endpoints are handed."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import tzinfo
from fractions import Fraction
from typing import Any, Final, Protocol, TypeVar

from numpy import int64
from numpy.typing import NDArray

from fluksometer.domain.api_tokens import KeptToken
from fluksometer.domain.live_sensors import LiveSensors

from .table import Refused

Series = list[tuple[int, NDArray[int64], NDArray[int64]]]
_AT_ONCE: Final = 2  # requests that read the history; more would only wait for each other
_PATIENCE_S: Final = 10.0
_T = TypeVar("_T")


class History(Protocol):
    """The stored readings; its methods are called in threads."""

    def read(self, sensor_id: str, start_s: int, end_s: int) -> Series:
        """For each series that has values in [start_s, end_s], ascending: its number, times (UTC, strictly ascending) and
        thousandths of the unit, with the last value before start_s in front, if there is one."""
        ...

    def last(self, sensor_id: str) -> tuple[int, int, int] | None:
        """Series, time and thousandths of the newest value."""
        ...

    def blocks(self, sensor_id: str) -> list[tuple[int, int, int]]:
        """Finished TMPO blocks, ascending: series, level, block id."""
        ...

    def block(self, sensor_id: str, rid: int, lvl: int, bid: int) -> bytes | None:
        """The gzip file as it is."""
        ...


class NoHistory:
    """Of a bridge that keeps none."""

    def read(self, sensor_id: str, start_s: int, end_s: int) -> Series:
        """As History."""
        return []

    def last(self, sensor_id: str) -> tuple[int, int, int] | None:
        """As History."""
        return None

    def blocks(self, sensor_id: str) -> list[tuple[int, int, int]]:
        """As History."""
        return []

    def block(self, sensor_id: str, rid: int, lvl: int, bid: int) -> bytes | None:
        """As History."""
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """``price``: of one kWh, None as the original's; ``tokens`` may raise StateFault; ``health``: as published on MQTT, empty
    before; ``counts``: of the other desks; ``zone``: where night is, None as this host."""

    device_id: str
    live: LiveSensors
    tokens: Callable[[], list[KeptToken]]
    now_s: Callable[[], float]
    history: History = field(default_factory=NoHistory)
    price: Fraction | None = None
    zone: tzinfo | None = None
    health: Callable[[], Mapping[str, Any]] = dict
    counts: Callable[[], Mapping[str, object]] = dict
    _turns: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(_AT_ONCE))

    async def away(self, work: Callable[[], _T]) -> _T:
        """What ``work`` answers, from a thread. Refused when too many others wait."""
        try:
            async with asyncio.timeout(_PATIENCE_S):
                await self._turns.acquire()
        except TimeoutError as error:
            raise Refused(503, "too many requests at once: try again", {"Retry-After": "5"}) from error
        try:
            return await asyncio.to_thread(work)
        finally:
            self._turns.release()
