"""Tells the local network where this Fluksometer listens, as long as anything listens beyond the loopback."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from fluksometer.adapters import mdns
from fluksometer.domain.announcement import Listeners, host_name, services
from fluksometer.domain.desk import Desk, Fault

_LOOK_EVERY_S: Final = 30.0  # for addresses that come and go


class MdnsDesk(Desk):
    """Announces anew when sensors or the host's addresses change."""

    def __init__(
        self, device_id: str, listeners: Listeners, *, addresses: Callable[[], Sequence[str]] = mdns.lan_addresses
    ) -> None:
        """``addresses``: of the interfaces that are told."""
        self._host, self._listeners, self._addresses = host_name(device_id), listeners, addresses
        self._sections: Mapping[str, Mapping[str, object]] | None = None
        self._changed = asyncio.Event()
        self._faults: list[Fault] = []

    def configured(self, sections: Mapping[str, Mapping[str, object]]) -> None:
        """As Desk."""
        self._sections = sections
        self._changed.set()

    def warnings(self) -> list[Fault]:
        """As Desk."""
        faults, self._faults = self._faults, []
        return faults

    async def serve(self, wake: Callable[[], None]) -> None:
        """As Desk."""
        while services(self._listeners, {}):
            await self._changed.wait()
            self._changed.clear()
            told = services(self._listeners, self._sections or {})
            addresses = self._addresses()
            try:
                if addresses:
                    async with mdns.announced(self._host, told, addresses):
                        await self._until_other(told, addresses)
                else:
                    await self._until_other(told, addresses)
            except OSError as error:
                self._faults.append(("mdns_failed", {"reason": error.strerror or str(error)}))
                wake()
                await asyncio.sleep(_LOOK_EVERY_S)
            self._changed.set()

    async def _until_other(self, told: Sequence[object], addresses: Sequence[str]) -> None:
        # Returns when something else has to be announced.
        while services(self._listeners, self._sections or {}) == told and self._addresses() == addresses:
            try:
                async with asyncio.timeout(_LOOK_EVERY_S):
                    await self._changed.wait()
            except TimeoutError:
                continue
            self._changed.clear()
