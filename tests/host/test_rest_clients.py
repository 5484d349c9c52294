"""Clients as they are: curl with the manual's command lines, and the ``tmpo`` package from PyPI, against our own server."""

import json
import shutil
import subprocess

import pytest
from host.histories import SID, START_S, Logger, counter, growth, store_at
from host.rest import CLAMP, Site
from host.tmpo_client import Client, _certificate

from fluksometer.domain.points import Point
from fluksometer.storage.tmpo import StoredHistory

NOW_S = 1_310_042_702  # Thu, 07 Jul 2011 12:45:02 GMT


def curl(*arguments):
    """Its standard output, and the lines that ``-v`` shows."""
    if not shutil.which("curl"):
        pytest.skip("curl is not installed")
    done = subprocess.run(["curl", "-sS", "-v", *arguments], capture_output=True, text=True, timeout=20)
    assert done.returncode == 0, done.stderr
    return done.stdout, done.stderr.replace("\r", "")


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    store = store_at(tmp_path_factory.mktemp("tmpo"))
    times = range(NOW_S - 40 * 86_400, NOW_S, 86_400 // 4)
    store.append([growth(times, (1_440_000 * n for n in range(len(times))), sid=CLAMP)])
    site = Site(StoredHistory(store))
    site.now_s = NOW_S
    site.live.published([Point(CLAMP, 0, "gauge", second, 124_000, "W") for second in range(NOW_S - 70, NOW_S - 1)])
    yield site
    site.close()


def test_example_1(site):
    body, told = curl(
        *("-k", "-X", "GET", "-H", "Accept: application/json", "-H", "X-Version: 1.0", "-H", f"X-Token:{site.token}"),
        f"{site.url}/sensor/{CLAMP}?interval=month&unit=watt",
    )
    values = json.loads(body)
    assert len(values) == 28
    assert all(isinstance(stamp, int) and (isinstance(value, int) or value == "nan") for stamp, value in values)
    for line in ("< HTTP/1.1 200 OK", f"< content-length: {len(body)}", "< content-type: application/json"):
        assert line in told.lower().replace("http/1.1 200 ok", "HTTP/1.1 200 OK")


def test_example_2(site):
    body, _ = curl(
        *("-k", "-X", "GET", "-H", "Accept: application/json", "-H", "X-Version: 1.0", "-H", f"X-Token: {site.token}"),
        f"{site.url}/sensor/{CLAMP}?start=1309478400&end=1309996800&resolution=day&unit=watt",
    )
    assert len(body) == 122
    assert json.loads(body)[-1] == [1_310_083_200, "nan"]


def test_retrieving_sensor_parameters(site):
    body, _ = curl(
        *("-k", "-X", "GET", "-H", "Accept: application/json"),
        f"{site.url}/sensor/{CLAMP}?version=1.0&token={site.token}&param=all",
    )
    assert json.loads(body)["function"] == "main"


def test_retrieving_real_time_sensor_data(site):
    body, told = curl(f"{site.url}/sensor/{CLAMP}?version=1.0&interval=minute&unit=watt&callback=realtime")
    assert body.startswith("realtime([[")
    assert body.endswith(f'[{NOW_S - 2},124],[{NOW_S - 1},"nan"],[{NOW_S},"nan"]]);')
    assert len(json.loads(body[len("realtime(") : -2])) == 60
    assert "< content-type: application/json" in told.lower()


def test_the_tmpo_client_syncs_from_our_own_server(tmp_path):
    log = Logger(tmp_path / "history")
    pem, key = _certificate(tmp_path)
    site = Site(log.history, certificate=(pem, key))
    site.certificate = pem
    client = Client(tmp_path / "client", site)
    try:
        sent = [counter(START_S + second, 637_840 + second / 8) for second in range(3, 700, 7)]
        log.turn(START_S, *sent)
        log.turn(START_S + 772)
        client.call("add", SID, site.token)
        client.call("sync")
        wanted = [[point.time_s, point.milli / 1000] for point in sent]
        assert client.call("series", SID) == wanted
        client.call("sync")
        assert client.call("series", SID) == wanted
        log.turn(START_S + 3 * 4096)
        client.call("sync")
        assert [block[2] for (block,) in client.call("list")] == [12]
        assert client.call("series", SID) == wanted
    finally:
        client.close()
        site.close()
        log.close()
