"""The embedded MQTT broker: iotcore (rumqttd in a wheel) in a child process of its own."""

import asyncio
import errno
import re

import structlog
from iotcore import Broker

from fluksometer.errors import Failure, PortTaken

_CHECK_S = 0.5
_RETRY_S = 5.0
_log = structlog.get_logger("fluksometer")


class EmbeddedBroker:
    """One broker on ``listen``:``port``. The methods block; call them in a thread."""

    def __init__(self, listen: str, port: int) -> None:
        self.address = f"{listen}:{port}"
        self._port = port
        self._broker = Broker(port=port, listen=listen)

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


def _number(error: OSError) -> int | None:
    # The broker tells the number of the system's error in its text only.
    told = re.search(r"os error (\d+)", str(error))
    return int(told[1]) if told else error.errno
