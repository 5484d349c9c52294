"""The configuration: defaults, exact numbers, and every fault at once, word for word."""

from fractions import Fraction
from pathlib import Path

import pytest

from fluksometer.config import Config, history_dir, images_dir, read_config, read_login, state_dir
from fluksometer.domain.readings import BoardSettings
from fluksometer.domain.sensors import Medium, SensorClass
from fluksometer.faults import FileFaults, parse_toml
from fluksometer.init_command import EXAMPLE

LEAST = '[[sensor]]\nport = 1\nfunction = "a"\n'


def parse(text):
    return parse_toml(text, Config, source="meter.toml")


def faults(text):
    with pytest.raises(FileFaults) as caught:
        parse(text)
    return caught.value.faults


def sensor(**keys):
    return "[[sensor]]\n" + "".join(f"{key} = {value}\n" for key, value in keys.items())


def test_the_least_file_has_sensible_defaults():
    config = parse(LEAST)
    assert (config.device.name, config.board.port, config.board.rate_hz) == ("fluksometer", "auto", 20_000)
    assert (config.mqtt.broker, config.mqtt.port, config.mqtt.listen_host) == ("embedded", 1883, "127.0.0.1")
    (only,) = config.sensors(lambda port, kind, direction: f"{port}{kind}{direction}")
    assert (only.sensor_id, only.clamp_a, only.voltage_v, only.enabled) == ("1analogimport", 50, 230, True)
    assert config.board_settings() == BoardSettings(rate_hz=20_000, clamp_ports=1, pulse_ports=0)


def test_the_example_is_right_and_names_the_demo_sensors():
    config = parse(EXAMPLE)
    assert [one.function for one in config.sensor] == ["clamp 1", "clamp 2", "clamp 3", "pulse 4", "pulse 5"]
    assert config.board_settings().clamp_ports == 0b111
    assert config.board_settings().pulse_ports == 0b11000


def test_disabled_sensors_are_not_sampled():
    config = parse(sensor(port=2, function='"a"') + sensor(port=4, function='"b"', enable="false"))
    settings = config.board_settings()
    assert (settings.clamp_ports, settings.pulse_ports) == (0b10, 0)


@pytest.mark.parametrize(
    ("keys", "kind"),
    [
        ({"port": 1}, SensorClass.ANALOG),
        ({"port": 2}, SensorClass.ANALOG),
        ({"port": 2, "constant": 1}, SensorClass.PULSE),
        ({"port": 3, "class": '"pulse"'}, SensorClass.PULSE),
        ({"port": 3, "clamp_a": 100}, SensorClass.ANALOG),
        ({"port": 3, "model": '"sct-013-050"'}, SensorClass.ANALOG),
        ({"port": 4}, SensorClass.PULSE),
    ],
)
def test_the_class_follows_class_then_keys_then_port(keys, kind):
    assert parse(sensor(function='"a"', **keys)).sensor[0].sensor_class is kind


@pytest.mark.parametrize(
    ("text", "milli"),
    [("1", 1000), ("0.001", 1), ("0.1", 100), ("2.3", 2300), ("1.001", 1001), ("65535.999", 65_535_999)],
)
def test_constants_are_exact(text, milli):
    assert parse(sensor(port=4, function='"a"', constant=text)).sensor[0].constant_milli == milli


@pytest.mark.parametrize(
    ("text", "a_per_v"),
    [("50", 50), ("60", 60), ("47.6", Fraction(238, 5)), ("0.1", Fraction(1, 10)), ("300.3", Fraction(3003, 10))],
)
def test_clamps_are_exact(text, a_per_v):
    (only,) = parse(sensor(port=1, function='"a"', clamp_a=text)).sensors(lambda *_: "kept")
    assert only.clamp_a == a_per_v
    assert only.phase_deg == 0.0


