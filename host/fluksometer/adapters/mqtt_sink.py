"""Publishes to an MQTT broker: readings behind a cursor, and what the broker keeps, at QoS 1, all else at QoS 0.

It connects again for ever. One thread owns the connection, so paho needs no locks against another. Each connection has a client
of its own with a clean session: nothing is sent again but what this module reads again behind its cursor.
"""

import contextlib
import json
import random
import select
import socket
import ssl
import threading
import time
from collections import deque
from collections.abc import Callable, Container, Iterable
from dataclasses import dataclass
from typing import Final

from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from fluksometer.domain.points import Point
from fluksometer.domain.presence import Presence
from fluksometer.domain.topics import Message
from fluksometer.errors import StateFault
from fluksometer.faults import FileFaults
from fluksometer.mqtt_tls import Tls
from fluksometer.outbox import Numbered, Outbox

_KEEPALIVE_S = 30
_RETRY_LEAST_S = 1.0
_RETRY_MOST_S = 4.0
_JITTER_S = 0.5  # so that many bridges do not come back to a broker in the same instant
_GOODBYE_S = 1.0  # for what is not sent or acknowledged yet when the bridge ends
IN_FLIGHT: Final = 2000  # sent and not acknowledged, at most: docs/figures.md
_BURST = 250  # points sent before the acknowledgements are read again
_BLOCK = 1000  # points read at once
_LEARN_S = 0.3  # for the readings that a broker has kept to arrive
_REPEAT_S = 60  # a reading at most so much older than the one kept was published before, not a clock set back
_TICK_S = 1.0  # how often the keepalive is looked at, at least


@dataclass(frozen=True, slots=True)
class BrokerUp:
    """Connected."""


@dataclass(frozen=True, slots=True)
class Received:
    """A message on a topic that the bridge listens to. Any bytes."""

    topic: str
    payload: bytes


@dataclass(frozen=True, slots=True)
class BrokerDown:
    """Not connected. Told once for each new reason."""

    reason: str


@dataclass(frozen=True, slots=True)
class BacklogUnread:
    """What waits can't be read, for this reason, and nothing later is sent before it; an empty reason: it can again."""

    reason: str


BrokerNews = BrokerUp | BrokerDown | Received | BacklogUnread


