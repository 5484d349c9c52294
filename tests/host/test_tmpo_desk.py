"""Blocks on MQTT: as they are finished, and when a server asks, whatever it sends."""

import asyncio
import json
import threading

import pytest
from host.histories import SID, START_S, Logger, counter, growth, store_at
from host.rig import wait_until
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

from fluksometer import tmpo_desk
from fluksometer.domain.tmpo_sync import block_topic
from fluksometer.storage.tmpo import Series
from fluksometer.tmpo_desk import TmpoDesk

DEVICE = "d" * 32
ASK, ANSWER = f"/device/{DEVICE}/tmpo/sync", f"/d/device/{DEVICE}/tmpo/sync"
HOSTILE = [
    b"",
    b"{}",
    b"[",
    b"[" * 5000,
    b"\xff\x00",
    b'[{"sid":null}]',
    b'[{"sid":"../../../etc/passwd","rid":0,"lvl":0,"bid":0}]',
    json.dumps([{"sid": "f" * 32, "rid": 0, "lvl": 0, "bid": 0}] * 999).encode(),
    b"[1e999]",
]


@pytest.fixture
def house(tmp_path):
    log = Logger(tmp_path)
    desk = TmpoDesk(DEVICE, log.log)
    yield log, desk
    log.close()


def said(desk) -> list[tuple[str, object, bool]]:
    messages, asks = desk.step(None, 0.0)
    assert asks == []
    return [(one.topic, one.payload, one.retain) for one in messages]


def test_blocks_are_published_when_they_are_closed_and_compacted_and_only_while_a_broker_is_there(house) -> None:
    log, desk = house
    log.turn(START_S, counter(START_S + 1, 5))
    log.turn(START_S + 260)
    assert said(desk) == []
    desk.broker(True)
    assert said(desk) == [(ASK, "", False)]
    log.turn(START_S + 300, counter(START_S + 299, 6))
    log.turn(START_S + 4200)
    heard = said(desk)
    names = log.history.blocks(SID)
    assert [topic for topic, _payload, _retain in heard] == [
        f"/sensor/{SID}/tmpo/0/8/{START_S + 256}/gz",
        f"/sensor/{SID}/tmpo/0/12/{START_S}/gz",
    ]
    assert heard[-1][1:] == (log.history.block(SID, *names[0]), False) and len(names) == 1
    desk.broker(False)
    log.turn(START_S + 5000, counter(START_S + 4500, 7))
    assert said(desk) == []


def serve(desk, *, until) -> list[tuple[str, object, bool]]:
    heard: list[tuple[str, object, bool]] = []

    async def work() -> None:
        task = asyncio.create_task(desk.serve(lambda: None))
        async with asyncio.timeout(10):
            while not until(heard):
                await asyncio.sleep(0.001)
                heard.extend(said(desk))
        task.cancel()

    asyncio.run(work())
    return heard


def test_a_server_gets_what_it_lacks(house, monkeypatch) -> None:
    monkeypatch.setattr(tmpo_desk, "PUSH_EVERY_S", 0.0)
    log, desk = house
    log.turn(START_S, *(counter(START_S + second, second) for second in range(0, 6000, 50)))
    log.turn(START_S + 6300)
    blocks = sorted(log.history.blocks(SID), key=lambda name: (-name.lvl, name.bid))
    assert {name.lvl for name in blocks} == {8, 12}
    desk.broker(True)
    said(desk)
    desk.want(ANSWER, json.dumps([{"sid": SID, "rid": 0, "lvl": 0, "bid": 0}, {"sid": "e" * 32}]).encode())
    heard = serve(desk, until=lambda heard: len(heard) == len(blocks))
    assert heard == [(block_topic(SID, name), log.history.block(SID, *name), False) for name in blocks]
    desk.want(ANSWER, json.dumps([{"sid": SID, "rid": 0, "lvl": 12, "bid": START_S}]).encode())
    heard = serve(desk, until=lambda heard: len(heard) == len(blocks) - 1)
    assert [topic for topic, *_ in heard] == [block_topic(SID, name) for name in blocks[1:]]
    assert desk.warnings() == []


