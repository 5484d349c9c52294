"""The embedded MQTT broker: iotcore (rumqttd in a wheel) in a child process of its own."""

import asyncio
import errno
import re
import tempfile

import structlog
from iotcore import Broker

from fluksometer.errors import Failure, PortTaken

_CHECK_S = 0.5
_RETRY_S = 5.0
_PAYLOAD_MOST = 1 << 20  # bytes of a message: a large house's configuration is more than the 20 kB that are the default
_log = structlog.get_logger("fluksometer")


class EmbeddedBroker:
    """One broker on ``listen``:``port``. The methods block; call them in a thread."""

    def __init__(self, listen: str, port: int, websocket_port: int | None = None) -> None:
        """``websocket_port``: where it speaks MQTT over websockets too, on any path; None: nowhere."""
        self.address = f"{listen}:{port}"
        self._port, self._websocket_port = port, websocket_port
        if websocket_port is None:
            self._broker = Broker(port=port, listen=listen, max_payload_size=_PAYLOAD_MOST)
            return
        self._settings = tempfile.NamedTemporaryFile("w", prefix="fluksometer-broker-", suffix=".toml")  # noqa: SIM115
        self._settings.write(_settings(listen, port, websocket_port))
        self._settings.flush()
        self._broker = Broker(config_path=self._settings.name)

    @property
    def running(self) -> bool:
        """Whether the child process lives."""
        return bool(self._broker.is_running)

    def start(self) -> None:
        """Start and wait until it accepts connections. PortTaken when something else listens there; Failure for all else."""
        try:
            self._broker.start()
        except OSError as error:
            if _number(error) != errno.EADDRINUSE:
                raise Failure(f"the embedded broker can't listen: {error}") from error
            if self._websocket_port and f":{self._websocket_port}" in str(error):
                raise PortTaken(f"port {self._websocket_port} is taken: set another mqtt.websocket_port") from error
            raise PortTaken(
                f'port {self._port} is taken: another broker? set mqtt.broker = "127.0.0.1" to use it, '
                "or another mqtt.port"
            ) from error
        except RuntimeError as error:
            raise Failure(f"the embedded broker on {self.address} does not start: {error}") from error

    def stop(self) -> None:
        """End the child process and free the port."""
        self._broker.stop()


async def watch(broker: EmbeddedBroker) -> None:
    """Start it again whenever it has died, until cancelled."""
    while True:
        await asyncio.sleep(_CHECK_S)
        if not broker.running:
            _log.warning("broker_died", note="starting it again")
            await _revive(broker)


async def _revive(broker: EmbeddedBroker) -> None:
    reason = ""
    while not broker.running:
        try:
            await asyncio.to_thread(broker.start)
            _log.info("broker_started", address=broker.address)
        except Failure as failure:
            if str(failure) != reason:
                _log.error("broker_start_failed", reason=(reason := str(failure)), note="trying again")
            await asyncio.sleep(_RETRY_S)


def _settings(listen: str, port: int, websocket_port: int) -> str:
    # rumqttd's own file: only there can a second listener be had. Limits are those of iotcore's plain listener.
    text = "id = 0\n[router]\nid = 0\nmax_connections = 10000\nmax_outgoing_packet_count = 200\n"
    text += "max_segment_size = 104857600\nmax_segment_count = 10\n"
    for kind, number in (("v4", port), ("ws", websocket_port)):
        text += f'[{kind}.1]\nname = "{kind}"\nlisten = "{listen}:{number}"\nnext_connection_delay_ms = 1\n'
        text += f"[{kind}.1.connections]\nconnection_timeout_ms = 60000\nmax_payload_size = {_PAYLOAD_MOST}\n"
        text += "max_inflight_count = 100\ndynamic_filters = true\n"
    return text


def _number(error: OSError) -> int | None:
    # The broker tells the number of the system's error in its text only.
    told = re.search(r"os error (\d+)", str(error))
    return int(told[1]) if told else error.errno