class MqttSink:
    """One connection at a time. ``tell`` is called in the sink's thread; the public methods are for the loop's."""

    name = "mqtt"

    def __init__(
        self,
        *,
        host: str,
        port: int,
        client_id: str,
        tell: Callable[[BrokerNews], None],
        outbox: Outbox,
        cursor: int = 0,
        login: tuple[str, str | None] | None = None,
        listen: tuple[str, ...] = (),
        own: Callable[[], Iterable[str]] = tuple,
        tls: Tls | None = None,
        presence: Presence | None = None,
        foreign: Container[str] = (),
    ) -> None:
        """``cursor``: id of the last point that the broker has. ``listen``: filters of topics to be told of. ``presence``:
        what is told of the bridge itself. ``foreign``: ids of sensors that others publish on this broker: it has them already.

        ``own``: ids of the sensors that are published, asked in the sink's thread; what the broker has kept of them tells
        at the first connection what was published already, although the bridge had died before it knew."""
        self.published = 0
        self.down: str | None = None
        self.cursor = min(cursor, outbox.last_id)  # highest id up to which the broker has acknowledged every point
        self._address, self._client_id, self._login, self._listen = (host, port), client_id, login, listen
        self._tell, self._outbox, self._own = tell, outbox, own
        self._tls, self._presence, self._foreign = tls, presence, foreign
        self._lock = threading.Lock()
        self._latest: dict[
            str, Message
        ] = {}  # by topic; sent again at each connect, as a broker may have lost what it kept
        self._waiting: deque[Message | Point] = deque()
        self._retry_s = _RETRY_LEAST_S
        self._first = True  # not connected yet since the bridge was started
        self._stopping = threading.Event()
        self._woken = False  # a byte is on its way through the waker
        self._waker, self._wake_end = socket.socketpair()
        self._thread = threading.Thread(target=self._run, name="mqtt-sink", daemon=True)
        self._down_reason = self._unread = ""
        self._answered = False  # the broker has said yes or no on the present connection
        self._begin_again()

    def start(self) -> None:
        """Connect, and keep connected."""
        self._thread.start()

    def publish(self, message: Message) -> None:
        """Send a message now. While not connected only the latest of each retained topic is kept, and sent on connecting."""
        with self._lock:
            if message.retain:
                self._latest[message.topic] = message
            if self._connected:
                self._waiting.append(message)
        self.wake()

    def wake(self) -> None:
        """There are new points in the outbox."""
        if not self._woken:
            self._woken = True
            self._waker.send(b"\0")

    def stop(self) -> None:
        """Send what is queued, say goodbye, end the thread. Blocks for a few seconds at most."""
        self._stopping.set()
        self.wake()
        if self._thread.is_alive():
            self._thread.join()
        self._woken = True  # nobody can be woken any more
        self._waker.close()
        self._wake_end.close()

    # --- in the sink's thread ---

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._begin_again()
            try:
                client = self._new_client()
                client.connect(*self._address, keepalive=_KEEPALIVE_S)
                self._converse(client)
            except (OSError, FileFaults) as error:
                self._report_down(self._reason(error))
            self._stopping.wait(self._retry_s + random.uniform(0, _JITTER_S))
            self._retry_s = min(2 * self._retry_s, _RETRY_MOST_S)

    def _begin_again(self) -> None:
        # What was in flight counts as not sent.
        with self._lock:
            self._connected = False
            self._waiting.clear()
        self._sent_id = self.cursor
        self._in_flight: dict[int, int] = {}  # point's id by number of its packet, in the order of sending
        self._ahead: deque[Numbered] = deque()  # read and not sent yet
        self._behind = True  # the outbox may have points that were not read yet
        self._learning: list[str] = []  # filters of topics of which the broker is telling what it has kept
        self._learned_at_s = 0.0
        self._kept: dict[str, int] = {}  # second of what the broker has kept, by topic

    def _new_client(self) -> Client:
        client = Client(CallbackAPIVersion.VERSION2, client_id=self._client_id, protocol=MQTTProtocolVersion.MQTTv311)
        client.max_inflight_messages = client.max_queued_messages = 0  # no bound but ours
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_message = self._on_message
        client.on_publish = self._on_publish
        client.on_socket_register_write = _write_later
        if self._login:
            client.username_pw_set(*self._login)
        if self._tls:
            client.tls_set_context(self._tls.context())
        if self._presence:
            will = self._presence.offline
            client.will_set(will.topic, will.payload, qos=1, retain=True)
        return client

    def _reason(self, error: Exception) -> str:
        # Why there is no connection.
        if isinstance(error, FileFaults):
            return "; ".join(error.faults)
        words = self._tls.said(self._address[0], error) if self._tls else None
        why = words or getattr(error, "strerror", None) or str(error)
        return f"the broker can't be reached: {why}" if why else "the broker can't be reached"

    def _converse(self, client: Client) -> None:
        end_s = 0.0
        while (sock := client.socket()) is not None:
            self._wait(client, sock.fileno())
            if self._connected and self._has_learned(client):
                self._send(client)
            client.loop_misc()
            if self._stopping.is_set():
                end_s = end_s or time.monotonic() + _GOODBYE_S
                if not self._connected or self._all_there or time.monotonic() > end_s:
                    if self._connected and self._presence:
                        self._publish(client, self._presence.offline, qos=1)
                    client.disconnect()
                    client.loop_write()
                    return

    @property
    def _all_there(self) -> bool:
        return not (self._waiting or self._in_flight or self._ahead or self._behind)

    def _wait(self, client: Client, sock: int) -> None:
        # Until something came, there is room for what waits to be written, or somebody woke. TLS may have read ahead.
        writers = [sock] if client.want_write() else []
        may_send = (self._ahead or self._behind) and len(self._in_flight) < IN_FLIGHT and not writers
        timeout_s = 0.0 if may_send and self._connected else _TICK_S
        if self._learning:
            timeout_s = _LEARN_S / 10
        connection = client.socket()
        decrypted = isinstance(connection, ssl.SSLSocket) and connection.pending() > 0
        if decrypted:
            timeout_s = 0.0
        readable, writable, _ = select.select([sock, self._wake_end.fileno()], writers, [], timeout_s)
        if self._wake_end.fileno() in readable:
            self._wake_end.recv(64)
            self._woken = False  # before the queues are looked at: what comes later wakes again
            self._behind = True
        if not readable:
            self._behind = True
        if sock in readable or decrypted:
            client.loop_read()
            self._move_cursor()
        if sock in writable:
            client.loop_write()

    def _send(self, client: Client) -> None:
        while self._waiting:
            one = self._waiting.popleft()
            self._publish(client, one, qos=int(isinstance(one, Message) and one.retain))
        for _ in range(min(_BURST, IN_FLIGHT - len(self._in_flight))):
            if not self._ahead and self._behind:
                self._read_ahead()
            if not self._ahead:
                break
            number, point = self._ahead.popleft()
            if point.sensor_id not in self._foreign and not self._was_published(point):
                self._in_flight[self._publish(client, point, qos=1)] = number
            self._sent_id = number
        self._move_cursor()
        client.loop_write()

    def _move_cursor(self) -> None:
        self.cursor = next(iter(self._in_flight.values()), self._sent_id + 1) - 1

    def _was_published(self, point: Point) -> bool:
        kept_s = self._kept.get(point.topic) if point.retain else None
        return kept_s is not None and kept_s - _REPEAT_S < point.time_s <= kept_s

    def _has_learned(self, client: Client) -> bool:
        if self._learning and time.monotonic() >= self._learned_at_s:
            client.unsubscribe(self._learning)
            self._learning = []
        return not self._learning

    def _read_ahead(self) -> None:
        unread = ""
        try:
            self._ahead.extend(self._outbox.read(self._sent_id, _BLOCK))
        except StateFault as fault:
            unread = str(fault)
        self._behind = bool(
            self._ahead
        )  # after a fault it is tried again when the next points come, or at the next tick
        if unread != self._unread:
            self._unread = unread
            self._tell(BacklogUnread(unread))

    def _publish(self, client: Client, message: Message | Point, qos: int) -> int:
        self.published += 1
        info = client.publish(message.topic, message.payload, qos=qos, retain=message.retain)
        if info.rc == MQTTErrorCode.MQTT_ERR_QUEUE_SIZE:  # its number, one of 65535, is still in flight
            raise ConnectionError("it does not acknowledge what it gets")
        return info.mid

    # --- called by paho, in the sink's thread too ---

    def _on_connect(
        self, client: Client, _data: object, _flags: ConnectFlags, code: ReasonCode, _props: Properties | None
    ) -> None:
        self._answered = True
        if code.is_failure:
            self._report_down(f"the broker refuses the bridge: {code}")
            return
        if self._presence:
            self._publish(client, self._presence.online, qos=1)
        for topics in self._listen:
            client.subscribe(topics)
        self._learning = self._own_topics() if self._first else []
        self._first, self._learned_at_s = False, time.monotonic() + _LEARN_S
        if self._learning:
            client.subscribe([(topics, 0) for topics in self._learning])
        with self._lock:
            self._connected = True
            self._waiting.extend(self._latest.values())
        # A topic that has points behind the cursor gets them, in order, and none before.
        latest = self._outbox.latest()
        mine = (one for number, one in latest if number <= self.cursor and one.sensor_id not in self._foreign)
        self._waiting.extend(point for point in mine if point.retain)
        self._down_reason, self._retry_s = "", _RETRY_LEAST_S
        self.down = None
        self._tell(BrokerUp())

    def _own_topics(self) -> list[str]:
        return [f"/sensor/{one}/+" for one in self._own() if one not in self._foreign]

    def _on_disconnect(
        self, _client: Client, _data: object, _flags: DisconnectFlags, code: ReasonCode, _props: Properties | None
    ) -> None:
        with self._lock:
            was_connected, self._connected = self._connected, False
        answered, self._answered = self._answered, False
        if self._stopping.is_set():
            return
        if was_connected:
            self._report_down(f"the connection was lost: {code}")
        elif not answered:
            self._report_down(self._silence())

    def _silence(self) -> str:
        # Connected, and hung up on before an answer.
        if not self._tls:
            return "whatever listens there does not speak MQTT, or only with TLS"
        words = (
            self._tls.said(self._address[0])
            or "it ends the connection: does it ask for a certificate (mqtt.cert_file)?"
        )
        return f"the broker refuses the bridge: {words}"

    def _on_publish(
        self, _client: Client, _data: object, mid: int, _code: ReasonCode, _props: Properties | None
    ) -> None:
        self._in_flight.pop(mid, None)  # a message of QoS 0 is none of them

    def _on_message(self, _client: Client, _data: object, got: MQTTMessage) -> None:
        with contextlib.suppress(UnicodeDecodeError):  # some brokers let any bytes through; none is a topic of ours
            room, sensor_id = f"{got.topic}///".split("/")[1:3]
            if not self._learning or room != "sensor" or sensor_id in self._foreign:
                self._tell(Received(got.topic, bytes(got.payload)))
            elif got.retain:
                with contextlib.suppress(
                    ValueError, TypeError, IndexError, KeyError
                ):  # anybody may have put anything there
                    self._kept[got.topic] = int(json.loads(got.payload)[0])

    def _report_down(self, reason: str) -> None:
        if reason != self._down_reason:
            self._down_reason = self.down = reason
            self._tell(BrokerDown(reason))


def _write_later(_client: Client, _data: object, _socket: object) -> None:
    """Keeps paho from writing each packet by itself, with its locks."""
