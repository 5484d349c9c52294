"""Readings to real engines: all of them once, exact, through outages; what they refuse neither blocks nor vanishes in silence."""

import http.server
import threading
import time

import pytest
from host.engines import Influx, Victoria
from host.rig import free_port, wait_until

from fluksometer.adapters.influx_sink import InfluxWriter, basic, influx_sink
from fluksometer.domain.line_protocol import LineWriter
from fluksometer.domain.points import Point
from fluksometer.domain.sensor_labels import Label
from fluksometer.http_call import HttpCaller
from fluksometer.outbox import Outbox
from fluksometer.sinks import Seat

A, B = "a" * 32, "b" * 32
LABELS = {A: Label("electricity", "my, main=1"), B: Label("water", "cellar\\")}
START_S = 1_760_000_000


def readings(first: int, count: int, sensor_id: str = A) -> list[Point]:
    """One a second, with three decimals."""
    return [
        Point(sensor_id, 0, "counter", START_S + n, 123_456_789_000 + n * 1001, "Wh")
        for n in range(first, first + count)
    ]


def expected(points: list[Point]) -> list[list]:
    return [[point.time_s, point.milli / 1000] for point in points]


class Line:
    """One sink with its outbox; a made-up bridge."""

    def __init__(self, url: str, *, target=None, authorization="", tags=None, settle_s=0.0) -> None:
        self.told: list[str] = []
        self.outbox, self.changes = Outbox(), []
        self.writer = InfluxWriter(
            HttpCaller(url),
            LineWriter("fluksometer", tags or {}),
            target=target or {"db": "home"},
            authorization=authorization,
            labels=lambda: LABELS,
            tell=self.told.append,
        )
        self.sink = influx_sink(self.writer, Seat(self.outbox, 0, self.changes.append), batch_s=0.1, settle_s=settle_s)
        self.sink.start()

    def send(self, points: list[Point]) -> None:
        self.outbox.append(points)
        self.sink.wake()

    def wait(self, timeout_s: float = 15.0) -> None:
        wait_until(lambda: self.sink.cursor == self.outbox.last_id, lambda: str(self.sink.down), timeout_s)


@pytest.fixture(scope="module")
def influx(tmp_path_factory):
    engine = Influx(tmp_path_factory.mktemp("influx"))
    engine.ask("CREATE DATABASE home")
    yield engine
    engine.kill()


@pytest.fixture(scope="module")
def victoria(tmp_path_factory):
    engine = Victoria(tmp_path_factory.mktemp("victoria"))
    yield engine
    engine.kill()


@pytest.fixture
def line():
    lines: list[Line] = []

    def make(url, **more):
        lines.append(Line(url, **more))
        return lines[-1]

    yield make
    for one in lines:
        one.sink.stop()


def test_influxdb_has_every_reading_once_and_exact_through_an_outage(influx, line) -> None:
    one, points = line(influx.url), readings(0, 12_000) + readings(0, 10, B)
    one.send(points[:100])
    one.wait()
    influx.kill()
    one.send(points[100:])
    wait_until(lambda: one.sink.down, "the outage")
    assert "refuses the connection" in one.sink.down and one.sink.cursor == 100 == one.sink.published
    influx.start()
    one.wait()
    assert one.sink.down is None and one.writer.refused == 0
    again = line(influx.url)  # as a bridge that was killed before it knew: everything comes again
    again.send(points)
    again.wait()
    assert influx.values(A) == expected(points[:12_000])
    assert influx.values(B) == expected(points[12_000:])


def test_victoria_metrics_has_every_reading_once_and_exact_through_an_outage(victoria, line) -> None:
    for sensor_id, target in ((A, {"db": "home"}), (B, {"org": "me", "bucket": "home"})):  # the paths of 1.x and 2.x
        one, points = line(victoria.url, target=target, settle_s=2.0), readings(0, 6_000, sensor_id)
        one.send(points[:100])
        wait_until(lambda one=one: one.sink.published == 100, "the first readings")
        victoria.kill()  # and it loses what it has not written yet, although it had said that it has it
        one.send(points[100:])
        wait_until(lambda one=one: one.sink.down, "the outage")
        victoria.start()
        one.wait()
        again = line(victoria.url, target=target)
        again.send(points[:3_000])
        again.wait()
        assert victoria.values(sensor_id) == expected(points)


def test_names_and_further_tags_stand_in_every_line_whatever_is_in_them(influx, victoria, line) -> None:
    for engine in (influx, victoria):
        one = line(engine.url, target={"db": "home"}, tags={"home of": "n° 7, b=c"})
        one.send([Point(A, 2, "gauge", START_S, -1500, "L/day"), Point(B, 0, "gauge", START_S, 0, "")])
        one.wait()
    found = influx.ask("SELECT value FROM fluksometer WHERE kind='gauge' GROUP BY *", db="home")
    tags = {series["tags"]["sensor"]: series["tags"] for series in found}
    assert tags[A] == {
        "sensor": A,
        "function": "my, main=1",
        "type": "electricity",
        "kind": "gauge",
        "series": "2",
        "unit": "L/day",
        "home of": "n° 7, b=c",
    }
    assert tags[B]["function"] == "cellar" and tags[B]["type"] == "water"
    (series,) = victoria.series(f'fluksometer_value{{kind="gauge",sensor="{A}"}}')
    assert series["values"] == [-1.5] and series["metric"]["function"] == "my, main=1"


