"""Readings to an MQTT broker behind a cursor: none is lost, none overtakes another, whatever becomes of the broker."""

import signal
import statistics
import time
from collections import defaultdict
from types import SimpleNamespace

import pytest
from host.making import make_point
from host.mqtt_peers import ScriptedBroker, Subscriber
from host.rig import MOSQUITTO, Mosquitto, free_port, wait_until

from fluksometer.adapters.broker import EmbeddedBroker
from fluksometer.adapters.mqtt_sink import IN_FLIGHT, BacklogUnread, BrokerUp, MqttSink
from fluksometer.domain.topics import Message
from fluksometer.errors import StateFault
from fluksometer.outbox import Outbox


def points(first, last, kind="gauge"):
    """Of three sensors in turn, so that a topic's times and values tell the order."""
    return [
        make_point(sensor_id=f"{number % 3:032x}", time_s=number, milli=1000 * number, kind=kind)
        for number in range(first, last + 1)
    ]


def by_topic(first, last, kind="gauge"):
    found = defaultdict(list)
    for point in points(first, last, kind):
        found[point.topic].append([point.time_s, point.milli // 1000, point.unit])
    return found


@pytest.fixture
def scripted():
    broker = ScriptedBroker()
    yield broker
    broker.close()


@pytest.fixture
def mosquitto(tmp_path):
    if not MOSQUITTO:
        pytest.skip("mosquitto is not installed")
    broker = Mosquitto(tmp_path, "persistence true\npersistence_location {folder}/\nmax_queued_messages 0\n")
    yield broker
    broker.kill()


@pytest.fixture(params=["mosquitto", "embedded"])
def broker(request):
    """Either broker; something with a port."""
    if request.param == "mosquitto":
        yield request.getfixturevalue("mosquitto")
        return
    port = free_port()
    embedded = EmbeddedBroker("127.0.0.1", port)
    embedded.start()
    yield SimpleNamespace(port=port)
    embedded.stop()


@pytest.fixture
def start():
    """Starts a sink; it is stopped when the test ends."""
    sinks = []

    def start(port, outbox, **more):
        sinks.append(MqttSink(host="127.0.0.1", port=port, client_id="t", tell=lambda _: None, outbox=outbox, **more))
        sinks[-1].start()
        return sinks[-1]

    yield start
    for sink in sinks:
        sink.stop()


def ids(heard):
    return [int(one.payload.split(",")[0][1:]) for one in heard if one.qos]


def test_a_backlog_goes_out_in_order_and_what_is_appended_meanwhile_behind_it(broker, start):
    listener = Subscriber(broker.port)
    outbox = Outbox(last_id=3000, read_ledger=lambda after_id, limit: numbered(after_id, min(after_id + limit, 3000)))
    sink = start(broker.port, outbox, cursor=1000)
    for number in range(3001, 4001):
        outbox.append(points(number, number))
        sink.wake()
    wait_until(lambda: sink.cursor == 4000, "the acknowledgements")
    wait_until(lambda: listener.count >= 3000, "the listener")
    listener.close()
    assert listener.heard == by_topic(1001, 4000)


def numbered(after_id, last):
    return list(enumerate(points(after_id + 1, last), after_id + 1))


def test_a_reading_goes_out_at_once(broker, start):
    listener, outbox = Subscriber(broker.port), Outbox()
    sink = start(broker.port, outbox)
    took_s = []
    for number in range(1, 41):
        began_s = time.monotonic()
        outbox.append(points(number, number))
        sink.wake()
        while listener.count < number:
            assert time.monotonic() < began_s + 5
            time.sleep(0.0005)
        took_s.append(time.monotonic() - began_s)
    listener.close()
    assert statistics.median(took_s[5:]) < 0.03  # the first waits for the connection


def test_a_broker_that_is_stopped_again_and_again_gets_every_reading_in_order(mosquitto, start):
    listener, last = Subscriber(mosquitto.port), 30_000
    outbox = Outbox(last_id=last, read_ledger=lambda after_id, limit: numbered(after_id, min(after_id + limit, last)))
    sink = start(mosquitto.port, outbox)
    for part in (0.1, 0.4, 0.7):
        wait_until(lambda part=part: sink.cursor > part * last, "progress")
        mosquitto.process.send_signal(signal.SIGTERM)  # it saves its sessions
        mosquitto.process.wait()
        assert sink.cursor < last
        outbox.append(points(outbox.last_id + 1, outbox.last_id + 10))
        mosquitto.start()
    sink.wake()
    wait_until(lambda: sink.cursor == last + 30, "the acknowledgements")
    wait_until(lambda: sum(map(len, listener.firsts().values())) == last + 30, "the listener")
    listener.close()
    assert listener.firsts() == by_topic(1, last + 30)


def test_what_was_not_acknowledged_is_sent_again_once_and_in_order(scripted, start):
    outbox = Outbox()
    sink = start(scripted.port, outbox)
    outbox.append(points(1, 10))
    sink.wake()
    wait_until(lambda: scripted.heard and len(scripted.heard[0]) == 10, "ten readings")
    scripted.acknowledge(*scripted.heard[0][:4])
    wait_until(lambda: sink.cursor == 4, "the cursor")
    scripted.hang_up()
    outbox.append(points(11, 12))
    sink.wake()
    wait_until(lambda: len(scripted.heard) == 2 and len(scripted.heard[1]) >= 8, "the rest")
    time.sleep(0.1)
    assert ids(scripted.heard[1]) == list(range(5, 13))
    assert not any(one.dup for one in scripted.heard[1])


def test_the_cursor_waits_for_the_first_that_is_missing(scripted, start):
    outbox = Outbox(last_id=100)
    sink = start(scripted.port, outbox, cursor=100)
    outbox.append(points(101, 105))
    sink.wake()
    wait_until(lambda: scripted.heard and len(scripted.heard[0]) == 5, "five readings")
    first, second, third, fourth, _ = scripted.heard[0]
    scripted.acknowledge(second, fourth)
    time.sleep(0.1)
    assert sink.cursor == 100
    scripted.acknowledge(first)
    wait_until(lambda: sink.cursor == 102, "the cursor")
    scripted.acknowledge(third)
    wait_until(lambda: sink.cursor == 104, "the cursor")


def test_so_many_are_in_flight_and_other_messages_do_not_wait(scripted, start):
    outbox = Outbox()
    outbox.append(points(1, IN_FLIGHT + 500))
    sink = start(scripted.port, outbox)
    wait_until(lambda: scripted.heard and len(scripted.heard[0]) >= IN_FLIGHT, "all that may be in flight")
    sink.publish(Message("/answer", "{}", retain=False))
    wait_until(lambda: len(scripted.heard[0]) > IN_FLIGHT, "the answer")
    assert ids(scripted.heard[0]) == list(range(1, IN_FLIGHT + 1))
    assert scripted.heard[0][-1].topic == "/answer"
    scripted.acknowledge(scripted.heard[0][0])
    wait_until(lambda: len(scripted.heard[0]) > IN_FLIGHT + 1, "one more")
    assert ids(scripted.heard[0][-1:]) == [IN_FLIGHT + 1]


def test_a_ledger_that_can_not_be_read_is_told_once_and_read_again(scripted):
    told, faults, last = [], 3, 100

    def read(after_id, limit):
        nonlocal faults
        if after_id == 0 and faults:
            faults -= 1
            raise StateFault("ledger.db: the disk gives errors")
        return numbered(after_id, min(after_id + limit, last))

    outbox = Outbox(last_id=last, read_ledger=read)
    sink = MqttSink(host="127.0.0.1", port=scripted.port, client_id="t", tell=told.append, outbox=outbox)
    sink.start()
    wait_until(lambda: BacklogUnread("ledger.db: the disk gives errors") in told, "the fault")
    outbox.append(points(101, 103))
    sink.wake()  # nothing overtakes what can't be read
    wait_until(lambda: scripted.heard and len(scripted.heard[0]) == 103, "the rest")
    assert ids(scripted.heard[0]) == list(range(1, 104))
    sink.stop()
    assert told == [BrokerUp(), BacklogUnread("ledger.db: the disk gives errors"), BacklogUnread("")]


def test_the_latest_of_each_topic_comes_again_unless_later_ones_wait(scripted, start):
    outbox = Outbox()
    sink = start(scripted.port, outbox)
    event = make_point(sensor_id="e" * 32, kind="counter", retain=False)
    outbox.append([*points(1, 6), event])
    sink.wake()
    wait_until(lambda: scripted.heard and len(scripted.heard[0]) == 7, "seven readings")
    scripted.acknowledge(*scripted.heard[0])
    wait_until(lambda: sink.cursor == 7, "the cursor")
    scripted.hang_up()
    outbox.append(points(9, 9))  # of the sensor of 6
    wait_until(lambda: len(scripted.heard) == 2 and len(scripted.heard[1]) >= 3, "what comes again")
    time.sleep(0.1)
    four, five, nine = (point.payload for number in (4, 5, 9) for point in points(number, number))
    assert [(one.payload, one.qos) for one in scripted.heard[1]] == [(four, 0), (five, 0), (nine, 1)]


def test_a_broker_that_lost_what_it_kept_gets_the_latest_again(mosquitto, start, tmp_path):
    outbox = Outbox()
    sink = start(mosquitto.port, outbox)
    outbox.append(points(1, 3))
    sink.wake()
    wait_until(lambda: sink.cursor == 3, "the cursor")
    mosquitto.kill()
    (tmp_path / "mosquitto.db").unlink(missing_ok=True)
    mosquitto.start()
    listener = Subscriber(mosquitto.port)
    wait_until(lambda: listener.count == 3, "the latest")
    listener.close()
    assert listener.heard == by_topic(1, 3)


def test_what_was_appended_before_the_stop_is_delivered(mosquitto):
    outbox, told = Outbox(), []
    sink = MqttSink(host="127.0.0.1", port=mosquitto.port, client_id="t", tell=told.append, outbox=outbox)
    sink.start()
    wait_until(lambda: told, "the connection")
    outbox.append(points(1, 500))
    sink.wake()
    sink.stop()
    assert sink.cursor == 500


def test_what_was_published_before_the_bridge_died_is_not_published_once_more(mosquitto, start):
    """It died between publishing and storing: the same points come out of the board's records again, under the same ids."""
    outbox = Outbox()
    outbox.append(points(1, 30, "counter"))
    first = start(mosquitto.port, outbox)
    wait_until(lambda: first.cursor == 30, "all acknowledged")
    first.stop()
    listener = Subscriber(mosquitto.port)
    wait_until(lambda: listener.count == 3, "what the broker has kept: 28, 29 and 30")
    outbox = Outbox()
    outbox.append(points(25, 36, "counter"))
    sink = start(mosquitto.port, outbox, own=lambda: [f"{one:032x}" for one in range(3)])
    wait_until(lambda: sink.cursor == 12, "all seen to")
    wait_until(lambda: listener.count >= 9, "the new ones")
    listener.close()
    assert listener.heard == by_topic(28, 36, "counter")
