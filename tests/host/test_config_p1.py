"""The smart meter in the configuration file: what is asked of the board, and every fault with its path."""

from fractions import Fraction

import pytest
from host.making import make_sensor, make_window

from fluksometer import cli
from fluksometer.config import Config, read_config, read_p1_keys
from fluksometer.domain.sensor_bank import SensorBank
from fluksometer.faults import FileFaults, parse_toml

CLAMP = '[[sensor]]\nport = 1\nfunction = "clamp 1"\n'


def parsed(text, sensors=CLAMP):
    return parse_toml(text + "\n" + sensors, Config, source="meter.toml")


def faults(text, sensors=CLAMP):
    with pytest.raises(FileFaults) as found:
        parsed(text, sensors)
    return found.value.faults


@pytest.mark.parametrize(
    ("text", "on"),
    [
        ("", 0),
        ("[p1]", 1),
        ("[p1]\nenable = false", 0),
        ('[p1]\nport = "board"', 1),
        ('[p1]\nport = "/dev/ttyUSB0"', 0),
    ],
)
def test_the_board_reads_the_port_when_the_table_says_so(text, on):
    assert parsed(text).board_settings().p1 == on


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("[p1]\nport = 3", "p1.port"),
        ('[p1]\nport = ""', "1 to 1024 characters"),
        ("[p1]\nwinter_utc = 15", "-12 to 14"),
        ("[p1]\nbaud = 9600", "p1.baud"),
        ('[p1]\nauthentication_key_file = "k"', "p1.authentication_key_file: needs p1.key_file"),
        ("p1 = 7", "p1"),
    ],
)
def test_faults_of_the_table(text, fault):
    assert any(fault in line for line in faults(text))


@pytest.mark.parametrize(
    ("text", "sensors", "fault"),
    [
        ("", CLAMP + "p1_phase = 1", "sensor[0].p1_phase: needs the table [p1]"),
        ("[p1]\nenable = false", CLAMP + "p1_phase = 1", "needs the table [p1]"),
        ("[p1]", CLAMP + "p1_phase = 4", "1 to 3"),
        ("[p1]", CLAMP + 'p1_phase = 1\nphases = "3p+n"\nfurther_ports = [2, 3]', "only with phases = '1p'"),
        ("[p1]", '[[sensor]]\nport = 4\nfunction = "p"\nclass = "pulse"\np1_phase = 1', "p1_phase: not for a sensor"),
        (
            "[p1]",
            CLAMP + 'p1_phase = 1\n[[sensor]]\nport = 2\nfunction = "mains"\nadapter_v = 400',
            "sensor[0].p1_phase: not beside a sensor of class voltage",
        ),
    ],
)
def test_faults_of_a_clamp_that_takes_the_meters_voltage(text, sensors, fault):
    assert any(fault in line for line in faults(text, sensors))


def test_keys_are_read_beside_the_file_and_a_wrong_one_is_a_fault_of_check(tmp_path, capsys):
    path = tmp_path / "meter.toml"
    path.write_text('[p1]\nkey_file = "key"\n' + CLAMP)
    (tmp_path / "key").write_text("00" * 15 + "FF\n")
    (tmp_path / "key").chmod(0o600)
    keys = read_p1_keys(read_config(path), path)
    assert keys == (bytes(15) + b"\xff", None, "")
    (tmp_path / "key").chmod(0o640)
    assert read_p1_keys(read_config(path), path).open_to_others == str(tmp_path / "key")
    assert cli.main(["check", "-c", str(path)]) == 0
    (tmp_path / "key").write_text("secret")
    assert cli.main(["check", "-c", str(path)]) == 2
    shown = capsys.readouterr().err
    assert "a key is 32 hex digits" in shown and "secret" not in shown


def test_the_voltage_now_in_force_counts_and_the_configured_one_without_it():
    sensor = make_sensor(p1_phase=2, voltage_v=230)
    bank = SensorBank([sensor])
    charge, shown = 0, []
    for second, told in enumerate(({}, {2: Fraction("253")}, {1: Fraction(999)}), 1):
        charge += 248 * 1000 * 8 * 1024
        bank.told_v = told
        bank.take_window(make_window(charge=charge, rms_lsb=248, t_us=second * 1_000_000), float(second))
        shown.append(bank.metered[0].meter.total.uwh)
    assert shown[0] > 0 and shown[2] - shown[1] == pytest.approx(shown[0], abs=1)
    assert shown[1] - shown[0] == pytest.approx(shown[0] * 253 / 230, abs=3)
