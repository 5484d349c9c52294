"""The web of a bridge on a socket, with a history on the disk; without board and broker."""

import asyncio
import contextlib
import http.client
import ssl
import threading
import time
from dataclasses import dataclass
from datetime import UTC

from host.rig import wait_until

from fluksometer.domain.api_tokens import new_token
from fluksometer.domain.live_sensors import LiveSensors
from fluksometer.web import server
from fluksometer.web.app import make_app
from fluksometer.web.parts import Parts

CLAMP, GAS, KUBE, OTHER = "c" * 32, "a" * 32, "b" * 32, "d" * 32
SECTIONS = {
    "main": {"name": "fluksometer"},
    "1": {
        "id": CLAMP,
        "enable": 1,
        "class": "analog",
        "type": "electricity",
        "function": "main",
        "port": [1],
        "data_type": "counter",
        "rid": 0,
        "voltage": 230,
        "current": 50,
        "phase": "1p",
        "direction": "import",
    },
    "4": {
        "id": GAS,
        "enable": 1,
        "class": "pulse",
        "type": "gas",
        "function": "gas",
        "port": [4],
        "data_type": "counter",
        "rid": 0,
        "constant": 10,
    },
    "7": {
        "id": KUBE,
        "enable": 1,
        "class": "kube",
        "type": "temperature",
        "function": "attic temperature",
        "data_type": "gauge",
        "unit": "°C",
        "rid": 0,
        "kid": 5,
    },
    "5": {"id": OTHER, "enable": 0, "class": "pulse", "type": "water", "function": "off", "port": [5], "constant": 1},
}


@dataclass
class Answered:
    """A response."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()


class Site:
    """``now_s``: the clock; ``token``: account-level; ``gas_token``: of the gas alone; ``certificate``: by TLS."""

    def __init__(self, history=None, certificate=None, **more):
        self._context = None
        if certificate:
            self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._context.load_cert_chain(*certificate)
        self.now_s = time.time()
        self.live = LiveSensors()
        self.live.configured(SECTIONS)
        self.health = {}
        self.token, account = new_token(None, "all", 0)
        self.gas_token, gas = new_token(GAS, "gas", 0)
        self.parts = Parts(
            device_id="e" * 32,
            live=self.live,
            tokens=lambda: [account, gas],
            now_s=lambda: self.now_s,
            history=history,
            zone=UTC,
            health=lambda: self.health,
            **more,
        )
        self.socket = server.listen("127.0.0.1", 0)
        self.port = self.socket.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.names, self.origins = ["meter.example.net"], ["https://dash.example"]
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        wait_until(lambda: hasattr(self, "server") and self.server.started, "the server")

    def _run(self):
        asyncio.run(self._serve())

    async def _serve(self):
        self.loop = asyncio.get_running_loop()
        self.app = make_app(self.parts, names=self.names, origins=self.origins)
        self.server = server.server(self.app, self._context)
        self.task = asyncio.create_task(server.serve([(self.server, self.socket)]))
        with contextlib.suppress(asyncio.CancelledError):
            await self.task

    def get(self, target, method="GET", **headers):
        """``X_Token="..."`` is the header X-Token."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, target, headers=named)
        answer = connection.getresponse()
        answered = Answered(answer.status, answer.headers, answer.read())
        connection.close()
        return answered

    def history(self, target, **headers):
        """With version and account token."""
        return self.get(target, **({"X_Version": "1.0", "X_Token": self.token} | headers))

    def close(self):
        self.loop.call_soon_threadsafe(self.task.cancel)
        self._thread.join(5)
        assert not self._thread.is_alive()
