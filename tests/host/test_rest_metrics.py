"""``/metrics``: a real Prometheus server scrapes it, its own linter reads it."""

import contextlib
import json
import os
import shutil
import subprocess
import urllib.parse
import urllib.request

import pytest
from host.rest import CLAMP, GAS, KUBE, SECTIONS, Site
from host.rig import free_port, wait_until

from fluksometer.domain.live_sensors import LiveSensor
from fluksometer.domain.points import Point
from fluksometer.domain.prometheus import exposition

PATH = os.environ.get("PATH", "") + ":/usr/sbin"
HEALTH = {
    "state": "degraded",
    "qualities": {"good": 2, "uncertain": 1},
    "link": {"up": True, "records": 100, "dropped": 3},
    "board": {"uptime_s": 3600, "heap_free": 60_000, "gap_samples": 12},
    "sinks": {"mqtt": {"up": False, "waiting": 42, "oldest_s": 1.5, "dropped": 7}},
    "ledger": {"state": "ok", "bytes": 4096},
    "clock": {"trusted": True},
    "faults": [{"what": "x"}],
}


def program(name):
    """Skips where it is not there: tools/test installs it."""
    found = shutil.which(name, path=PATH)
    if not found:
        pytest.skip(f"{name} is not installed: tools/setup.sh engines (Debian's package prometheus)")
    return found


@pytest.fixture
def site():
    site = Site(counts=lambda: {"p1_telegrams": 10, "p1_bad_crc": 2, "radio_packets": 5, "p1_port": "board"})
    now_s = int(site.now_s)
    site.health = HEALTH
    site.live.published(
        [
            Point(CLAMP, 0, "gauge", now_s, -230_500, "W"),
            Point(CLAMP, 0, "counter", now_s, 1500, "Wh"),
            Point(GAS, 0, "counter", now_s, 12_345, "L"),
            Point(GAS, 0, "gauge", now_s, 86_400_000, "L/day"),
            Point(KUBE, 0, "gauge", now_s, 21_790, "°C"),
        ]
    )
    yield site
    site.close()


EXPECTED = {
    f'flukso_power_watts{{sensor="{CLAMP}",function="main",type="electricity"}}': -230.5,
    f'flukso_energy_joules_total{{sensor="{CLAMP}",direction="import"}}': 5400.0,
    f'flukso_gas_cubic_meters_total{{sensor="{GAS}"}}': 0.012345,
    f'flukso_flow_cubic_meters_per_second{{sensor="{GAS}"}}': 0.001,
    f'flukso_temperature_celsius{{sensor="{KUBE}",function="attic temperature"}}': 21.79,
    "flukso_health": 1.0,
    "flukso_faults": 1.0,
    'flukso_sensors{quality="good"}': 2.0,
    'flukso_spool_depth{sink="mqtt"}': 42.0,
    'flukso_sink_up{sink="mqtt"}': 0.0,
    'flukso_sink_dropped_total{sink="mqtt"}': 7.0,
    'flukso_link_events_total{what="dropped"}': 3.0,
    'flukso_p1_telegrams_total{result="ok"}': 10.0,
    'flukso_p1_telegrams_total{result="crc"}': 2.0,
    "flukso_board_gap_samples_total": 12.0,
    "flukso_ledger_bytes": 4096.0,
    "flukso_build_info": 1.0,
}


def test_a_prometheus_server_scrapes_it(site, tmp_path):
    config = tmp_path / "prometheus.yml"
    config.write_text(
        "global: {scrape_interval: 1s}\n"
        f"scrape_configs: [{{job_name: home, static_configs: [{{targets: ['127.0.0.1:{site.port}']}}]}}]\n"
    )
    port = free_port()
    command = [program("prometheus"), f"--config.file={config}", f"--storage.tsdb.path={tmp_path / 'data'}"]
    with (tmp_path / "log").open("wb") as log:
        server = subprocess.Popen([*command, f"--web.listen-address=127.0.0.1:{port}"], stdout=log, stderr=log)
    try:

        def ready():
            with contextlib.suppress(OSError):  # refused, or 503 while it starts
                return urllib.request.urlopen(f"http://127.0.0.1:{port}/-/ready", timeout=5).status == 200

        wait_until(ready, lambda: (tmp_path / "log").read_text(), 30)

        def value(query):
            address = f"http://127.0.0.1:{port}/api/v1/query?{urllib.parse.urlencode({'query': query})}"
            with urllib.request.urlopen(address, timeout=5) as answer:
                results = json.load(answer)["data"]["result"]
            assert len(results) <= 1, results
            return float(results[0]["value"][1]) if results else None

        wait_until(lambda: value('up{job="home"}') == 1.0, "a scrape")
        assert {query: value(query) for query in EXPECTED} == EXPECTED
        about = f"time() - flukso_last_reading_timestamp_seconds{{sensor='{CLAMP}'}}"
        assert 0 <= value(about) < 60
    finally:
        server.kill()
        server.wait()


def test_its_linter_finds_nothing(site):
    text = site.get("/metrics").body
    done = subprocess.run([program("promtool"), "check", "metrics"], input=text, capture_output=True, timeout=20)
    assert (done.returncode, done.stdout + done.stderr) == (0, b"")


def test_names_of_people_are_escaped():
    sensor = LiveSensor("1" * 32, {"function": 'a"b\\c\nd', "type": "x"})
    sensor.take(Point("1" * 32, 0, "gauge", 1, 1, "furlong"))
    text = exposition([sensor], {}, {}, "0.1")
    assert 'function="a\\"b\\\\c\\nd"' in text
    assert 'flukso_value{sensor="' in text
    assert 'unit="furlong"} 0.001\n' in text


def test_export_and_what_may_fall():
    def text_of(section, milli=1000):
        sensor = LiveSensor("1" * 32, section)
        sensor.take(Point("1" * 32, 0, "counter", 1, milli, "Wh"))
        return exposition([sensor], {}, {}, "0.1")

    assert 'direction="export"} 3600' in text_of(SECTIONS["1"] | {"direction": "export"})
    assert 'direction="export"}' in text_of({"class": "cosem", "function": "P1 export", "type": "electricity"})
    net = text_of({"class": "cosem", "function": "P1 net", "type": "electricity"}, -2000)
    assert "# TYPE flukso_net_energy_joules gauge" in net
    assert " -7200\n" in net