def test_a_model_stands_for_its_ampere_and_lead():
    text = sensor(port=1, function='"a"', model='"sct-013-000"') + sensor(
        port=2, function='"b"', model='"sct-0750-100"'
    )
    one, two = parse(text).sensors(lambda *_: "kept")
    assert (one.clamp_a, one.phase_deg) == (100, 2.7)
    assert (two.clamp_a, two.phase_deg) == (Fraction("300.3"), 0.0)


def test_an_id_can_be_given():
    config = parse(sensor(port=4, function='"a"', id=f'"{"ab" * 16}"', type='"water"'))
    (only,) = config.sensors(lambda *_: "kept")
    assert (only.sensor_id, only.medium) == ("ab" * 16, Medium.WATER)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ["sensor: is missing"]),
        ("sensor = []", ["sensor: at least one is needed"]),
        ("a = [", ["not TOML: Invalid value (at end of document)"]),
        (LEAST + "[mqt]\n", ["mqt: unknown key"]),
        (LEAST + "clamp = 50\n", ["sensor[0].clamp: unknown key"]),
        (sensor(port=0, function='"a"'), ["sensor[0].port: 0 is not allowed: 1 to 5"]),
        (sensor(port='"1"', function='"a"'), ["sensor[0].port: '1' is not allowed: a valid integer"]),
        (sensor(port=1), ["sensor[0].function: is missing"]),
        (
            sensor(port=1, function='" a"'),
            [
                "sensor[0].function: ' a' is not allowed: 1 to 16 letters, digits, _, spaces or hyphens; "
                "no space or hyphen at the start"
            ],
        ),
        (sensor(port=1, function='"a"', voltage_v=0), ["sensor[0].voltage_v: 0 is not allowed: 1 to 999"]),
        (
            sensor(port=1, function='"a"', clamp_a=0),
            ["sensor[0].clamp_a: 0 is not allowed: 0.1 to 10000, with at most 3 decimals"],
        ),
        (
            sensor(port=1, function='"a"', clamp_a="47.6191"),
            ["sensor[0].clamp_a: 47.6191 is not allowed: 0.1 to 10000, with at most 3 decimals"],
        ),
        (
            sensor(port=1, function='"a"', clamp_a=10_001),
            ["sensor[0].clamp_a: 10001 is not allowed: 0.1 to 10000, with at most 3 decimals"],
        ),
        (sensor(port=1, function='"a"', clamp_a='"50"'), ["sensor[0].clamp_a: '50' is not allowed: a number"]),
        (
            sensor(port=1, function='"a"', model='"sct-013-05"'),
            [
                "sensor[0].model: 'sct-013-05' is not allowed: close names are sct-013-050, sct-013-025, sct-013-015, "
                "sct-013-005; `fluksometer clamps` shows all"
            ],
        ),
        (sensor(port=1, function='"a"', model=50), ["sensor[0].model: 50 is not allowed: a valid string"]),
        (
            sensor(port=1, function='"a"', model='"sct-013-050"', clamp_a=50),
            ["sensor[0]: clamp_a or model, not both: the model already says how many A give 1 V"],
        ),
        (
            sensor(port=4, function='"a"', model='"sct-013-050"', **{"class": '"pulse"'}),
            ["sensor[0].model: not for a sensor of class pulse"],
        ),
        (
            sensor(port=4, function='"a"', constant=0),
            ["sensor[0].constant: 0 is not allowed: 0.001 to 65535.999, with at most 3 decimals"],
        ),
        (
            sensor(port=4, function='"a"', constant="1.0001"),
            ["sensor[0].constant: 1.0001 is not allowed: 0.001 to 65535.999, with at most 3 decimals"],
        ),
        (sensor(port=4, function='"a"', constant="true"), ["sensor[0].constant: True is not allowed: a number"]),
        (
            sensor(port=4, function='"a"', constant="nan"),
            ["sensor[0].constant: nan is not allowed: 0.001 to 65535.999, with at most 3 decimals"],
        ),
        (
            sensor(port=4, function='"a"', type='"heat"'),
            ["sensor[0].type: 'heat' is not allowed: 'electricity', 'gas' or 'water'"],
        ),
        (
            sensor(port=1, function='"a"', type='"gas"'),
            ["sensor[0].type: 'gas' is not allowed: 'electricity' for a sensor of class analog"],
        ),
        (
            sensor(port=1, function='"a"', **{"class": '"uart"'}),
            ["sensor[0].class: 'uart' is not allowed: 'analog', 'voltage' or 'pulse'"],
        ),
        (
            sensor(port=1, function='"a"', constant=1),
            ["sensor[0].port: 1 is not allowed: 2 to 5 for a sensor of class pulse"],
        ),
        (
            sensor(port=5, function='"a"', clamp_a=50),
            ["sensor[0].port: 5 is not allowed: 1 to 3 for a sensor of class analog"],
        ),
        (
            sensor(port=2, function='"a"', clamp_a=50, constant=1),
            ["sensor[0]: keys of more than one class: clamp_a (analog), constant (pulse)"],
        ),
        (
            sensor(port=2, function='"a"', constant=1, **{"class": '"analog"'}),
            ["sensor[0].constant: not for a sensor of class analog"],
        ),
        (
            sensor(port=1, function='"a"') + sensor(port=1, function='"a"'),
            ["sensor[1].port: 1 is already that of sensor[0]", "sensor[1].function: 'a' is already that of sensor[0]"],
        ),
        (sensor(port=1, function='"a"', id='"X"'), ["sensor[0].id: 'X' is not allowed: 32 lower-case hex digits"]),
        (LEAST + "[board]\nrate_hz = 99", ["board.rate_hz: 99 is not allowed: 100 to 100000"]),
        *[
            (
                LEAST + f'[board]\nport = "{port}"',
                [
                    f"board.port: {port!r} is not allowed: 'auto', a path as '/dev/ttyACM0', or 'usb:' and the board's "
                    "USB serial number, as 'usb:e66141040396962a'"
                ],
            )
            for port in ("", "usb:", "usb:/dev/ttyACM0")
        ],
        (LEAST + "[mqtt]\nport = 0", ["mqtt.port: 0 is not allowed: 1 to 65535"]),
        (
            LEAST + '[mqtt]\nbroker = "mqtt://x"',
            ["mqtt.broker: 'mqtt://x' is not allowed: 'embedded', or a host name or address without mqtt:// and port"],
        ),
        (LEAST + '[mqtt]\nbroker = "x"\nlisten = "0.0.0.0"', ['mqtt.listen: only with broker = "embedded"']),
        (
            LEAST + '[mqtt]\nusername = "x"',
            ["mqtt.username: only for another broker; the embedded one asks for no login"],
        ),
        (LEAST + '[mqtt]\nbroker = "x"\npassword_file = "p"', ["mqtt.password_file: needs mqtt.username"]),
        (
            LEAST + '[mqtt]\nlisten = "localhost"',
            ["mqtt.listen: 'localhost' is not allowed: an IPv4 address, as '127.0.0.1', or '0.0.0.0' for all"],
        ),
        (
            LEAST + '[mqtt]\nbroker = "a..b"',
            ["mqtt.broker: 'a..b' is not allowed: 'embedded', or a host name or address without mqtt:// and port"],
        ),
        (
            sensor(port=4, function='"a"', constant="0x" + "f" * 5000),
            [
                "sensor[0].constant: a number of thousands of digits is not allowed: "
                "0.001 to 65535.999, with at most 3 decimals"
            ],
        ),
        (LEAST + '[device]\nname = "a\\u001b"', ["device.name: 'a\\x1b' is not allowed: 1 to 64 printable characters"]),
        (LEAST + '[device]\nname = ""', ["device.name: '' is not allowed: 1 to 64 printable characters"]),
        (LEAST + '[device]\nclock = "ntp"', ["device.clock: 'ntp' is not allowed: 'wait' or 'trust'"]),
        (LEAST + "[device]\nclock = true", ["device.clock: True is not allowed: 'wait' or 'trust'"]),
        ("sensor = 1", ["sensor: 1 is not allowed: a valid list"]),
        ("board = 1\nmqtt = 2\nsensor = [3]", None),
    ],
)
def test_each_fault_has_its_path_and_limit(text, expected):
    found = faults(text)
    assert found == expected if expected else len(found) == 3


