"""Whoever is slow, oversized or malformed gets a 4xx or is cut off, and nobody else notices."""

import contextlib
import http.client
import socket
import time

import pytest
from host.rest import CLAMP, SECTIONS, Site
from host.rig import wait_until
from host.tmpo_client import _certificate

from fluksometer.domain.points import Point
from fluksometer.web import server
from fluksometer.web.app import endpoints
from fluksometer.web.guard import BODY_MOST

HOST = b"Host: 127.0.0.1\r\n"


@pytest.fixture(scope="module")
def site():
    site = Site()
    yield site
    site.close()


def raw(site, data, *, timeout_s=5.0):
    """The head of what comes back, and what comes with it."""
    with socket.create_connection(("127.0.0.1", site.port), timeout=timeout_s) as client:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            client.sendall(data)
        found = b""
        with contextlib.suppress(ConnectionResetError):
            while b"\r\n\r\n" not in found and (part := client.recv(65536)):
                found += part
        return found


def received(client):
    parts = []
    with contextlib.suppress(ConnectionResetError, TimeoutError):
        while part := client.recv(65536):
            parts.append(part)
    return b"".join(parts)


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"GET /metrics?" + b"x" * 5000 + b" HTTP/1.1\r\n" + HOST + b"\r\n", 414),
        (b"GET /metrics HTTP/1.1\r\n" + HOST + b"X: " + b"x" * 17_000 + b"\r\n\r\n", 431),
        (b"GET /metrics HTTP/1.1\r\n" + HOST + b"X: " + b"x" * 400_000, 400),  # never ends
        (b"GET /" + b"x" * 400_000, 400),
        (b"GET /metrics HTTP/1.1\r\n" + HOST + b"Content-Length: 99999999\r\n\r\n", 413),
        (b"GET /metrics HTTP/1.1\r\n" + HOST + b"Content-Length: -1\r\n\r\n", 400),
        (b"GET /metrics HTTP/1.1\r\n" + HOST + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n", 400),
        (b"GET /metrics HTTP/1.1\r\n\r\n", 400),  # no Host
        (b"GET /metrics HTTP/1.1\r\n" + HOST + HOST + b"\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),  # TLS on the plain port
        (b"\x00" * 100 + b"\r\n\r\n", 400),
        (b"GET /metr\xffics HTTP/1.1\r\n" + HOST + b"\r\n", 400),
        (b"GET metrics HTTP/1.1\r\n" + HOST + b"\r\n", 404),
        (b"GET /sensor/../../etc/passwd HTTP/1.1\r\n" + HOST + b"\r\n", 404),
        (b"GET /sensor/%2e%2e?version=1.0 HTTP/1.1\r\n" + HOST + b"\r\n", 400),
        (b"GET /sensor/%00 HTTP/1.1\r\n" + HOST + b"\r\n", 400),
        (b"POST /metrics HTTP/1.1\r\n" + HOST + b"Content-Length: 2\r\n\r\n{}", 405),
        (b"BREW /metrics HTTP/1.1\r\n" + HOST + b"\r\n", 405),
        (b"GET /metrics HTTP/1.1\r\n" + HOST + b"Upgrade: websocket\r\nConnection: Upgrade\r\n\r\n", 200),
    ],
)
def test_oversized_and_malformed_requests_are_answered(site, request_bytes, status):
    answer = raw(site, request_bytes)
    assert answer.split(b"\r\n")[0].split(b" ")[1] == str(status).encode(), answer[:200]
    assert b"Traceback" not in answer
    assert b"site-packages" not in answer
    assert site.get("/metrics").status == 200


def test_a_body_without_end_is_cut_off(site, monkeypatch):
    monkeypatch.setattr(server, "READ_S", 0.5)
    with socket.create_connection(("127.0.0.1", site.port), timeout=5) as client:
        client.sendall(b"GET /metrics HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n")
        began_s = time.monotonic()
        with contextlib.suppress(OSError):
            while time.monotonic() - began_s < 4:
                client.sendall(b"5\r\nabcde\r\n")
                time.sleep(0.05)
        assert time.monotonic() - began_s < 3
    assert BODY_MOST > 0


@pytest.mark.parametrize(
    "host",
    [
        b"127.0.0.1",
        b"127.0.0.1:8080",
        b"[::1]:8080",
        b"raspberrypi",
        b"meter.local",
        b"meter.lan:80",
        b"METER.example.NET:8080",
    ],
)
def test_our_own_names_are_ours(site, host):
    assert b"200 OK" in raw(site, b"GET /metrics HTTP/1.1\r\nHost: " + host + b"\r\nConnection: close\r\n\r\n")


@pytest.mark.parametrize(
    "host", [b"evil.example", b"127.0.0.1.evil.example", b"evil.example:8080", b"local.evil.example", b"a b", b""]
)
def test_a_strangers_name_for_our_address_is_not_served(site, host):
    answer = raw(site, b"GET /api/v1/sensors HTTP/1.1\r\nHost: " + host + b"\r\n\r\n")
    assert answer.split(b" ")[1] in (b"421", b"400")
    assert CLAMP.encode() not in answer


