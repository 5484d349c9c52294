"""Schemathesis calls the bridge as a server: nothing that it thinks of brings a 5xx, a hang, or what is not described."""

import http.client
import json

import pytest
import schemathesis
from host.test_device_server import Place, wait_until
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import CHECKS, load_all_checks

load_all_checks()
EXAMPLES = 30
NOT_OURS = {  # the version may stand in query or header; what is signed with no key of ours is refused, however right it looks
    "missing_required_header",
    "negative_data_rejection",
    "positive_data_acceptance",
    "unsupported_method",
}


@pytest.fixture(scope="module")
def place():
    one = Place()
    wait_until(one.answers, "the server")
    yield one
    one.close()


def description(place):
    connection = http.client.HTTPConnection("127.0.0.1", place.port, timeout=5)
    connection.request("GET", "/openapi.json")
    return json.loads(connection.getresponse().read())


@pytest.mark.parametrize("mode", list(GenerationMode))
@pytest.mark.parametrize("path", ["/sensor/{id}", "/device/{id}"])
def test_every_call_bears_every_question(place, path, mode):
    operation = schemathesis.openapi.from_dict(description(place))[path]["POST"]
    checks = [check for check in CHECKS.get_all() if check.__name__ not in NOT_OURS]
    seen = set()

    @settings(
        max_examples=EXAMPLES, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
    )
    @given(operation.as_strategy(generation_mode=mode))
    def ask(case):
        place.mono_s += 3600  # not too many calls
        response = case.call(base_url=f"http://127.0.0.1:{place.port}", timeout=10)
        seen.add(response.status_code)
        case.validate_response(response, checks=checks)

    ask()
    assert seen and seen <= {400, 401, 404, 405, 413, 414, 431}, seen
    assert place.points == []


def test_all_endpoints_are_described(place):
    assert set(description(place)["paths"]) == {"/sensor/{id}", "/device/{id}", "/openapi.json"}
