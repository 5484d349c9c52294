"""Announces services on the local network; zeroconf answers who asks."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Sequence
from typing import TYPE_CHECKING

from fluksometer.domain.announcement import Service

if TYPE_CHECKING:
    from zeroconf import ServiceInfo
    from zeroconf.asyncio import AsyncZeroconf


def lan_addresses() -> list[str]:
    """IPv4 addresses of this host, without the loopback's."""
    import ifaddr

    found = [ip.ip for adapter in ifaddr.get_adapters() for ip in adapter.ips if isinstance(ip.ip, str)]
    return sorted(one for one in found if not one.startswith("127."))


@contextlib.asynccontextmanager
async def announced(host: str, services: Sequence[Service], addresses: Sequence[str]) -> AsyncIterator[None]:
    """Answer for these services on the interfaces with these addresses, until left. OSError when the network does not allow it."""
    from zeroconf import Error, ServiceInfo
    from zeroconf.asyncio import AsyncZeroconf

    zeroconf = AsyncZeroconf(interfaces=list(addresses))
    try:
        for service in services:
            own = [one for one in addresses if service.listener.host in ("0.0.0.0", one)]
            info = ServiceInfo(
                f"{service.kind}.local.",
                f"{host}.{service.kind}.local.",
                addresses=[socket.inet_aton(one) for one in own],
                port=service.listener.port,
                properties=dict(service.text),
                server=f"{host}.local.",
            )
            if own:
                await _register(zeroconf, info)
        yield
    except Error as error:
        raise OSError(f"{type(error).__name__} {error}".strip()) from error
    finally:
        with contextlib.suppress(OSError):
            await asyncio.shield(zeroconf.async_close())  # says goodbye


async def _register(zeroconf: "AsyncZeroconf", info: "ServiceInfo") -> None:
    registered = await zeroconf.async_register_service(info, allow_name_change=True)
    await registered
