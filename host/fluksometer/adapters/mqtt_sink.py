"""Publishes to an MQTT broker; connects again for ever. paho runs its own thread, publish() may be called from the loop."""

import contextlib
import random
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass

from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from fluksometer.domain.topics import Message

_KEEPALIVE_S = 30
_RETRY_LEAST_S = 1
_RETRY_MOST_S = 5
_JITTER_S = 0.5  # so that many bridges do not come back to a broker in the same instant


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


BrokerNews = BrokerUp | BrokerDown | Received


class MqttSink:
    """One connection. ``tell`` is called in paho's thread."""

    def __init__(
        self,
        *,
        host: str,
        port: int,
        client_id: str,
        tell: Callable[[BrokerNews], None],
        login: tuple[str, str | None] | None = None,
        listen: tuple[str, ...] = (),
    ) -> None:
        """``listen``: filters of topics to be told of."""
        self.published = 0
        self._listen = listen
        self._tell = tell
        self._lock = threading.Lock()
        self._latest: dict[
            str, str
        ] = {}  # by topic; sent again at each connect, as a broker may have lost what it kept
        self._connected = False
        self._stopping = threading.Event()
        self._down_reason = ""
        self._answered = False  # the broker has said yes or no on the present connection
        self._client = Client(CallbackAPIVersion.VERSION2, client_id=client_id, protocol=MQTTProtocolVersion.MQTTv311)
        self._client.reconnect_delay_set(_RETRY_LEAST_S, _RETRY_MOST_S)
        self._client.on_connect = self._on_connect
        self._client.on_connect_fail = self._on_connect_fail
        self._client.on_disconnect = self._on_disconnect
        self._client.on_message = self._on_message
        if login:
            self._client.username_pw_set(*login)
        self._client.connect_async(host, port, _KEEPALIVE_S)

    def start(self) -> None:
        """Connect, and keep connected."""
        self._client.loop_start()

    def publish(self, message: Message) -> None:
        """Send a message now. While not connected only the latest of each retained topic is kept, and sent on connecting."""
        with self._lock:
            if message.retain:
                self._latest[message.topic] = message.payload
            if self._connected:
                self._send(message.topic, message.payload, message.retain)

    def stop(self) -> None:
        """Send what is queued, say goodbye, end the thread. Blocks for a few seconds at most."""
        self._stopping.set()
        self._client.disconnect()
        self._client.loop_stop()

    def _send(self, topic: str, payload: str, retain: bool = True) -> None:
        self._client.publish(topic, payload, qos=0, retain=retain)
        self.published += 1

    # --- in paho's thread ---

    def _on_connect(
        self, _client: Client, _data: object, _flags: ConnectFlags, code: ReasonCode, _props: Properties | None
    ) -> None:
        self._answered = True
        if code.is_failure:
            self._report_down(f"the broker refuses the bridge: {code}")
            return
        with self._lock:
            self._connected = True
            for topics in self._listen:
                self._client.subscribe(topics)
            for topic, payload in self._latest.items():
                self._send(topic, payload)
        self._down_reason = ""
        self._tell(BrokerUp())

    def _on_connect_fail(self, _client: Client, _data: object) -> None:
        error = sys.exc_info()[1]  # paho calls from where it caught this
        why = error and (getattr(error, "strerror", None) or str(error))
        self._report_down(f"the broker can't be reached: {why}" if why else "the broker can't be reached")
        self._jitter()

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
            self._report_down("whatever listens there does not speak MQTT, or only with TLS")
        self._jitter()

    def _on_message(self, _client: Client, _data: object, got: MQTTMessage) -> None:
        with contextlib.suppress(UnicodeDecodeError):  # some brokers let any bytes through; none is a topic of ours
            self._tell(Received(got.topic, bytes(got.payload)))

    def _report_down(self, reason: str) -> None:
        if reason != self._down_reason:
            self._down_reason = reason
            self._tell(BrokerDown(reason))

    def _jitter(self) -> None:
        self._stopping.wait(random.uniform(0, _JITTER_S))
