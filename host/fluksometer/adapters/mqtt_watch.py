"""Listens to Fluksometers on an MQTT broker. paho runs its own thread and calls ``take`` in it."""

import secrets
import sys
from collections.abc import Callable

from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from fluksometer.mqtt_tls import Tls

TOPICS = ("/device/+/config/sensor", "/device/+/health", "/sensor/+/gauge", "/sensor/+/counter")
Take = Callable[[str, bytes, bool], None]  # topic, payload, retained


class MqttWatch:
    """One listening connection; connects again for ever."""

    def __init__(
        self,
        *,
        host: str,
        port: int,
        take: Take,
        topics: tuple[str, ...] = TOPICS,
        login: tuple[str, str | None] | None = None,
        tls: Tls | None = None,
    ) -> None:
        self.problem: str | None = f"no broker answers at {host}:{port}"
        self._take, self._topics = take, topics
        self._address = f"{host}:{port}"
        self._client = Client(
            CallbackAPIVersion.VERSION2,
            client_id=f"fluksometer-top-{secrets.token_hex(4)}",
            protocol=MQTTProtocolVersion.MQTTv311,
        )
        self._tls, self._host = tls, host
        if login:
            self._client.username_pw_set(*login)
        if tls:
            self._client.tls_set_context(tls.context())
        self._client.reconnect_delay_set(1, 2)
        self._client.on_connect = self._on_connect
        self._client.on_connect_fail = self._on_connect_fail
        self._client.on_disconnect = self._on_disconnect
        self._client.on_message = self._on_message
        self._client.connect_async(host, port, 30)

    def start(self) -> None:
        """Connect and listen."""
        self._client.loop_start()

    def publish(self, topic: str, payload: str) -> None:
        """Send a message that the broker does not keep."""
        self._client.publish(topic, payload)

    def stop(self) -> None:
        """Leave. ``problem`` stays as it was."""
        self._client.on_disconnect = None
        self._client.disconnect()
        self._client.loop_stop()

    def _on_connect(
        self, client: Client, _data: object, _flags: ConnectFlags, code: ReasonCode, _props: Properties | None
    ) -> None:
        self.problem = f"the broker at {self._address} refuses: {code}" if code.is_failure else None
        if not code.is_failure:
            client.subscribe([(topic, 0) for topic in self._topics])

    def _on_connect_fail(self, _client: Client, _data: object) -> None:
        if self._tls and (why := self._tls.said(self._host, sys.exception())):
            self.problem = f"no connection to {self._address}: {why}"

    def _on_disconnect(
        self, _client: Client, _data: object, _flags: DisconnectFlags, code: ReasonCode, _props: Properties | None
    ) -> None:
        if self._tls and (why := self._tls.said(self._host)):
            self.problem = f"the broker at {self._address} refuses: {why}"
        if self.problem is None:
            self.problem = f"the connection to {self._address} was lost: {code}"

    def _on_message(self, _client: Client, _data: object, message: MQTTMessage) -> None:
        try:
            topic = message.topic
        except UnicodeDecodeError:  # not one of ours
            return
        self._take(topic, bytes(message.payload), message.retain)
