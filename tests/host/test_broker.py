"""The embedded broker."""

import socket

import pytest
from host.rig import answers, free_port, wait_until
from paho.mqtt import publish
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

from fluksometer.adapters.broker import EmbeddedBroker
from fluksometer.errors import Failure, PortTaken


def test_it_starts_stops_and_frees_its_port():
    port = free_port()
    broker = EmbeddedBroker("127.0.0.1", port)
    broker.start()
    assert broker.running
    assert answers(port)
    broker.stop()
    assert not broker.running
    assert not answers(port)


def test_a_taken_port_is_named():
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(PortTaken, match=f"port {port} is taken: another broker"):
            EmbeddedBroker("127.0.0.1", port).start()


def test_an_address_that_is_not_ours_is_not_called_taken():
    with pytest.raises(Failure, match=r"can't listen: .*192\.0\.2\.1.*assign requested address") as caught:
        EmbeddedBroker("192.0.2.1", free_port()).start()
    assert not isinstance(caught.value, PortTaken)


def test_it_speaks_websockets_where_it_is_told_to():
    port, websocket_port = free_port(), free_port()
    broker = EmbeddedBroker("127.0.0.1", port, websocket_port)
    broker.start()
    try:
        got = []
        client = Client(CallbackAPIVersion.VERSION2, client_id="page", transport="websockets")
        client.ws_set_options(path="/mqtt")  # the original's
        client.on_connect = lambda client, *_more: client.subscribe("/sensor/#", 1)
        client.on_message = lambda _client, _data, message: got.append((message.topic, message.payload))
        client.connect("127.0.0.1", websocket_port)
        client.loop_start()
        publish.single("/sensor/a/gauge", b"x" * 100_000, qos=1, retain=True, port=port)
        wait_until(lambda: got, "the message")
        client.disconnect()
        client.loop_stop()
        assert got == [("/sensor/a/gauge", b"x" * 100_000)]
    finally:
        broker.stop()


def test_a_taken_websocket_port_is_named():
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = other.getsockname()[1]
        with pytest.raises(PortTaken, match=f"port {taken} is taken: set another mqtt.websocket_port"):
            EmbeddedBroker("127.0.0.1", free_port(), taken).start()
