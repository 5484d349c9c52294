"""Sensors with a voltage, with several clamps, with a direction: what they become, and every fault word for word."""

from fractions import Fraction

import pytest
from host.test_config import LEAST, faults, parse, sensor
from hypothesis import given, settings
from hypothesis import strategies as st

from fluksometer.config import Config, SensorTable
from fluksometer.domain.readings import BoardSettings
from fluksometer.domain.sensors import SensorClass
from fluksometer.faults import FileFaults, check_values

ONE = sensor(port=1, function='"a"')
MAINS = sensor(port=3, function='"mains"', adapter_v="400.5")
IN = sensor(port=1, function='"in"')
OUT = sensor(port=1, function='"out"', direction='"export"')


def made(text):
    return parse(text).sensors(lambda port, kind, direction: f"{port} {kind} {direction}")


def settings_of(text):
    found = parse(text).board_settings()
    return found.clamp_ports, found.pulse_ports, found.voltage_port, found.pairs


def test_a_voltage_gives_every_clamp_a_pair():
    text = IN + OUT + sensor(port=2, function='"b"', phase_deg="2.5") + MAINS
    clamp, out, other, mains = made(text)
    assert (mains.sensor_class, mains.adapter_v, mains.gauge_unit) == (SensorClass.VOLTAGE, Fraction("400.5"), "V")
    assert [one.sensor_id for one in (clamp, out)] == ["1 analog import", "1 analog export"]
    assert (clamp.direction, out.direction, other.phase_deg) == ("import", "export", 2.5)
    assert settings_of(text) == (0b111, 0, 3, 0b110)


@pytest.mark.parametrize(("voltage_port", "pairs"), [(1, 0b011), (2, 0b101), (3, 0b110)])
def test_the_voltage_may_be_on_any_port(voltage_port, pairs):
    text = "".join(
        sensor(port=port, function=f'"{port}"', **({"adapter_v": 400} if port == voltage_port else {}))
        for port in (1, 2, 3)
    )
    assert settings_of(text) == (0b111, 0, voltage_port, pairs)


def test_a_voltage_without_any_clamp_is_enough():
    assert settings_of(MAINS) == (0b100, 0, 3, 0)


def test_what_is_disabled_is_not_measured():
    off = sensor(port=3, function='"mains"', adapter_v=400, enable="false")
    assert settings_of(ONE + off) == (0b001, 0, 0, 0)
    assert settings_of(sensor(port=1, function='"a"', enable="false") + MAINS) == (0b100, 0, 3, 0)
    assert settings_of(sensor(port=1, function='"a"', enable="false")) == (0, 0, 0, 0)


@pytest.mark.parametrize(
    ("keys", "ports", "volts", "pairs"),
    [
        ({"phases": '"3p+n"', "further_ports": "[2, 3]"}, (1, 2, 3), 230, 0),
        ({"phases": '"3p-n"', "further_ports": "[2]", "voltage_v": 220}, (1, 2), 220, 0b001),
        ({"phases": '"3p-n"', "further_ports": "[3]"}, (1, 3), 230, 0b010),
        ({"phases": '"3p-n"', "further_ports": "[2, 3]"}, (1, 2, 3), 230, 0),
        ({"phases": '"3p-n"', "further_ports": "[2]", "rule": '"two-clamp"'}, (1, 2), 230, 0),
        ({"phases": '"3p-n"', "further_ports": "[2, 3]", "rule": '"three-clamp"'}, (1, 2, 3), 133, 0),
    ],
)
def test_a_sensor_of_several_clamps(keys, ports, volts, pairs):
    text = sensor(port=1, function='"house"', **keys)
    (only,) = made(text)
    assert (only.ports, only.voltage_v) == (ports, volts)
    assert settings_of(text) == (sum(1 << (port - 1) for port in ports), 0, 0, pairs)


def test_a_phase_of_its_own_counts_more_than_the_models():
    (only,) = made(sensor(port=1, function='"a"', model='"sct-013-000"', phase_deg="0.0"))
    assert only.phase_deg == 0.0