@pytest.mark.parametrize("payload", HOSTILE, ids=range(len(HOSTILE)))
def test_nothing_a_stranger_sends_gets_anything(house, payload) -> None:
    log, desk = house
    log.turn(START_S, counter(START_S + 1, 5))
    log.turn(START_S + 260)
    desk.broker(True)
    said(desk)
    desk.want(ANSWER, payload)
    desk.want("/d/device/other/tmpo/sync", json.dumps([{"sid": SID, "rid": 0, "lvl": 0, "bid": 0}]).encode())
    assert said(desk) == [] and not desk._lacking
    refused = not payload.startswith(b"[{")
    assert [event for event, _fields in desk.warnings()] == ["tmpo_sync"] * (refused and payload != b"[1e999]")


def test_what_the_store_says_is_told(house) -> None:
    log, desk = house
    log.turn(START_S, counter(START_S + 1, 5))
    log.turn(START_S + 260)
    (log.log.store.root / "sensor" / SID / "0" / "8" / str(START_S)).write_bytes(b"x")
    assert log.history.read(SID, 0, START_S) == []
    log.turn(START_S + 530, counter(START_S + 261, 6))
    (warning,) = desk.warnings()
    assert warning[0] == "history" and "set aside" in warning[1]["reason"]


class Hearer:
    """A client that keeps everything it hears as bytes."""

    def __init__(self, port: int, topic: str) -> None:
        self.heard: list[tuple[str, bytes, bool]] = []
        ready = threading.Event()
        self.client = Client(CallbackAPIVersion.VERSION2)
        self.client.on_connect = lambda client, *_more: client.subscribe(topic)
        self.client.on_subscribe = lambda *_more: ready.set()
        self.client.on_message = lambda _client, _data, one: self.heard.append((one.topic, one.payload, one.retain))
        self.client.connect("127.0.0.1", port)
        self.client.loop_start()
        assert ready.wait(10)

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()


def test_a_server_syncs_with_a_real_bridge_through_a_real_broker(rig) -> None:
    rig.use("mosquitto")
    store = store_at(rig.folder / "state" / "tmpo")
    times = range(START_S, START_S + 5000, 90)
    store.append([growth(times, times)])
    list(store.compact(START_S + 4096))
    files = {name: store.raw(SID, name) for name in store.names(Series(SID, 0))}
    store.close()
    hearer = Hearer(rig.port, "#")
    bridge = rig.bridge()

    def asked() -> str:
        return next(
            (one[0] for one in hearer.heard if one[0].startswith("/device/") and one[0].endswith("/tmpo/sync")), ""
        )

    ask = wait_until(asked, lambda: f"a request in {hearer.heard} and {bridge.log}")
    assert next(one for one in hearer.heard if one[0] == ask) == (ask, b"", False)
    wait_until(lambda: (rig.folder / "state" / "tmpo" / "lock").exists(), "the store")
    for payload in HOSTILE:
        hearer.client.publish("/d" + ask, payload)
    right = [{"sid": SID, "rid": 0, "lvl": 0, "bid": 0}]

    def blocks() -> list[tuple[str, bytes, bool]]:
        hearer.client.publish("/d" + ask, json.dumps(right))  # until the store has been looked at nothing is known
        return [one for one in hearer.heard if "/tmpo/" in one[0] and one[0].startswith("/sensor/")]

    wait_until(lambda: len(blocks()) >= len(files), lambda: f"{len(files)} blocks in {hearer.heard} and {bridge.log}")
    wanted = [
        (block_topic(SID, name), data, False) for name, data in sorted(files.items(), key=lambda one: -one[0].lvl)
    ]
    assert blocks()[: len(files)] == wanted
    hearer.close()
    assert bridge.stop() == 0
    assert "Traceback" not in bridge.log and "tmpo_sync" in bridge.log
