"""The other end of an MQTT connection: a broker that does what a test says, and a client that keeps its session."""

import contextlib
import json
import socket
import struct
import threading
from collections import defaultdict
from dataclasses import dataclass

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

CONNECT, PUBLISH = 0x10, 0x30


@dataclass(frozen=True)
class Published:
    topic: str
    payload: str
    qos: int
    dup: bool
    number: int  # of the packet


class ScriptedBroker:
    """Accepts every connection and notes what is published, by connection. It acknowledges only what a test tells it to."""

    def __init__(self):
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = self._server.getsockname()[1]
        self.heard: list[list[Published]] = []
        self._clients: list[socket.socket] = []
        threading.Thread(target=self._serve, daemon=True).start()

    def acknowledge(self, *published: Published) -> None:
        for one in published:
            self._clients[-1].sendall(b"\x40\x02" + struct.pack(">H", one.number))

    def hang_up(self) -> None:
        self._clients[-1].shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        for client in self._clients:
            client.close()

    def _serve(self):
        with contextlib.suppress(OSError):
            while True:
                client = self._server.accept()[0]
                self.heard.append([])
                self._clients.append(client)
                threading.Thread(target=self._listen, args=(client, self.heard[-1]), daemon=True).start()

    def _listen(self, client, heard):
        with contextlib.suppress(OSError), client.makefile("rb") as stream:
            while head := stream.read(1):
                size = shift = 0
                while True:
                    byte = stream.read(1)[0]
                    size |= (byte & 127) << shift
                    shift += 7
                    if byte < 128:
                        break
                body = stream.read(size)
                if head[0] & 0xF0 == CONNECT:
                    client.sendall(b"\x20\x02\x00\x00")
                elif head[0] & 0xF0 == PUBLISH:
                    heard.append(_published(head[0], body))


def _published(head, body):
    end = 2 + struct.unpack(">H", body[:2])[0]
    qos = head >> 1 & 3
    number = struct.unpack(">H", body[end : end + 2])[0] if qos else 0
    payload = body[end + 2 if qos else end :].decode()
    return Published(body[2:end].decode(), payload, qos, bool(head & 8), number)


class Subscriber:
    """A client with a session that outlives its connections: what the broker has taken for it, it gets."""

    def __init__(self, port, topic="/sensor/#"):
        self.heard: dict[str, list[list]] = defaultdict(list)  # by topic, in the order of coming
        self.count = 0
        self._topic, self.ready = topic, threading.Event()
        self._client = Client(CallbackAPIVersion.VERSION2, client_id="subscriber", clean_session=False)
        self._client.reconnect_delay_set(1, 1)
        self._client.on_connect = lambda client, *_more: client.subscribe(self._topic, qos=1)
        self._client.on_subscribe = lambda *_more: self.ready.set()
        self._client.on_message = self._take
        self._client.connect_async("127.0.0.1", port)
        self._client.loop_start()
        assert self.ready.wait(10)

    def _take(self, _client, _data, message):
        self.heard[message.topic].append(json.loads(message.payload))
        self.count += 1

    def firsts(self):
        """By topic the readings in the order in which they came first; a second with two values is an error."""
        found = {}
        for topic, readings in self.heard.items():
            seen = {}
            for reading in readings:
                assert seen.setdefault(reading[0], reading) == reading, topic
            found[topic] = list(seen.values())
        return found

    def close(self):
        self._client.disconnect()
        self._client.loop_stop()
