"""Schemathesis asks what the description allows, and what it does not: no 5xx, no hang, nothing that is not described."""

import json
import time

import pytest
import schemathesis
from host.histories import growth, store_at
from host.rest import CLAMP, GAS, KUBE, Site
from host.schema_asking import ask_all
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode

from fluksometer.domain.points import Point
from fluksometer.storage.tmpo import StoredHistory
from fluksometer.web.app import endpoints

PATHS = (
    "/sensor/{sid}",
    "/sensor/{sid}/tmpo/sync",
    "/sensor/{sid}/tmpo/{rid}/{lvl}/{bid}",
    "/api/v1/sensors",
    "/api/v1/sensors/{sid}",
    "/api/v1/sensors/{sid}/readings",
    "/api/v1/health",
    "/metrics",
    "/openapi.json",
)
NOT_OURS = {
    # Query parameters and headers may name the same thing: either is right, and neither is required by itself.
    "missing_required_header",
    "negative_data_rejection",
    "positive_data_acceptance",
    "ignored_auth",
    "unsupported_method",
}
EXAMPLES = 40  # of each endpoint


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    store = store_at(tmp_path_factory.mktemp("tmpo"))
    now_s = int(time.time())
    times = range(now_s - 8_000, now_s, 100)
    for sensor_id in (CLAMP, GAS, KUBE):
        store.append([growth(times, range(len(times)), sid=sensor_id)])
    site = Site(StoredHistory(store))
    site.bid = StoredHistory(store).blocks(CLAMP)[0].bid
    site.live.published([Point(CLAMP, 0, "gauge", now_s, 240_000, "W"), Point(CLAMP, 0, "counter", now_s, 7, "Wh")])
    yield site
    site.close()


def described(site, **likely):
    """The description; ``likely``: by parameter the values to choose from, so that there are answers too."""
    description = json.loads(site.get("/openapi.json").text)
    for path in description["paths"].values():
        operation = path["get"]
        for parameter in operation["parameters"]:
            if parameter["name"] in likely:
                parameter |= {"schema": {"enum": likely[parameter["name"]]}, "required": True}
        names = {"X-Version", "X-Token"} if likely else set()  # version and token in one place
        names |= {"callback", "jsonp_callback"}  # what is called JSON then, as by the original, is none
        operation["parameters"] = [one for one in operation["parameters"] if one["name"] not in names]
    return schemathesis.openapi.from_dict(description)


def ask(site, operation, mode):
    """The status codes that came."""
    return ask_all(operation, mode, site.url, examples=EXAMPLES, not_ours=NOT_OURS)


@pytest.mark.parametrize("mode", list(GenerationMode))
@pytest.mark.parametrize("path", PATHS)
def test_every_endpoint_bears_every_question(site, path, mode):
    operation = described(site)[path]["GET"]
    try:
        assert ask(site, operation, mode) <= {200, 400, 401, 404, 406, 414, 431}
    except Unsatisfiable:
        assert mode is GenerationMode.NEGATIVE  # no question can be wrong
        assert not operation.query
        assert not operation.path_parameters


@pytest.mark.parametrize("path", [path for path in PATHS if "{" in path])
def test_answers_are_what_the_description_says(site, path):
    likely = {
        "sid": [CLAMP, GAS, KUBE],
        "version": ["1.0"],
        "token": [site.token],
        "rid": [0, 1],
        "lvl": [8],
        "bid": [site.bid, site.bid - 256],
        "from": ["now-2h", "2026-01-01"],
        "to": ["now", "now-1h"],
        "interval": ["hour", "15min"] if path == "/sensor/{sid}" else ["1h", "1d"],
        "unit": ["watt", "lperday"] if path == "/sensor/{sid}" else ["W", "kWh", "L"],
    }
    operation = described(site, **likely)[path]["GET"]
    assert 200 in ask(site, operation, GenerationMode.POSITIVE)


def test_the_list_of_paths_is_whole(site):
    assert set(PATHS) == {endpoint.path for endpoint in endpoints(site.parts)}
