"""The bridge as a server: the calls of an original Fluksometer, byte for byte, and what others may not do."""

import asyncio
import http.client
import json
import threading
import time

import pytest
from host.rig import free_port, wait_until

from fluksometer.domain.board_clock import HostTime
from fluksometer.domain.device_server import BODY_MOST, Bucket, Device, Known, Rejected
from fluksometer.domain.flukso_call import compact, digest, measurements_body
from fluksometer.domain.points import Point
from fluksometer.domain.told import ToldBook
from fluksometer.server_desk import ServerDesk
from fluksometer.web.server_routes import listen_for_uploads

KEY, KEY_2 = "0123456789abcdef0123456789abcdef", "f" * 32
DEVICE, DEVICE_2, SENSOR, OWN = "d" * 32, "e" * 32, "5" * 32, "0" * 32
NOW_S = 1_310_047_600
GOLDEN = b'{"measurements":[[1310047446,1006793948],[1310047506,1006793950]]}'
GOLDEN_CALL = (
    b"POST /sensor/" + SENSOR.encode() + b" HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    b"X-Version: 1.0\r\nUser-Agent: Fluksometer v250\r\nConnection: close\r\n"
    b"Content-Length: 66\r\nX-Digest: 8e53783d200e1e622ce36902422e88bd4906fff8\r\n\r\n" + GOLDEN
)


class Place:
    """The real server in a loop of its own; its readings are stored when a test lets them."""

    def __init__(self) -> None:
        self.port, self.now_s, self.mono_s = free_port(), float(NOW_S), 0.0
        self.devices = {DEVICE: Device("cottage", KEY, {}), DEVICE_2: Device("barn", KEY_2, {})}
        self.told, self.points, self.stores = ToldBook(), [], True
        self.desk = ServerDesk(self.told, lambda: self.devices, clock=self.clock, serve=self.listen)
        self.desk.configured({"1": {"id": OWN, "class": "analog"}})
        self._loop = asyncio.new_event_loop()
        self._task: asyncio.Task | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def clock(self) -> HostTime:
        return HostTime(mono_s=self.mono_s, wall_s=self.now_s)

    async def listen(self, desk):
        await listen_for_uploads(desk, "127.0.0.1", self.port, None)

    def _run(self) -> None:
        async def work():
            self._task = asyncio.create_task(self.desk.serve(lambda: self._loop.call_soon(self._step)))
            await asyncio.gather(self._task, return_exceptions=True)

        self._loop.run_until_complete(work())

    def _step(self) -> None:
        self.points += self.desk.step(None, 0.0)[0]
        if self.stores:
            self.desk.state()
            self.desk.saved()

    def close(self) -> None:
        wait_until(lambda: self._task is not None, "the server's task")
        self._loop.call_soon_threadsafe(self._task.cancel)
        self._thread.join(5)

    def call(self, path, body, key=KEY, **headers):
        """(status, headers, body)."""
        wait_until(self.answers, "the server")
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=15)
        given = {"X-Version": "1.0", "X-Digest": digest(key, body)} | {
            k.replace("_", "-"): v for k, v in headers.items()
        }
        connection.request("POST", path, body, {k: v for k, v in given.items() if v is not None})
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()

    def answers(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=1)
        try:
            connection.connect()
        except OSError:
            return False
        connection.close()
        return True

    def measure(self, *pairs, sensor_id=SENSOR, key=KEY, **headers):
        status, more, body = self.call(f"/sensor/{sensor_id}", measurements_body(pairs), key, **headers)
        return status, more.get("WWW-Authenticate") or json.loads(body)["response"]


@pytest.fixture
def place():
    one = Place()
    yield one
    one.close()


def raw(port, data):
    import socket

    with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
        client.sendall(data)
        parts = []
        while part := client.recv(65536):
            parts.append(part)
    return b"".join(parts)


def test_an_original_fluksometer_is_served_byte_for_byte(place):
    wait_until(place.answers, "the server")
    head, _, body = raw(place.port, GOLDEN_CALL).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 ") and body == b'{"response":"ok"}'
    assert place.points == [
        Point(SENSOR, 0, "counter", 1310047446, 1006793948_000, "Wh"),
        Point(SENSOR, 0, "counter", 1310047506, 1006793950_000, "Wh"),
    ]
    assert place.told.sensors[SENSOR].function == "cottage 555555"


