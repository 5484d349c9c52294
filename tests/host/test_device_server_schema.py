"""Schemathesis calls the bridge as a server: nothing that it thinks of brings a 5xx, a hang, or what is not described."""

import http.client
import json

import pytest
import schemathesis
from host.schema_asking import ask_all
from host.test_device_server import Place, wait_until
from schemathesis import GenerationMode

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

    def later():
        place.mono_s += 3600  # not too many calls

    url = f"http://127.0.0.1:{place.port}"
    seen = ask_all(operation, mode, url, examples=EXAMPLES, not_ours=NOT_OURS, before=later)
    assert seen and seen <= {400, 401, 404, 405, 413, 414, 431}, seen
    assert place.points == []


def test_all_endpoints_are_described(place):
    assert set(description(place)["paths"]) == {"/sensor/{id}", "/device/{id}", "/openapi.json"}
