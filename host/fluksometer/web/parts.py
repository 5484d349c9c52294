"""What the endpoints are handed."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import tzinfo
from fractions import Fraction
from typing import Any, Final, TypeVar

from fluksometer.domain.api_tokens import KeptToken
from fluksometer.domain.history import History
from fluksometer.domain.live_sensors import LiveSensors
from fluksometer.errors import StateFault

from .table import Refused

_AT_ONCE: Final = 2  # requests that read the history; more would only wait for each other
_PATIENCE_S: Final = 10.0
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """``history``: None: none is kept; ``tokens`` may raise StateFault; ``price``: of one kWh, None as the original's; ``zone``:
    where night is, None as this host; ``health``: as published on MQTT, empty before; ``counts``: of the other desks."""

    device_id: str
    live: LiveSensors
    tokens: Callable[[], list[KeptToken]]
    now_s: Callable[[], float]
    history: History | None = None
    price: Fraction | None = None
    zone: tzinfo | None = None
    health: Callable[[], Mapping[str, Any]] = dict
    counts: Callable[[], Mapping[str, object]] = dict
    _turns: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(_AT_ONCE))

    async def away(self, work: Callable[[History], _T]) -> _T:
        """What ``work`` makes of the history, from a thread. Refused when there is none, or too many others wait."""
        history = self.history
        if history is None:
            raise Refused(404, "this bridge keeps no history")
        try:
            async with asyncio.timeout(_PATIENCE_S):
                await self._turns.acquire()
        except TimeoutError as error:
            raise Refused(503, "too many requests at once: try again", {"Retry-After": "5"}) from error
        try:
            return await asyncio.to_thread(work, history)
        except StateFault as fault:
            raise Refused(503, "the history can't be read now; the log says why", {"Retry-After": "10"}) from fault
        finally:
            self._turns.release()
