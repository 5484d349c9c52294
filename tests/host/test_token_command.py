"""``fluksometer token``: shown once, kept as a hash, gone when removed; a running bridge knows at once."""

import json
import re
import stat

import pytest
from host.test_cli import fluksometer
from host.test_rest_bridge import fetch, web
from host.test_service import ids

from fluksometer.adapters.token_file import TokenFile
from fluksometer.domain import api_tokens
from fluksometer.domain.api_tokens import allows, dump_tokens, load_tokens, new_token, opens
from fluksometer.errors import StateFault


def test_a_token_opens_its_sensor_or_all():
    one, kept_one = new_token("a" * 32, "one", 5)
    every, kept_every = new_token(None, "all", 6)
    kept = [kept_one, kept_every]
    assert allows(kept, one, "a" * 32)
    assert not allows(kept, one, "b" * 32)
    assert allows(kept, every, "b" * 32)
    for wrong in ("", one[:-1], one.upper(), kept_one.sha256, "é" * 32):
        assert not opens(kept, wrong)
    assert load_tokens(dump_tokens(kept)) == kept
    assert one not in dump_tokens(kept)


def test_every_kept_token_is_compared_in_constant_time(monkeypatch):
    compared = []
    compare = api_tokens.hmac.compare_digest
    monkeypatch.setattr(api_tokens.hmac, "compare_digest", lambda a, b: compared.append(a) or compare(a, b))
    made = [new_token(None, "", 0) for _ in range(5)]
    kept = [one for _, one in made]
    opens(kept, made[0][0])
    assert compared == [one.sha256 for one in kept]  # also behind the one that fits


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"tokens":1}',
        '{"tokens":[{}]}',
        '{"tokens":[{"sha256":"x","sensor_id":null,"name":"","made_s":1}]}',
        "[",
    ],
)
def test_a_damaged_file_lets_nobody_in(tmp_path, text):
    (tmp_path / "tokens.json").write_text(text)
    with pytest.raises(StateFault, match="tokens"):
        TokenFile(tmp_path).read()


def test_new_ls_and_rm_beside_a_running_bridge(rig):
    rig.use("embedded")
    _bridge, base = web(rig)
    config = rig.folder / "meter.toml"
    sensor = ids(rig)
    every = fluksometer("token", "-c", config, "new", "--name", "dash board").stdout.strip()
    one = fluksometer("token", "-c", config, "new", "--sensor", "clamp 2").stdout.strip()
    assert re.fullmatch("[0-9a-f]{32}", every)
    assert re.fullmatch("[0-9a-f]{32}", one)
    path = rig.folder / "state" / "tokens.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert every not in path.read_text()

    def status(port, token):
        return fetch(f"{base}/sensor/{sensor[port]}?param=all&version=1.0&token={token}")[0]

    assert [status(1, every), status(2, every), status(2, one), status(1, one), status(1, "0" * 32)] == [
        200,
        200,
        200,
        401,
        401,
    ]
    listed = fluksometer("token", "-c", config, "ls").stdout.splitlines()
    assert len(listed) == 2
    assert "all sensors" in listed[0]
    assert "dash board" in listed[0]
    assert "clamp 2" in listed[1]
    assert fluksometer("token", "-c", config, "rm", listed[0].split()[0]).returncode == 0
    assert status(1, every) == 401
    assert status(2, one) == 200
    assert fluksometer("token", "-c", config, "rm", "12345678").returncode == 1
    wrong = fluksometer("token", "-c", config, "new", "--sensor", "nowhere")
    assert (wrong.returncode, wrong.stdout) == (1, "")
    assert "'clamp 1'" in wrong.stderr


def test_a_sensor_of_the_smart_meter_is_named_by_its_id(rig):
    rig.use("embedded")
    config = rig.write_config()
    assert fluksometer("token", "-c", config, "new", "--sensor", "f" * 32).returncode == 0
    (kept,) = json.loads((rig.folder / "state" / "tokens.json").read_text())["tokens"]
    assert kept["sensor_id"] == "f" * 32
