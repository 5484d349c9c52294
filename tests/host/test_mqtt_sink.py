"""The MQTT connection: what waits while there is none, and what a refusal looks like."""

import contextlib
import socket
import subprocess
import threading

import pytest
from host.rig import MOSQUITTO, answers, free_port, wait_until

from fluksometer.adapters.mqtt_sink import BrokerDown, BrokerUp, MqttSink, Received
from fluksometer.domain.topics import Message
from fluksometer.outbox import Outbox


@pytest.fixture
def guarded(tmp_path):
    """A broker that asks for a login; answers its port."""
    if not MOSQUITTO:
        pytest.skip("mosquitto is not installed")
    passwords = tmp_path / "passwords"
    subprocess.run(["mosquitto_passwd", "-b", "-c", passwords, "meter", "open sesame"], check=True, capture_output=True)
    port = free_port()
    config = tmp_path / "mosquitto.conf"
    config.write_text(f"listener {port} 127.0.0.1\npassword_file {passwords}\nuser root\n")
    broker = subprocess.Popen([MOSQUITTO, "-c", config], stderr=subprocess.DEVNULL)
    wait_until(lambda: answers(port), "mosquitto")
    yield port
    broker.kill()
    broker.wait()


class Told(list):
    """News of a sink, collected from the sink's thread."""

    def __init__(self):
        super().__init__()
        self.changed = threading.Event()

    def __call__(self, news):
        self.append(news)
        self.changed.set()


def make_sink(port, told, login=None):
    return MqttSink(host="127.0.0.1", port=port, client_id="test", tell=told, login=login, outbox=Outbox())


def test_a_login_is_used(guarded):
    told = Told()
    sink = make_sink(guarded, told, ("meter", "open sesame"))
    sink.publish(Message("/t", "old"))
    sink.publish(Message("/t", "new"))
    sink.start()
    assert told.changed.wait(5)
    sink.stop()
    assert told == [BrokerUp()]
    assert sink.published == 1  # of what waited, only the latest


def test_a_refused_login_is_told_once(guarded):
    told = Told()
    sink = make_sink(guarded, told, ("meter", "wrong"))
    sink.start()
    wait_until(lambda: told, "news", 5)
    threading.Event().wait(1.5)  # it tries again meanwhile
    sink.stop()
    assert told == [BrokerDown("the broker refuses the bridge: Not authorized")]


def test_an_absent_broker_is_told_once_and_stopping_is_quick():
    told = Told()
    sink = make_sink(free_port(), told)
    sink.start()
    wait_until(lambda: told, "news", 5)
    threading.Event().wait(1.5)
    sink.stop()
    assert told == [BrokerDown("the broker can't be reached: Connection refused")]


def test_something_that_is_no_broker_is_told_once():
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()

        def hang_up():
            with contextlib.suppress(OSError):
                while True:
                    server.accept()[0].close()

        threading.Thread(target=hang_up, daemon=True).start()
        told = Told()
        sink = make_sink(server.getsockname()[1], told)
        sink.start()
        wait_until(lambda: told, "news", 5)
        threading.Event().wait(1.5)
        sink.stop()
        server.shutdown(socket.SHUT_RDWR)
    assert told == [BrokerDown("whatever listens there does not speak MQTT, or only with TLS")]


def test_a_topic_that_is_no_text_is_passed_over():
    """Not every broker looks at the bytes of a topic; the thread must outlive them."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve():
            client = server.accept()[0]
            client.recv(1024)
            client.sendall(b"\x20\x02\x00\x00")
            client.recv(1024)
            client.sendall(b"\x30\x06\x00\x04/r/\xff" + b"\x30\x07\x00\x04/r/ax")
            client.recv(1024)

        threading.Thread(target=serve, daemon=True).start()
        told = Told()
        sink = MqttSink(
            host="127.0.0.1",
            port=server.getsockname()[1],
            client_id="test",
            tell=told,
            outbox=Outbox(),
            listen=("/r/+",),
        )
        sink.start()
        wait_until(lambda: len(told) > 1, "the message behind it", 5)
        sink.stop()
    assert told == [BrokerUp(), Received("/r/a", b"x")]
