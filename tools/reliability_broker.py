"""A real broker that can be stopped, and a stranger's client with a session that outlives it."""

import json
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

MOSQUITTO = shutil.which("mosquitto", path=os.environ.get("PATH", "") + ":/usr/sbin")
# Nothing is dropped for want of room, and nothing waits for an acknowledgement of something else.
_CONFIG = """\
listener {port} 127.0.0.1
allow_anonymous true
user root
log_dest none
persistence true
persistence_location {folder}/
max_queued_messages 0
max_inflight_messages 0
"""


def free_port() -> int:
    """A port of the loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until(true: Callable[[], object], what: str, timeout_s: float = 15.0) -> None:
    """Poll; TimeoutError says what was waited for."""
    end_s = time.monotonic() + timeout_s
    while not true():
        if time.monotonic() > end_s:
            raise TimeoutError(f"waited {timeout_s:g} s in vain: {what}")
        time.sleep(0.005)


class Broker:
    """mosquitto with its sessions on disk."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self._config = folder / "mosquitto.conf"
        self._config.write_text(_CONFIG.format(port=self.port, folder=folder))
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Up and listening."""
        assert MOSQUITTO, "mosquitto is not installed"
        self._process = subprocess.Popen([MOSQUITTO, "-c", self._config], stderr=subprocess.DEVNULL)
        wait_until(self._answers, "mosquitto to listen")

    def save(self) -> None:
        """Put sessions on disk now, so that they outlive a SIGKILL."""
        assert self._process
        self._process.send_signal(signal.SIGUSR1)

    def stop(self, signum: int = signal.SIGTERM) -> None:
        """Gone; with SIGTERM what waits for a session is on disk."""
        if self._process:
            self._process.send_signal(signum)
            self._process.wait(10)

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=0.2):
                return True
        except OSError:
            return False


@dataclass(frozen=True, slots=True)
class Heard:
    """One reading, as it came to the subscriber."""

    at_s: float  # time.monotonic()
    sensor_id: str
    kind: str  # "gauge" or "counter"
    second: int
    value: float


class Subscriber:
    """Hears every reading at QoS 1 over a persistent session. Its list is only ever appended to."""

    def __init__(self, port: int) -> None:
        self.heard: list[Heard] = []
        self.sessions_lost = 0  # the broker had forgotten it, and what waited for it
        self.connected = False
        self._known = False
        self._client = Client(
            CallbackAPIVersion.VERSION2, client_id="judge", clean_session=False, protocol=MQTTProtocolVersion.MQTTv311
        )
        self._client.reconnect_delay_set(0.05, 0.1)
        self._client.on_connect = self._on_connect
        self._client.on_disconnect = self._on_disconnect
        self._client.on_message = self._on_message
        self._client.on_subscribe = self._on_subscribe
        self._client.connect("127.0.0.1", port, keepalive=60)
        self._client.loop_start()
        wait_until(lambda: self._known, "the subscription")

    def close(self) -> None:
        """Say goodbye."""
        self._client.disconnect()
        self._client.loop_stop()

    # --- in paho's thread ---

    def _on_connect(self, client: Client, _data: object, flags: Any, _code: object, _props: object) -> None:
        self.connected = True
        if not flags.session_present:
            self.sessions_lost += self._known
            client.subscribe("/sensor/+/+", qos=1)

    def _on_disconnect(self, *_: object) -> None:
        self.connected = False

    def _on_subscribe(self, *_: object) -> None:
        self._known = True

    def _on_message(self, _client: Client, _data: object, message: MQTTMessage) -> None:
        if message.retain:
            return
        _, _, sensor_id, kind = message.topic.split("/")
        second, value, _unit = json.loads(message.payload)
        self.heard.append(Heard(time.monotonic(), sensor_id, kind, second, value))
