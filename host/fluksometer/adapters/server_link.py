"""The MQTT connection to a Flukso-compatible server, as a Fluksometer's broker bridges it (docs/upload.md): MQTT 3.1, QoS 0.

Such a server takes no subscription and pushes what it has to say; a real broker wants to be asked. Both are served."""

import contextlib
import random
import ssl
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from paho.mqtt.client import Client, ConnectFlags, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

_KEEPALIVE_S: Final = 60
_RESTART_S: Final = 30.0  # as the original; and up to a third more by chance
_MOST_WAITING: Final = 20_000  # messages; what gives way, the server asks for at its next connection
_MOST_MESSAGE: Final = 1 << 20  # bytes of a message from the server


@dataclass(frozen=True, slots=True)
class ServerAddress:
    """Where, and as whom. ``ca_file``: PEM; None: whom the system trusts."""

    host: str
    port: int
    tls: bool
    username: str
    password: str
    ca_file: Path | None = None


class ServerLink:
    """One connection at a time, in a thread of its own; tries again for ever. ``hear`` (topic, payload) and ``down`` (reason; ""
    for up again) are called in that thread."""

    def __init__(
        self,
        address: ServerAddress,
        *,
        client_id: str,
        listen: str,
        hear: Callable[[str, bytes], None],
        down: Callable[[str], None],
        restart_s: float = _RESTART_S,
    ) -> None:
        self._address, self._client_id, self._listen = address, client_id, listen
        self._hear, self._down, self._restart_s = hear, down, restart_s
        self._waiting: deque[tuple[str, bytes]] = deque(maxlen=_MOST_WAITING)
        self._kept: dict[str, bytes] = {}  # by topic: sent at each connection
        self._connected = False
        self._reason: str | None = None
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="server-link", daemon=True)

    def start(self) -> None:
        """Connect, and keep connected."""
        self._thread.start()

    def send(self, topic: str, payload: bytes, *, keep: bool = False) -> None:
        """Hand a message on. While there is no connection only what is to be kept waits, the newest of each topic."""
        if keep:
            self._kept[topic] = payload
        if self._connected:
            self._waiting.append((topic, payload))  # the thread looks five times a second

    def stop(self) -> None:
        """End the connection and the thread. Blocks for a few seconds at most."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()

    # --- in the link's thread ---

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._waiting.clear()
            try:
                self._converse()
            except (OSError, ValueError) as error:
                self._say(getattr(error, "strerror", None) or str(error))
            self._connected = False
            self._stopping.wait(self._restart_s * random.uniform(1.0, 1.3))

    def _converse(self) -> None:
        client = self._new_client()
        client.connect(self._address.host, self._address.port, keepalive=_KEEPALIVE_S)
        while not self._stopping.is_set():
            if (code := client.loop(timeout=0.2)) != MQTTErrorCode.MQTT_ERR_SUCCESS:
                self._say(f"the connection was lost: {code.name}" if self._connected else "the server hangs up")
                return
            while self._waiting and not client.want_write():
                topic, payload = self._waiting.popleft()
                client.publish(topic, payload, qos=0)
        client.disconnect()

    def _new_client(self) -> Client:
        one = self._address
        client = Client(CallbackAPIVersion.VERSION2, client_id=self._client_id, protocol=MQTTProtocolVersion.MQTTv31)
        client.username_pw_set(one.username, one.password)
        if one.tls:
            context = ssl.create_default_context(cafile=str(one.ca_file) if one.ca_file else None)
            client.tls_set_context(context)
        client.on_connect = self._on_connect
        client.on_message = self._on_message
        return client

    def _on_connect(
        self, client: Client, _data: object, _flags: ConnectFlags, code: ReasonCode, _props: Properties | None
    ) -> None:
        if code.is_failure:
            self._say(f"the server refuses this device: {code}")
            return
        self._connected = True
        self._say("")
        client.subscribe(self._listen)
        self._waiting.extend(dict(self._kept).items())

    def _on_message(self, _client: Client, _data: object, got: MQTTMessage) -> None:
        with contextlib.suppress(UnicodeDecodeError):
            if len(got.payload) <= _MOST_MESSAGE:
                self._hear(got.topic, bytes(got.payload))

    def _say(self, reason: str) -> None:
        if reason != self._reason:
            self._reason = reason
            self._down(reason)
