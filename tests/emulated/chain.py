"""The bridge's own parts behind an emulated board, in this process and in emulated time; mosquitto and a stranger behind them."""

import json
import subprocess
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import count
from pathlib import Path
from queue import Queue
from typing import Any

import pytest
from emulated.board import FirmwareBoard
from host.rig import MOSQUITTO, MOSQUITTO_SUB, Listener, Mosquitto, wait_until

from fluksometer.adapters.mqtt_sink import BrokerNews, BrokerUp, MqttSink, Received
from fluksometer.domain.board_clock import BoardClock, HostTime
from fluksometer.domain.desk import Desk, Fault, Said
from fluksometer.domain.link_events import BoardSaidHello, Event, TerminalSpoke
from fluksometer.domain.readings import BoardSettings
from fluksometer.domain.told import ToldBook
from fluksometer.domain.topics import Message, sensor_config, sensor_sections
from fluksometer.link_session import LinkSession
from fluksometer.outbox import Outbox

DEVICE_ID = "c3" * 16
SETTINGS = BoardSettings(rate_hz=1000, clamp_ports=0b1, pulse_ports=0)


class Chain:
    """Joins session, clock, desks and sink as service.py does. It works whenever the board runs (``FirmwareBoard.run``).

    ``utc_s``: what the host's clock shows when the power comes on. ``events``: all that the session said beside readings.
    """

    def __init__(self, board: FirmwareBoard, folder: Path, utc_s: float) -> None:
        if not (MOSQUITTO and MOSQUITTO_SUB):
            pytest.skip("mosquitto and mosquitto_sub are not installed")
        self.board, self.events, self.faults = board, list[Event](), list[Fault]()
        self._utc_s = utc_s
        self._told, self._desks = ToldBook(), tuple[Desk, ...]()
        self.session = LinkSession(SETTINGS)
        self._clock = BoardClock()
        self._news: Queue[BrokerNews] = Queue()
        self._marks, self._read = count(1), 0
        self._functions: dict[str, str] = {}  # by sensor id
        self._mosquitto = Mosquitto(folder)
        self._listener = Listener(self._mosquitto.port, "#", folder)
        self._sink = MqttSink(
            host="127.0.0.1",
            port=self._mosquitto.port,
            client_id="chain",
            tell=self._news.put,
            outbox=Outbox(),
            listen=("/device/+/request/+",),
        )
        self._sink.start()
        assert isinstance(self._news.get(timeout=15), BrokerUp)
        wait_until(self._listens, "the listener")
        board.on_bytes = self._work

    def close(self) -> None:
        """Ends what was started."""
        self._sink.stop()
        self._listener.process.kill()
        self._mosquitto.kill()

    def connect(self, **given: int) -> None:
        """A bridge that has just been started finds the board and sets it; ``given``: settings."""
        self.session = LinkSession(replace(SETTINGS, **given))
        self.session.open(self._now_s)
        wanted = self.session.wanted
        self.board.wait(lambda: self.session.hello and self.session.hello.settings == wanted, f"{given}", 10.0)

    def serve(self, told: ToldBook, *desks: Desk) -> None:
        """These desks from now on."""
        self._told, self._desks = told, desks

    def run_to(self, t_s: float) -> None:
        """Runs until so long after the power came on."""
        while self._now_s < t_s:
            self.board.run(min(0.02, t_s - self._now_s + 1e-6))

    def request(self, what: str, payload: str = "") -> None:
        """A stranger asks the bridge something over MQTT; it is there when this returns."""
        words: Sequence[str] = ["-m", payload] if payload else ["-n"]
        program = MOSQUITTO_SUB.replace("mosquitto_sub", "mosquitto_pub")
        topic = f"/device/{DEVICE_ID}/request/{what}"
        subprocess.run([program, "-p", str(self._mosquitto.port), "-t", topic, *words], check=True, timeout=10)
        wait_until(lambda: not self._news.empty(), "the request")

    def heard(self) -> list[tuple[str, Any]]:
        """(topic, payload) of what the bridge said to the stranger since the last call."""
        mark = self._mark()
        wait_until(lambda: self._place(mark), "the stranger")
        lines = self._listener.lines()[self._read : self._place(mark)]
        self._read += len(lines) + 1
        said = [(topic, payload) for _, topic, payload in lines if topic != "/mark" and "/request/" not in topic]
        return [(topic, json.loads(payload, parse_float=Fraction)) for topic, payload in said]

    def told(self, heard: list[tuple[str, Any]] | None = None) -> dict[str, list[list[Any]]]:
        """By function and kind ("P1 net gauge"): [second, value, unit] of what the stranger heard, since the last call unless it is
        given. Seconds are those since the power came on."""
        heard = self.heard() if heard is None else heard
        for sections in (payload for topic, payload in heard if topic.endswith("/config/sensor")):
            self._functions = {one["id"]: one["function"] for one in sections.values() if "id" in one}
        said: dict[str, list[list[Any]]] = defaultdict(list)
        for topic, payload in heard:
            if topic.startswith("/sensor/"):
                _, _, sensor_id, kind = topic.split("/")
                said[f"{self._functions[sensor_id]} {kind}"].append([payload[0] - self._utc_s, *payload[1:]])
        return said

    @property
    def _now_s(self) -> float:
        return self.board.pico.nanos / 1e9

    def _mark(self) -> str:
        mark = str(next(self._marks))
        self._publish(Message("/mark", mark, False))
        return mark

    def _place(self, mark: str) -> int:
        lines = [line[1:] for line in self._listener.lines()]
        return lines.index(("/mark", mark)) if ("/mark", mark) in lines else 0

    def _listens(self) -> bool:
        self._mark()
        return bool(self._listener.lines())

    # --- the bridge's loop ---

    def _work(self, data: bytes) -> None:
        now_s = self._now_s
        for event in self.session.feed(data, now_s) + self.session.tick(now_s):
            self._take(event, now_s)
        while not self._news.empty():
            news = self._news.get()
            assert isinstance(news, Received), news
            for desk in self._desks:
                desk.want(news.topic, news.payload)
        for desk in self._desks:
            messages, asks = desk.step(self.session.hello, now_s)
            self._publish(*messages)
            for ask in asks:
                self.session.send(ask)
            self.faults += desk.warnings()
        if self._told.changed:
            self._told.changed = False
            self._publish(
                sensor_config(DEVICE_ID, sensor_sections("", "0.0", [], self.session.hello, self._told.sections()))
            )
        if self.session.position:
            self.session.acknowledge(self.session.position)
        self.board.pico.console.send(self.session.data_to_send())

    def _take(self, event: Event, now_s: float) -> None:
        if isinstance(event, BoardSaidHello):
            self._clock.begin_boot(event.hello.boot_id, event.hello.uid)
            self._observe(event.hello.t_us, now_s)
        elif isinstance(event, TerminalSpoke):
            t_us = event.reading.t_us
            self._observe(t_us, now_s)
            for desk in self._desks:
                self._publish(*desk.take(event.hello, event.reading, self._clock.utc_s(t_us), now_s))
        else:
            self.events.append(event)

    def _observe(self, t_us: int, now_s: float) -> None:
        assert self._clock.observe(t_us, HostTime(mono_s=now_s, wall_s=self._utc_s + now_s)) == 0

    def _publish(self, *said: Said) -> None:
        for one in said:
            self._sink.publish(one if isinstance(one, Message) else Message(one.topic, one.payload, one.retain))