def test_the_board_table():
    config = parse(LEAST + '[board]\nlinearity = "none"\nmains_hz = 60')
    assert (config.board.linearity, config.board.mains_hz) == ("none", 60)
    assert parse(LEAST).board.linearity == "chip"
    assert parse(LEAST).board_settings() == BoardSettings(
        rate_hz=20_000, clamp_ports=1, pulse_ports=0, voltage_port=0, pairs=0
    )


DIRECTION = "only a clamp beside a sensor of class voltage knows what is exported"
SAME = "same clamp_a or model, and phase_deg, are needed"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (LEAST + "[board]\nmains_hz = 55", ["board.mains_hz: 55 is not allowed: 50 or 60"]),
        (LEAST + '[board]\nlinearity = ""', ["board.linearity: '' is not allowed: 1 to 1024 characters"]),
        (
            sensor(port=1, function='"a"', **{"class": '"voltage"'}),
            ["sensor[0].adapter_v: is missing: so many V of the mains give 1 V at the pin"],
        ),
        (
            sensor(port=1, function='"a"', adapter_v=0),
            ["sensor[0].adapter_v: 0 is not allowed: 1 to 10000, with at most 3 decimals"],
        ),
        (
            sensor(port=4, function='"a"', adapter_v=400),
            ["sensor[0].port: 4 is not allowed: 1 to 3 for a sensor of class voltage"],
        ),
        (
            sensor(port=1, function='"a"', adapter_v=400, type='"gas"'),
            ["sensor[0].type: 'gas' is not allowed: 'electricity' for a sensor of class voltage"],
        ),
        (
            sensor(port=1, function='"a"', adapter_v=400, clamp_a=50),
            ["sensor[0]: keys of more than one class: clamp_a (analog), adapter_v (voltage)"],
        ),
        (
            sensor(port=1, function='"a"', adapter_v=400, voltage_v=230, **{"class": '"voltage"'}),
            ["sensor[0].voltage_v: not for a sensor of class voltage"],
        ),
        (
            sensor(port=4, function='"a"', phase_deg=1),
            ["sensor[0].phase_deg: not for a sensor of class pulse"],
        ),
        (
            sensor(port=1, function='"a"', phase_deg=31.0),
            ["sensor[0].phase_deg: 31.0 is not allowed: -30 to 30"],
        ),
        (
            MAINS + sensor(port=2, function='"again"', adapter_v=400),
            ["sensor[1].class: sensor[0] already measures the voltage"],
        ),
        (MAINS + sensor(port=3, function='"a"'), ["sensor[1].port: 3 is already that of sensor[0]"]),
        (sensor(port=3, function='"a"') + MAINS, ["sensor[1].port: 3 is already that of sensor[0]"]),
        (OUT, [f"sensor[0].direction: {DIRECTION}"]),
        (
            OUT + sensor(port=3, function='"mains"', adapter_v=400, enable="false"),
            [f"sensor[0].direction: {DIRECTION}"],
        ),
        (IN + OUT + MAINS + sensor(port=1, function='"b"'), ["sensor[3].port: 1 is already that of sensor[0]"]),
        (
            sensor(port=1, function='"in"', clamp_a=100) + OUT + MAINS,
            [f"sensor[1]: the clamp on port 1 is that of sensor[0]: {SAME}"],
        ),
        (
            sensor(port=1, function='"in"', model='"sct-013-050"') + OUT + MAINS,
            [f"sensor[1]: the clamp on port 1 is that of sensor[0]: {SAME}"],
        ),
        (
            sensor(port=1, function='"a"', direction='"both"'),
            ["sensor[0].direction: 'both' is not allowed: 'import' or 'export'"],
        ),
        (
            sensor(port=1, function='"a"', phases='"2p"'),
            ["sensor[0].phases: '2p' is not allowed: '1p', '3p+n' or '3p-n'"],
        ),
        (
            sensor(port=1, function='"a"', further_ports="[2]"),
            ["sensor[0].further_ports: only with phases = '3p+n' or '3p-n'"],
        ),
        (
            sensor(port=1, function='"a"', phases='"3p+n"', further_ports="[2]"),
            ["sensor[0].phases: 3p+n needs 3 clamps, not 2; further_ports names the others"],
        ),
        (
            sensor(port=1, function='"a"', phases='"3p-n"'),
            ["sensor[0].phases: 3p-n needs 2 or 3 clamps, not 1; further_ports names the others"],
        ),
        (
            sensor(port=1, function='"a"', phases='"3p-n"', further_ports="[1]"),
            ["sensor[0].further_ports: 1 is already that of sensor[0]"],
        ),
        (
            sensor(port=1, function='"a"', phases='"3p-n"', further_ports="[4]"),
            ["sensor[0].further_ports[0]: 4 is not allowed: 1 to 3"],
        ),
        (
            sensor(port=1, function='"a"', rule='"two-clamp"'),
            ["sensor[0].rule: only with phases = '3p-n'"],
        ),
        (
            sensor(port=1, function='"a"', phases='"3p-n"', further_ports="[2]", rule='"three-clamp"'),
            ["sensor[0].rule: three-clamp needs 3 clamps, not 2"],
        ),
        (
            sensor(port=1, function='"a"', phases='"3p-n"', further_ports="[2]", rule='"two-clamp"', voltage_v=230),
            ["sensor[0].voltage_v: not with a rule that brings its own"],
        ),
        (
            sensor(port=1, function='"a"', phases='"3p-n"', further_ports="[2]")
            + sensor(port=2, function='"b"', constant=1),
            ["sensor[1].port: 2 is already that of sensor[0]"],
        ),
        (
            sensor(port=2, function='"b"', constant=1)
            + sensor(port=1, function='"a"', phases='"3p-n"', further_ports="[2]"),
            ["sensor[1].further_ports: 2 is already that of sensor[0]"],
        ),
        (
            sensor(port=1, function='"a"', phases='"3p-n"', further_ports="[3]") + MAINS,
            ["sensor[1].port: 3 is already that of sensor[0]"],
        ),
    ],
)
def test_each_fault_has_its_path_and_limit(text, expected):
    assert faults(text) == expected


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 500) | st.floats() | st.sampled_from(["1p", "3p-n", "export", "x", ""]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["port", "a"]), inner, max_size=2),
    max_leaves=4,
)
KEYS = st.sampled_from(sorted(field.alias or key for key, field in SensorTable.model_fields.items()))


