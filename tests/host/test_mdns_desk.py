"""A second zeroconf on the loopback finds the services, and hears of changes."""

import asyncio
import contextlib

from host.test_announcement import sections, told
from zeroconf.asyncio import AsyncServiceInfo, AsyncZeroconf

from fluksometer.domain.announcement import Listener, Listeners
from fluksometer.mdns_desk import MdnsDesk

DEVICE = "5eed01" + "0" * 26


async def resolve(zeroconf, kind, true=bool):
    """What a client hears of a service, once it is true."""
    async with asyncio.timeout(15):
        while True:
            info = AsyncServiceInfo(f"{kind}.local.", f"flukso-5eed01.{kind}.local.")
            found = await info.async_request(zeroconf.zeroconf, 1000)
            if found and true(info):
                return info
            await asyncio.sleep(0.1)


async def listening(work):
    listeners = Listeners(
        api=Listener("0.0.0.0", 18080), mqtt=Listener("0.0.0.0", 11883), websockets=Listener("0.0.0.0", 18083)
    )
    desk = MdnsDesk(DEVICE, listeners, addresses=lambda: ["127.0.0.1"])
    serving = asyncio.create_task(desk.serve(lambda: None))
    client = AsyncZeroconf(interfaces=["127.0.0.1"])
    try:
        await work(desk, client)
    finally:
        serving.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await serving
        await client.async_close()
    assert desk.warnings() == []


def test_the_services_are_found_and_follow_the_configuration():
    async def work(desk, client):
        desk.configured(sections())
        info = await resolve(client, "_flukso._tcp")
        assert info.port == 18080
        assert info.server == "flukso-5eed01.local."
        assert info.parsed_addresses() == ["127.0.0.1"]
        assert info.decoded_properties == {"path": "/sensor", "version": "1.0", "id1": "a" * 32}
        assert (await resolve(client, "_mqtt._tcp")).port == 11883
        assert (await resolve(client, "_ws._tcp")).port == 18083
        desk.configured(sections(told(1, "cosem")))
        await resolve(client, "_flukso._tcp", lambda info: info.decoded_properties.get("id7") == f"{1:032x}")

    asyncio.run(listening(work))


def test_a_network_that_does_not_allow_it_is_named():
    async def work():
        listeners = Listeners(mqtt=Listener("0.0.0.0", 1883))
        desk = MdnsDesk(DEVICE, listeners, addresses=lambda: ["192.0.2.254"])  # none of this host's
        woken = asyncio.Event()
        desk.configured(sections())
        serving = asyncio.create_task(desk.serve(woken.set))
        await asyncio.wait_for(woken.wait(), 10)
        serving.cancel()
        return desk.warnings()

    ((event, fields),) = asyncio.run(work())
    assert event == "mdns_failed"
    assert fields["reason"]
