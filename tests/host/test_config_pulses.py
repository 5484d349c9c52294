"""Presets of pulse inputs, and which terminals of a model take what."""

import pytest
from host.test_config import LEAST, faults, parse, sensor

from fluksometer.config_pulses import PRESETS
from fluksometer.domain.readings import BoardSettings


def settings_of(text) -> BoardSettings:
    return parse(text).board_settings()


def test_a_pulse_sensor_is_s0_unless_it_says_else():
    settings = settings_of(sensor(port=4, function='"a"') + sensor(port=5, function='"b"', preset='"opto"'))
    assert (settings.width_us_4, settings.gap_us_4) == (12_000, 40_000)
    assert (settings.width_us_5, settings.gap_us_5) == (20, 300)
    assert (settings.width_us_2, settings.gap_us_2) == (5000, 0)  # nobody asks


def test_own_width_and_gap_go_before_those_of_the_preset():
    text = sensor(port=2, function='"a"', preset='"reed"', min_width_ms=0.05) + sensor(
        port=3, function='"b"', min_gap_ms=0
    )
    settings = settings_of(text + sensor(port=4, function='"c"', min_width_ms=1000, min_gap_ms=10_000))
    assert (settings.width_us_2, settings.gap_us_2) == (50, 200_000)
    assert settings.pulse_ports == 0b1110  # its keys make it a pulse sensor, on ports 2 and 3 too
    assert (settings.width_us_3, settings.gap_us_3) == (12_000, 0)
    assert (settings.width_us_4, settings.gap_us_4) == (1_000_000, 10_000_000)


def test_a_sensor_that_is_off_sets_nothing():
    assert settings_of(LEAST + sensor(port=4, function='"b"', preset='"reed"', enable="false")).gap_us_4 == 0


@pytest.mark.parametrize(("preset", "width_ms", "pause_ms", "bounce_ms"), [("s0", 30, 30, 10), ("opto", 0.05, 0.95, 0)])
def test_presets_let_the_fastest_meter_of_their_standard_through(preset, width_ms, pause_ms, bounce_ms):
    # EN 62053-31: 30 ms on, 30 ms off at least; after its bounce each level must hold for the width.
    limits = PRESETS[preset]
    assert bounce_ms * 1000 < limits.width_us <= (min(width_ms, pause_ms) - bounce_ms) * 1000
    assert limits.gap_us <= (width_ms + pause_ms) * 1000


MODEL_A, MODEL_B = '[board]\nmodel = "flm02a"\n', '[board]\nmodel = "flm02b"\n'
CLAMP_2, CLAMP_3 = sensor(port=2, function='"c2"', clamp_a=50), sensor(port=3, function='"c3"', clamp_a=50)
PULSE_2, PULSE_3 = sensor(port=2, function='"p2"', constant=1), sensor(port=3, function='"p3"', constant=1)
PULSE_4, PULSE_5 = sensor(port=4, function='"p4"'), sensor(port=5, function='"p5"')
THREE = sensor(port=1, function='"all"', phases='"3p+n"', further_ports=[2, 3])


@pytest.mark.parametrize(
    "text",
    [
        CLAMP_2 + PULSE_3,
        MODEL_A + LEAST + CLAMP_2 + CLAMP_3 + PULSE_4 + PULSE_5,
        MODEL_B + LEAST + CLAMP_2 + CLAMP_3 + PULSE_4 + PULSE_5,
        MODEL_B + LEAST + PULSE_2 + PULSE_3 + PULSE_4 + PULSE_5,
        MODEL_B + LEAST + PULSE_2,
        MODEL_B + CLAMP_2 + PULSE_3.replace("constant", "enable = false\nconstant"),
        MODEL_B + THREE,
    ],
)
def test_what_a_model_takes(text):
    parse(text)


ALIKE = "ports 2 and 3 of model flm02b are both clamps or both pulse inputs"


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (
            MODEL_A + LEAST + PULSE_2 + PULSE_3,
            [
                f"sensor[{place}]: port {port} of model flm02a takes a clamp; pulses go to ports 4 and 5"
                for place, port in ((1, 2), (2, 3))
            ],
        ),
        (MODEL_B + CLAMP_2 + PULSE_3, [f"sensor[1]: {ALIKE}; sensor[0] is the other"]),
        (MODEL_B + PULSE_2 + LEAST + CLAMP_3, [f"sensor[2]: {ALIKE}; sensor[0] is the other"]),
        (
            MODEL_B + PULSE_3 + sensor(port=1, function='"all"', phases='"3p-n"', further_ports=[2]),
            [f"sensor[1]: {ALIKE}; sensor[0] is the other"],
        ),
        (
            LEAST + '[board]\nmodel = "flm03"',
            ["board.model: 'flm03' is not allowed: 'free', 'flm02a' or 'flm02b'"],
        ),
        (
            LEAST + sensor(port=4, function='"b"', preset='"S0"'),
            ["sensor[1].preset: 'S0' is not allowed: 's0', 'reed' or 'opto'"],
        ),
        (
            LEAST + sensor(port=4, function='"b"', min_width_ms=0),
            ["sensor[1].min_width_ms: 0 is not allowed: 0.01 to 1000"],
        ),
        (
            LEAST + sensor(port=4, function='"b"', min_gap_ms=10_001),
            ["sensor[1].min_gap_ms: 10001 is not allowed: 0 to 10000"],
        ),
        (
            sensor(port=1, function='"a"', clamp_a=50, preset='"s0"'),
            ["sensor[0]: keys of more than one class: clamp_a (analog), preset (pulse)"],
        ),
        (
            sensor(port=2, function='"a"', min_gap_ms=1, **{"class": '"analog"'}),
            ["sensor[0].min_gap_ms: not for a sensor of class analog"],
        ),
    ],
)
def test_what_it_does_not(text, wanted):
    assert faults(text) == wanted


@pytest.mark.parametrize(
    ("model", "table", "fault"),
    [
        (MODEL_A, "[p1]\n", "p1: not with model flm02a: its port 6 is RS-485; a P1 cable of the host's own works"),
        (MODEL_A, "[radio]\n", "radio: not with model flm02a: it has none"),
        (MODEL_B, "[rs485]\n", "rs485: not with model flm02b: its port 6 is the smart meter's"),
    ],
)
def test_a_model_lacks_terminals_that_its_original_lacks(model, table, fault):
    assert faults(LEAST + model + table) == [fault]


@pytest.mark.parametrize(
    "text",
    [
        MODEL_A + "[rs485]\n",
        MODEL_A + '[p1]\nport = "/dev/ttyUSB0"\n',
        MODEL_B + "[p1]\n[radio]\n",
        "[p1]\n[radio]\n[rs485]\n",
    ],
)
def test_a_model_has_the_further_terminals_of_its_original(text):
    parse(LEAST + text)