def test_a_heartbeat_is_answered_signed_and_byte_for_byte(place):
    place.now_s = 1_310_047_506
    fields = {
        "memtotal": 30000,
        "reset": 1,
        "version": 250,
        "time": 1,
        "uptime": 99,
        "port": 8080,
        "syslog": "",
        "ip": "",
    }
    status, headers, body = place.call(f"/device/{DEVICE}", compact(fields))
    assert (status, body) == (200, b'{"upgrade":0,"timestamp":1310047506}')
    assert headers["X-Digest"] == "aec0e11e6d91ca83b4ce28ef152cde907319116c"
    assert place.desk.state()[f"server {DEVICE}"]["beat"] == [1_310_047_506, 250, 99, 1]
    status, headers, _ = place.call(f"/device/{DEVICE}", compact(fields), KEY_2)
    assert (status, headers["WWW-Authenticate"]) == (401, "Incorrect digest")
    status, headers, _ = place.call(f"/device/{'9' * 32}", compact(fields))
    assert (status, headers["WWW-Authenticate"]) == (401, "No proper provisioning for this device")


def test_a_configuration_is_taken_and_tells_the_unit_and_the_name(place):
    config = compact({"config": {"class": "pulse", "type": "water", "function": "cellar", "constant": 10, "enable": 1}})
    status, _, body = place.call(f"/sensor/{SENSOR}", config)
    assert (status, body) == (204, b"")
    assert place.measure((NOW_S - 5, 7)) == (200, "ok")
    assert place.points == [Point(SENSOR, 0, "counter", NOW_S - 5, 7000, "L")]
    assert place.told.sensors[SENSOR].function == "cottage cellar"


def test_a_reading_is_acknowledged_only_when_it_is_stored(place):
    place.stores = False
    answers = []
    thread = threading.Thread(target=lambda: answers.append(place.measure((NOW_S - 5, 7))))
    thread.start()
    wait_until(lambda: place.points, "the reading")
    time.sleep(0.3)
    assert not answers
    place.stores = True
    place._loop.call_soon_threadsafe(place._step)
    thread.join(5)
    assert answers == [(200, "ok")]


def test_replayed_old_and_future_readings_do_not_count_and_are_counted(place):
    assert place.measure((NOW_S - 20, 10), (NOW_S - 10, 11)) == (200, "ok")
    assert place.measure((NOW_S - 20, 10), (NOW_S - 10, 11), (NOW_S - 5, 12)) == (200, "ok")
    status, said = place.measure((1_234_567_890, 1), (NOW_S + 3600, 99), (NOW_S, 13), (NOW_S - 3 * 366 * 86_400, 1))
    assert (status, said) == (200, "refused: 1 in the future, 2 too old")
    assert [(one.time_s - NOW_S, one.milli) for one in place.points] == [
        (-20, 10_000),
        (-10, 11_000),
        (-5, 12_000),
        (0, 13_000),
    ]
    assert place.measure((NOW_S + 1, 5)) == (200, "ok")  # a total that falls
    assert place.told.refused[SENSOR] == 1 and len(place.points) == 4
    summary = place.desk.summary()
    assert [summary[f"uploads_{what}"] for what in ("taken", "replayed", "old", "future")] == [5, 2, 2, 1]


def test_no_device_speaks_for_the_sensor_of_another_or_of_the_bridge(place):
    assert place.measure((NOW_S - 9, 1)) == (200, "ok")
    assert place.measure((NOW_S - 8, 2), key=KEY_2) == (401, "Incorrect digest")
    assert place.measure((NOW_S - 8, 2), key=KEY_2, sensor_id=OWN) == (401, "No proper provisioning for this sensor")
    assert place.measure((NOW_S - 8, 2), key="9" * 32, sensor_id="7" * 32)[0] == 401
    place.devices = {DEVICE_2: place.devices[DEVICE_2]}  # the first is removed
    assert place.measure((NOW_S - 7, 3)) == (401, "No proper provisioning for this sensor")
    assert place.measure((NOW_S - 7, 3), key=KEY_2)[0] == 401
    assert len(place.points) == 1