@settings(max_examples=300, deadline=None)
@given(st.lists(st.dictionaries(KEYS, JUNK, max_size=6) | JUNK, max_size=4), JUNK)
def test_any_types_anywhere_are_faults_and_no_traceback(sensors, board):
    try:
        check_values({"sensor": sensors, "board": board}, Config, source="meter.toml")
    except FileFaults as found:
        assert found.lines()


def test_the_role_of_a_line_is_kept_and_changes_nothing_else():
    text = sensor(port=1, function='"roof"', role='"solar"') + sensor(port=4, function='"s0"', role='"grid"')
    roof, pulses = made(text)
    assert (roof.role, roof.sensor_class, pulses.role) == ("solar", SensorClass.ANALOG, "grid")
    assert made(ONE)[0].role == ""


@pytest.mark.parametrize(
    "text",
    [
        sensor(port=3, function='"mains"', adapter_v="400", role='"grid"'),
        sensor(port=4, function='"gas"', type='"gas"', role='"load"'),
    ],
)
def test_only_electricity_has_a_role(text):
    assert faults(text) == ["sensor[0].role: only for a clamp, or for pulses of electricity"]


def test_an_unknown_role_is_named():
    (fault,) = faults(sensor(port=1, function='"a"', role='"sun"'))
    assert fault == "sensor[0].role: 'sun' is not allowed: 'grid', 'solar', 'battery' or 'load'"