def test_a_request_that_comes_byte_by_byte_is_cut_off(site, monkeypatch):
    monkeypatch.setattr(server, "READ_S", 0.6)
    slow = [socket.create_connection(("127.0.0.1", site.port), timeout=5) for _ in range(20)]
    began_s = time.monotonic()
    alive, number = list(slow), 0
    while alive and time.monotonic() - began_s < 5:
        for client in list(alive):
            try:
                client.sendall(b"G" if number == 0 else b"E" if number == 1 else b"T")
                client.settimeout(0.001)
                if client.recv(1) == b"":
                    alive.remove(client)
            except TimeoutError:
                pass
            except OSError:
                alive.remove(client)
        number += 1
        assert site.get("/metrics").status == 200  # others are served meanwhile
        time.sleep(0.1)
    assert not alive
    assert time.monotonic() - began_s < 3
    for client in slow:
        client.close()


def test_a_connection_that_says_nothing_is_closed(site, monkeypatch):
    monkeypatch.setattr(server, "READ_S", 0.3)
    with socket.create_connection(("127.0.0.1", site.port), timeout=5) as client:
        began_s = time.monotonic()
        assert received(client) == b""
        assert time.monotonic() - began_s < 3


def test_so_many_connections_and_no_more(site):
    waiting = [
        socket.create_connection(("127.0.0.1", site.port), timeout=2) for _ in range(server.OF_ONE_CLIENT_MOST + 10)
    ]
    wait_until(lambda: len(site.server.server_state.connections) <= server.OF_ONE_CLIENT_MOST, "the limit")
    closed = 0
    for client in waiting:
        client.settimeout(0.05)
        try:
            closed += client.recv(1) == b""
        except ConnectionResetError:
            closed += 1
        except TimeoutError:
            pass
        client.close()
    assert closed >= 10
    wait_until(lambda: not site.server.server_state.connections, "they are gone")
    assert site.get("/metrics").status == 200


def test_a_client_that_does_not_read_is_cut_off_and_memory_stays(monkeypatch):
    monkeypatch.setattr(server, "WRITE_S", 0.5)
    site = Site()
    try:
        sections = {str(n): SECTIONS["1"] | {"id": f"{n:032x}", "function": "x" * 1000} for n in range(1000)}
        site.loop.call_soon_threadsafe(site.live.configured, sections)
        wait_until(lambda: len(site.live.all()) == 1000, "many sensors")
        with socket.socket() as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.connect(("127.0.0.1", site.port))
            client.sendall((b"GET /api/v1/sensors HTTP/1.1\r\n" + HOST + b"\r\n") * 20)
            wait_until(lambda: site.server.server_state.connections, "it is connected")
            (connection,) = site.server.server_state.connections
            most = 0
            began_s = time.monotonic()
            while site.server.server_state.connections and time.monotonic() - began_s < 5:
                most = max(most, connection.transport.get_write_buffer_size())
                time.sleep(0.02)
            assert time.monotonic() - began_s < 3
        one = len(site.get("/api/v1/sensors").body)
        assert one > 1_000_000
        assert most < 2 * one  # one answer waits for it, not twenty
    finally:
        site.close()


def test_the_server_ends_at_once_though_somebody_keeps_a_connection(site):
    other = Site()
    with socket.create_connection(("127.0.0.1", other.port), timeout=5) as client:
        client.sendall(b"GET /metrics HTTP/1.1\r\n" + HOST)
        time.sleep(0.2)
        began_s = time.monotonic()
        other.close()
        assert time.monotonic() - began_s < 2


def test_what_breaks_inside_tells_nothing_outside(capfd):
    site = Site(counts=lambda: {}[CLAMP])
    try:
        answer = site.get("/metrics")
        assert (answer.status, answer.text) == (500, "Internal Server Error")
    finally:
        site.close()


def test_every_answer_has_its_safety_headers(site):
    site.live.published([Point(CLAMP, 0, "gauge", int(time.time()), 1000, "W")])
    for target in (
        "/metrics",
        "/api/v1/sensors",
        "/nothing",
        "/openapi.json",
        f"/sensor/{CLAMP}?version=1.0&interval=minute&unit=watt",
    ):
        headers = site.get(target).headers
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Content-Security-Policy"] == "default-src 'none'; frame-ancestors 'none'"
        assert headers["Referrer-Policy"] == "no-referrer"
        assert headers["Cache-Control"] in ("no-store", "no-cache")
        assert "Server" not in headers


def test_nothing_is_served_that_is_not_described(site):
    described = site.get("/openapi.json").text
    for endpoint in endpoints(site.parts):
        assert f'"{endpoint.path}"' in described


def test_who_does_not_finish_the_handshake_is_cut_off(tmp_path, monkeypatch):
    monkeypatch.setattr(server, "READ_S", 0.4)
    secure = Site(certificate=_certificate(tmp_path))
    try:
        with socket.create_connection(("127.0.0.1", secure.port), timeout=5) as client:
            client.sendall(b"\x16\x03\x01")
            began_s = time.monotonic()
            received(client)
            assert time.monotonic() - began_s < 3
    finally:
        secure.close()


def test_what_was_answered_is_counted(site):
    before = dict(site.app.counts)
    for target in ("/metrics", "/nothing"):
        site.get(target)
    assert site.app.counts["answered"] == before.get("answered", 0) + 1
    assert site.app.counts["refused"] == before.get("refused", 0) + 1


def test_an_answer_on_a_kept_connection_does_not_wait_for_an_acknowledgement(site):
    connection = http.client.HTTPConnection("127.0.0.1", site.port, timeout=5)
    took_s = []
    for _ in range(10):
        began_s = time.perf_counter()
        connection.request("GET", "/metrics")
        connection.getresponse().read()
        took_s.append(time.perf_counter() - began_s)
    connection.close()
    assert sorted(took_s)[2] < 0.03  # with Nagle's algorithm all but the first take 40 ms