def test_two_devices_that_claim_a_new_sensor_at_once_do_not_share_it(place):
    place.desk._known[SENSOR] = Known(DEVICE_2)
    future = asyncio.Future(loop=place._loop)
    from fluksometer.domain.device_server import Call

    place.desk._todo.append((DEVICE, SENSOR, Call([(NOW_S, 1)], 0, None), future))
    assert place.desk.step(None, 0.0)[0] == []
    assert place.desk._unstored.pop()[1].status == 401


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (GOLDEN, {"X_Version": None}, 400),
        (GOLDEN, {"X_Version": "2.0"}, 400),
        (GOLDEN, {"X_Digest": None}, 400),
        (GOLDEN, {"X_Digest": "0" * 40}, 401),
        (GOLDEN, {"X_Digest": "x" * 39}, 400),
        (b"", {}, 400),
        (b"[]", {}, 400),
        (b"{" * 5000, {}, 400),
        (b'{"measurements":[]}', {}, 400),
        (b'{"measurements":[[1310047446,1]],"config":{}}', {}, 400),
        (b'{"measurements":[[1310047446.5,1]]}', {}, 400),
        (b'{"measurements":[[true,1]]}', {}, 400),
        (b'{"measurements":[[1310047446]]}', {}, 400),
        (b'{"measurements":{"1":2}}', {}, 400),
        (b'{"config":[]}', {}, 400),
        (b"x" * (BODY_MOST + 1), {}, 413),
    ],
)
def test_what_is_malformed_is_refused(place, body, headers, status):
    assert place.call(f"/sensor/{SENSOR}", body, **headers)[0] == status
    assert place.points == []


def test_totals_that_are_no_whole_numbers_are_dropped_and_the_others_count(place):
    body = b'{"measurements":[[1310047446,1.5],[1310047447,NaN],[1310047448,true],[1310047449,1e400],[1310047450,7]]}'
    assert place.call(f"/sensor/{SENSOR}", body)[0] == 200
    assert [one.milli for one in place.points] == [7000]
    assert place.desk.summary()["uploads_no_whole_number"] == 4


def test_addresses_that_are_none_are_refused(place):
    assert place.call("/sensor/ABC", GOLDEN)[0] == 400
    assert place.call("/sensor/" + "A" * 32, GOLDEN)[0] == 400
    assert place.call("/nothing", GOLDEN)[0] == 404
    status, _, body = place.call(f"/sensor/{SENSOR}?version=1.0", GOLDEN, X_Version=None)
    assert (status, body) == (200, b'{"response":"ok"}')


def test_the_rate_of_a_device_is_bounded_and_that_of_strangers_too():
    bucket = Bucket(3, 0.5)
    for _ in range(3):
        bucket.take(100.0)
    with pytest.raises(Rejected) as refused:
        bucket.take(100.0)
    assert refused.value.reply.status == 429 and refused.value.reply.headers["Retry-After"] == "3"
    bucket.take(102.0)
    with pytest.raises(Rejected):
        bucket.take(102.0)


def test_a_device_that_calls_too_often_is_told_so(place):
    statuses = [place.measure((NOW_S - 200 + n, n))[0] if n < 120 else None for n in range(120)]
    assert set(statuses) == {200}
    assert place.call(f"/sensor/{SENSOR}", measurements_body([(NOW_S, 999)]))[0] == 429
    assert place.measure((NOW_S, 1), key=KEY_2, sensor_id="6" * 32) == (200, "ok")  # another device is not held up


def test_strangers_wear_nobody_out_but_themselves(place):
    statuses = [place.measure((NOW_S, 1), key="9" * 32, sensor_id=f"{n:032x}")[0] for n in range(100, 120)]
    assert set(statuses) == {401}
    unsigned = place.call(f"/sensor/{'7' * 32}", measurements_body([(NOW_S, 1)]), "9" * 32)
    assert unsigned[0] == 429
    place.mono_s += 10
    for n in range(200, 240):  # new sensors of a device do not count
        assert place.measure((NOW_S, 1), sensor_id=f"{n:032x}") == (200, "ok")
    many = measurements_body([(NOW_S - 9000 + n, n) for n in range(6000)])
    assert place.call(f"/sensor/{'7' * 32}", many)[0] == 413


def test_what_is_known_outlives_the_bridge(place):
    assert place.measure((NOW_S - 9, 1)) == (200, "ok")
    states = json.loads(json.dumps(place.desk.state()))
    again = ServerDesk(ToldBook(), lambda: place.devices, clock=place.clock, serve=place.listen)
    again.restore(states)
    again.step(None, 0.0)
    assert again.state() == states
    assert again._told.sensors[SENSOR].function == "cottage 555555"
