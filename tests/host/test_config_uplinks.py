"""The tables [influx], [upload] and [server]: defaults, and every fault by name."""

import pytest

from fluksometer.config import Config
from fluksometer.faults import FileFaults, parse_toml

LEAST = '[[sensor]]\nport = 1\nfunction = "a"\n'


def parse(text):
    return parse_toml(text + LEAST, Config, source="meter.toml")


def faults(text):
    with pytest.raises(FileFaults) as caught:
        parse(text)
    return caught.value.faults


def test_nothing_is_sent_or_listened_to_unless_told():
    config = parse("")
    assert (config.influx, config.upload, config.server) == (None, None, None)
    upload = parse('[upload]\nurl = "https://example.net"\nkey_file = "key"\n').upload
    assert (upload.enable, upload.every_s, upload.sensors) == (False, 300.0, [])
    server = parse("[server]\n").server
    assert (server.enable, server.listen, server.port) == (True, "127.0.0.1", 8090)


def test_where_in_the_engine():
    one = parse('[influx]\nurl = "http://127.0.0.1:8086"\ndatabase = "home"\n').influx
    assert one.target == {"db": "home"} and one.batch_s == 1.0 and one.measurement == "fluksometer"
    two = parse('[influx]\nurl = "https://h/insert/0/influx"\norg = "me"\nbucket = "home"\ntoken_file = "t"\n').influx
    assert two.target == {"org": "me", "bucket": "home"}


@pytest.mark.parametrize(
    ("url", "host", "port", "tls"),
    [("mqtts://h", "h", 8883, True), ("mqtt://h", "h", 1883, False), ("mqtts://[::1]:9", "::1", 9, True)],
)
def test_where_tmpo_goes(url, host, port, tls):
    upload = parse(f'[upload]\nurl = "https://h"\nkey_file = "key"\ntmpo_url = "{url}"\n').upload
    assert (upload.tmpo_host, upload.tmpo_port, upload.tmpo_tls) == (host, port, tls)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('[influx]\ndatabase = "a"\n', "influx.url: is missing"),
        ('[influx]\nurl = "ftp://h"\ndatabase = "a"\n', "influx.url: 'ftp://h' is not allowed: http://"),
        ('[influx]\nurl = "http://u:p@h"\ndatabase = "a"\n', "influx.url: 'http://u:p@h' is not allowed"),
        ('[influx]\nurl = "http://h:99999"\ndatabase = "a"\n', "influx.url: 'http://h:99999' is not allowed"),
        ('[influx]\nurl = "http://h"\n', "influx.database: needed"),
        ('[influx]\nurl = "http://h"\ndatabase = "a"\norg = "b"\nbucket = "c"\n', "influx.database: needed"),
        ('[influx]\nurl = "http://h"\nbucket = "c"\n', "influx.org: org and bucket belong together"),
        ('[influx]\nurl = "http://h"\ndatabase = "a"\nusername = "b"\n', "influx.username: username and password_file"),
        (
            '[influx]\nurl = "http://h"\ndatabase = "a"\nca_file = "b"\n',
            "influx.ca_file: only with an https:// address",
        ),
        ('[influx]\nurl = "http://h"\ndatabase = "a"\ntags = { sensor = "b" }\n', "influx.tags.sensor: every line has"),
        ('[influx]\nurl = "http://h"\ndatabase = "a"\ntags = { x = "" }\n', "influx.tags: at most 16"),
        ('[influx]\nurl = "http://h"\ndatabase = "a"\nbatch_s = 0\n', "influx.batch_s: 0 is not allowed: 0.1 to 3600"),
        ('[upload]\nurl = "https://h"\n', "upload.key_file: is missing"),
        ('[upload]\nurl = "h"\nkey_file = "k"\n', "upload.url: 'h' is not allowed"),
        ('[upload]\nurl = "https://h"\nkey_file = "k"\nsensors = ["a"]\n', "upload.sensors[0]: 'a' is not allowed: 32"),
        ('[upload]\nurl = "https://h"\nkey_file = "k"\ntmpo_url = "https://h"\n', "upload.tmpo_url: 'https://h' is"),
        (
            '[mqtt]\nbroker = "h"\n[upload]\nurl = "https://h"\nkey_file = "k"\ntmpo_url = "mqtt://h"\n',
            "upload.tmpo_url: that is mqtt.broker itself",
        ),
        ('[server]\ncert_file = "a"\n', "server.cert_file: cert_file and key_file belong together"),
        ('[server]\nlisten = "here"\n', "server.listen: 'here' is not allowed"),
    ],
)
def test_every_fault_names_its_key_and_limit(text, says):
    (fault,) = faults(text)
    assert fault.startswith(says), fault
