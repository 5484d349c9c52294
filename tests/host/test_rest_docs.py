"""docs/rest.md names every endpoint, unit, metric, status and limit."""

import re

from host.rest import Site
from places import ROOT

from fluksometer.domain import prometheus
from fluksometer.domain.history_query import DEPTHS, RANGES, ROWS_MOST
from fluksometer.domain.rest_units import AMOUNTS, RATES, UNITS
from fluksometer.web import server
from fluksometer.web.app import endpoints

PAGE = (ROOT / "docs" / "rest.md").read_text()


def test_everything_that_can_be_asked_is_described():
    site = Site()
    site.close()
    for endpoint in endpoints(site.parts):
        assert re.sub(r"\{sid\}", "<id>", endpoint.path).replace("{", "<").replace("}", ">") in PAGE, endpoint.path
        for status in endpoint.answers:
            assert str(status) in PAGE
    for name in (*RANGES, *DEPTHS, *UNITS, *(unit for own in ("Wh", "L") for unit in (*RATES[own], *AMOUNTS[own]))):
        assert f"`{name}`" in PAGE, name


def test_every_metric_is_described():
    source = (ROOT / "host/fluksometer/domain/prometheus.py").read_text()
    names = set(re.findall(r'found\.add\("(\w+)"', source)) | set(prometheus._VOLUMES.values())
    for table in (prometheus._GAUGES, prometheus._COUNTERS):
        names |= {entry[0] for entry in table.values()}
    for table in (prometheus._OF_SINK, prometheus._OF_BOARD):
        names |= {entry[1] for entry in table}
    assert len(names) > 25
    for name in names:
        assert f"`flukso_{name}`" in PAGE, name


def test_the_limits_are_those_of_the_server():
    for text in (
        f"within {server.READ_S:.0f} s",
        f"within {server.WRITE_S:.0f} s",
        f"after {server.IDLE_S} s",
        f"{server.CONNECTIONS_MOST} connections at once, {server.OF_ONE_CLIENT_MOST} of one address",
        f"{ROWS_MOST} values",
    ):
        assert text in PAGE, text
