"""The embedded MQTT broker: iotcore (rumqttd in a wheel) in a child process of its own."""

import errno
import re

from iotcore import Broker

from fluksometer.errors import Failure, PortTaken


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


def _number(error: OSError) -> int | None:
    # The broker tells the number of the system's error in its text only.
    told = re.search(r"os error (\d+)", str(error))
    return int(told[1]) if told else error.errno
