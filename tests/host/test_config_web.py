"""The table [web]: defaults that open nothing, faults with their reason, certificates."""

from fractions import Fraction

import pytest
from host.test_cli import fluksometer
from host.tmpo_client import _certificate

from fluksometer.config import Config, read_certificate
from fluksometer.faults import FileFaults, parse_toml

SENSOR = '[[sensor]]\nport = 1\nfunction = "kitchen"\n'


def config(text):
    return parse_toml(f"{text}\n{SENSOR}", Config, source="meter.toml")


def test_nothing_is_served_without_the_table_and_with_it_on_the_loopback():
    assert config("").web is None
    web = config("[web]").web
    assert (web.listen, web.port, web.names, web.origins, web.price, web.cert_file) == (
        "127.0.0.1",
        8080,
        [],
        [],
        None,
        None,
    )


def test_the_price_is_exact():
    assert config("[web]\nprice_per_kwh = 0.3").web.price == Fraction(3, 10)
    assert config("[web]\nprice_per_kwh = 1").web.price == 1


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ('listen = "localhost"', "web.listen: 'localhost' is not allowed: an IPv4 address"),
        ("port = 0", "web.port: 0 is not allowed: 1 to 65535"),
        ("price_per_kwh = 0", "web.price_per_kwh: 0 is not allowed"),
        ('price_per_kwh = "0.3"', "web.price_per_kwh"),
        ("price_per_kwh = 0.12345", "at most 3 decimals"),
        ('origins = ["dash.example"]', "an origin as 'https://dash.example'"),
        ('origins = ["https://dash.example/path"]', "an origin"),
        ('names = ["http://a"]', "web.names"),
        ('cert_file = "a"', "web.cert_file: needs web.key_file"),
        ('key_file = "a"', "web.key_file: needs web.cert_file"),
        ("tls_port = 1", "web.tls_port: needs web.cert_file"),
        ('cert_file = "a"\nkey_file = "b"\ntls_port = 8080', "web.tls_port: is that of web.port"),
        ("token = 1", "web.token: unknown key"),
    ],
)
def test_faults_name_their_key_and_limit(line, fault):
    with pytest.raises(FileFaults) as raised:
        config(f"[web]\n{line}")
    assert fault in "\n".join(raised.value.faults)


def test_a_certificate_is_looked_at_before_anything_starts(tmp_path):
    _certificate(tmp_path)
    source = tmp_path / "meter.toml"
    whole = '[web]\ncert_file = "server.crt"\nkey_file = "server.key"'
    assert read_certificate(config(whole).web, source) is not None
    (tmp_path / "server.key").write_text("no key")
    source.write_text(f"{whole}\n{SENSOR}")
    done = fluksometer("check", "-c", source)
    assert done.returncode == 2
    assert "web.cert_file" in done.stderr
    with pytest.raises(FileFaults, match="1 fault"):
        read_certificate(config('[web]\ncert_file = "none"\nkey_file = "server.key"').web, source)
