"""The embedded broker."""

import socket

import pytest
from host.rig import answers, free_port

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