def test_a_missing_database_waits_and_says_what_helps(influx, line) -> None:
    one = line(influx.url, target={"db": "later"})
    one.send(readings(0, 10))
    wait_until(lambda: one.sink.down, "the refusal")
    assert "database not found" in one.sink.down and "CREATE DATABASE" in one.sink.down
    influx.ask("CREATE DATABASE later")
    one.wait()
    assert influx.values(A, db="later") == expected(readings(0, 10)) and one.told == []


def test_a_wrong_password_waits_and_a_right_one_writes(tmp_path, line) -> None:
    engine = Influx(tmp_path, auth=True)
    try:
        engine.ask("CREATE USER root WITH PASSWORD 'p w' WITH ALL PRIVILEGES")
        engine.ask("CREATE DATABASE home", u="root", p="p w")
        wrong = line(engine.url, authorization=basic("root", "wrong"))
        wrong.send(readings(0, 3))
        wait_until(lambda: wrong.sink.down, "the refusal")
        assert "HTTP 401" in wrong.sink.down and "influx.username" in wrong.sink.down and wrong.sink.cursor == 0
        right = line(engine.url, authorization=basic("root", "p w"))
        right.send(readings(0, 3))
        right.wait()
        assert len(engine.ask("SELECT value FROM fluksometer", db="home", u="root", p="p w")[0]["values"]) == 3
    finally:
        engine.kill()


def test_one_point_that_is_never_taken_costs_itself_alone(influx, line) -> None:
    points = readings(0, 1000)
    points[417] = Point(B, 9, "counter", 2**62, 1, "Wh")  # its time in ns does not fit the engine's 64 bits
    influx.ask("DROP SERIES FROM fluksometer", db="home")
    one = line(influx.url)
    one.send(points)
    one.wait()
    del points[417]
    assert influx.values(A) == expected(points)
    assert one.writer.refused == 1 and "1 readings were refused for good: HTTP 400" in one.told[0]


def test_a_server_that_refuses_everything_loses_nothing(influx, line) -> None:
    influx.ask("CREATE DATABASE conflict")
    influx.get("/write", data=b'fluksometer value="text" 1760000000', db="conflict", precision="s")
    one = line(influx.url, target={"db": "conflict"})
    one.send(readings(0, 500))
    wait_until(lambda: one.sink.down, "the refusal")
    assert "nothing is taken" in one.sink.down and "field type conflict" in one.sink.down
    assert one.sink.cursor == 0 and one.writer.refused == 0


def test_readings_older_than_the_retention_policy_are_counted_and_do_not_block(influx, line) -> None:
    influx.ask("CREATE DATABASE brief WITH DURATION 1d")
    now_s = int(time.time())
    one = line(influx.url, target={"db": "brief"})
    one.send([*readings(0, 50), Point(A, 0, "counter", now_s, 5000, "Wh")])
    one.wait()
    assert influx.values(A, db="brief") == [[now_s, 5.0]]
    assert one.writer.refused == 50 and "retention policy of brief" in one.told[0]


class Elsewhere(http.server.BaseHTTPRequestHandler):
    """A server that is no engine, and one that asks to be left alone."""

    status, body, more = 400, b"<html>no such page</html>", {}

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(self.status)
        for name, value in self.more.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(self.body)))
        self.end_headers()
        self.wfile.write(self.body)

    def log_message(self, *_args) -> None: ...


@pytest.mark.parametrize("status", [301, 400, 404, 413, 500, 503])
def test_a_server_that_is_no_engine_loses_nothing(line, status) -> None:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), type("Other", (Elsewhere,), {"status": status}))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        one = line(f"http://127.0.0.1:{server.server_port}")
        one.send(readings(0, 7))
        wait_until(lambda: one.sink.down, "the refusal")
        assert f"HTTP {status}" in one.sink.down and one.sink.cursor == 0 and one.writer.refused == 0
    finally:
        server.shutdown()
        server.server_close()


def test_what_is_wrong_with_the_address_is_told(line) -> None:
    port = free_port()
    for url, says in (
        (f"http://127.0.0.1:{port}", "refuses the connection: does it run?"),
        ("http://no-such-host.invalid", "is not known by its name"),
    ):
        one = line(url)
        one.send(readings(0, 1))
        wait_until(lambda one=one: one.sink.down, "the reason")
        assert says in one.sink.down