def test_the_rate_is_limited_by_the_converter():
    three = "".join(sensor(port=port, function=f'"{port}"') for port in (1, 2, 3))
    assert faults("[board]\nrate_hz = 200000\n" + three) == ["board.rate_hz: 200000 is not allowed: 100 to 100000"]
    for rate_hz, clamps, text in (
        (244, "245 to 100000 with 3 clamps", three),
        (700, "733 to 100000 with 1 clamp", sensor(port=1, function='"a"')),
        (
            300,
            "367 to 100000 with 2 clamps",
            sensor(port=1, function='"a"') + sensor(port=2, function='"b"', adapter_v=9),
        ),
        (244, "245 to 100000 with 3 clamps", sensor(port=1, function='"a"', phases='"3p+n"', further_ports="[2, 3]")),
    ):
        found = faults(f"[board]\nrate_hz = {rate_hz}\n" + text)
        assert found == [f"board.rate_hz: {rate_hz} is not allowed: {clamps}"]
    assert parse("[board]\nrate_hz = 100000\n" + three).board.rate_hz == 100_000


def test_all_faults_are_told_at_once():
    text = (
        "[board]\nrate_hz = 1\n[mqtt]\nport = 0\n"
        + sensor(port=1, function='"a"', voltage_v=0)
        + sensor(port=1, function='"a"', typo=1)
    )
    assert len(faults(text)) == 6


def test_paths_are_relative_to_the_file(tmp_path, monkeypatch):
    file = tmp_path / "meter.toml"
    file.write_text(
        '[device]\nstate = "kept"\n[mqtt]\nbroker = "h"\nusername = "u"\npassword_file = "secret"\n' + LEAST
    )
    config = read_config(file)
    assert state_dir(config, file) == tmp_path / "kept"
    with pytest.raises(FileFaults) as caught:
        read_login(config, file)
    assert caught.value.lines() == [
        f"{file}: mqtt.password_file: {tmp_path / 'secret'} can't be read: No such file or directory"
    ]
    (tmp_path / "secret").write_text("open sesame\n")
    assert read_login(config, file) == ("u", "open sesame")
    monkeypatch.setenv("XDG_STATE_HOME", "/x")
    assert state_dir(parse(LEAST), file) == Path("/x/fluksometer")
    monkeypatch.delenv("XDG_STATE_HOME")
    monkeypatch.setenv("HOME", "/y")
    assert state_dir(parse(LEAST), file) == Path("/y/.local/state/fluksometer")


def test_a_missing_file_is_a_fault(tmp_path):
    with pytest.raises(FileFaults) as caught:
        read_config(tmp_path / "none.toml")
    assert caught.value.lines() == [f"{tmp_path / 'none.toml'}: cannot be read: No such file or directory"]


def test_a_name_may_have_any_letters():
    assert [parse(LEAST + text).device.clock for text in ("", '[device]\nclock = "trust"\n')] == ["wait", "trust"]
    assert parse(LEAST + '[device]\nname = "Zähler im Keller"').device.name == "Zähler im Keller"


def test_a_home_that_is_not_there_is_a_fault_of_its_key(tmp_path):
    config = parse(
        LEAST
        + '[device]\nstate = "~nobody-at-all/x"\n[mqtt]\nbroker="h"\nusername="u"\npassword_file="~nobody-at-all/p"'
    )
    with pytest.raises(FileFaults) as caught:
        state_dir(config, tmp_path / "c")
    assert caught.value.faults == ["device.state: ~nobody-at-all/x: there is no such home directory, name one"]
    with pytest.raises(FileFaults, match="1 fault"):
        read_login(config, tmp_path / "c")


@pytest.mark.parametrize("content", ["", "\n", "one\ntwo\n", "x" * 1025])
def test_a_password_file_holds_one_line(tmp_path, content):
    (tmp_path / "p").write_text(content)
    config = parse(LEAST + '[mqtt]\nbroker = "h"\nusername = "u"\npassword_file = "p"')
    with pytest.raises(FileFaults) as caught:
        read_login(config, tmp_path / "c")
    assert caught.value.faults == [f"mqtt.password_file: {tmp_path / 'p'} must hold one line, the password"]


def test_the_radio_is_off_without_its_table_and_listens_in_the_group_of_the_device():
    assert parse(LEAST).board_settings("ff").radio == 0
    for text, expected in (
        ("[radio]\n", (1, 46)),
        ("[radio]\ngroup = 93\n", (1, 93)),
        ('[radio]\nnetwork = "jeenode"\n', (2, 212)),
    ):
        found = parse(LEAST + text).board_settings("ff" + "0" * 30)
        assert (found.radio, found.radio_group) == expected


def test_where_images_of_kubes_lie(tmp_path):
    state, source = tmp_path / "state", tmp_path / "meter.toml"
    assert images_dir(parse(LEAST + "[radio]\n").radio, state, source) == state / "kubes"
    assert images_dir(parse(LEAST + '[radio]\nimages = "firmware"\n').radio, state, source) == tmp_path / "firmware"


def test_the_heartbeat_follows_a_pulse_port_that_counts():
    four = LEAST + sensor(port=4, function='"b"')
    assert parse(four + "[panel]\nheartbeat_port = 4\n").board_settings().heartbeat_port == 4
    assert parse(four).board_settings().heartbeat_port == 0
    off = LEAST + sensor(port=4, function='"b"', enable="false") + "[panel]\nheartbeat_port = 4\n"
    for text in (LEAST + "[panel]\nheartbeat_port = 4\n", off):
        assert faults(text) == ["panel.heartbeat_port: 4 counts no pulses: it needs a [[sensor]] of class pulse"]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ('[radio]\nnetwork = "zigbee"\n', "radio.network: 'zigbee' is not allowed: 'flukso' or 'jeenode'"),
        ("[radio]\ngroup = 251\n", "radio.group: 251 is not allowed: 1 to 250"),
        ("[panel]\nheartbeat_port = 1\n", "panel.heartbeat_port: 1 is not allowed: 2, 3, 4 or 5"),
        ("[panel]\non_reset = []\n", "panel.on_reset: a program and its arguments, as"),
        ('[panel]\non_reset = "reboot"\n', "panel.on_reset: 'reboot' is not allowed: a valid list"),
    ],
)
def test_faults_of_radio_and_panel(text, fault):
    (found,) = faults(LEAST + text)
    assert found.startswith(fault)


@pytest.mark.parametrize("port", ["auto", "/dev/ttyACM0", "usb:e66141040396962a", "usb:E661", "automatic"])
def test_a_board_is_named_by_path_or_serial_number(port):
    assert parse(LEAST + f'[board]\nport = "{port}"').board.port == port


def test_where_the_history_lies_and_what_has_none(tmp_path) -> None:
    config = parse(f'[device]\nstate = "kept"\n{LEAST}tmpo = false\n')
    source = tmp_path / "meter.toml"
    assert config.tmpo.enable and config.tmpo.most_mb == 4000
    assert history_dir(config, source) == tmp_path / "kept" / "tmpo"
    (sensor,) = config.sensors(lambda *_: "a" * 32)
    assert not sensor.logged
    config = parse(f'[tmpo]\ndirectory = "blocks"\n{LEAST}')
    assert history_dir(config, source) == tmp_path / "blocks" and config.sensors(lambda *_: "a" * 32)[0].logged
