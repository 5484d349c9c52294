"""Clamps by name: numbers that agree with each other and have a source."""

import re
from fractions import Fraction
from math import sqrt

import pytest

from fluksometer.domain.clamp_models import ClampFile, clamp_models, known_model
from fluksometer.faults import FileFaults, parse_toml

MODELS = clamp_models()
E24 = (10, 11, 12, 13, 15, 16, 18, 20, 22, 24, 27, 30, 33, 36, 39, 43, 47, 51, 56, 62, 68, 75, 82, 91)
E96 = tuple(round(100 * 10 ** (step / 96)) for step in range(96))

CURRENT = """\
[clamp.some]
maker = "M"
rated_a = 100
kind = "current"
turns = 2000
secondary_ma = 50
burden_ohm = 20
a_per_v = 100
source = "S"
"""
VOLTAGE = """\
[clamp.some]
maker = "M"
rated_a = 50
kind = "voltage"
output_mv = 333
a_per_v = 150.15
source = "S"
"""


def faults(text):
    with pytest.raises(FileFaults) as caught:
        parse_toml(text, ClampFile, source="clamps.toml")
    return caught.value.faults


def test_many_models_are_there_and_some_have_a_measured_lead():
    assert len(MODELS) >= 18
    assert MODELS["sct-013-000"].a_per_v == 100
    assert {name for name, model in MODELS.items() if model.phase_deg} >= {"sct-013-000", "ecs1050", "ecs24200"}


@pytest.mark.parametrize("name", MODELS)
def test_a_model_can_be_wired_to_the_input(name):
    model = MODELS[name]
    assert re.fullmatch(r"[a-z0-9]+([-.][a-z0-9]+)*", name)
    assert float(model.rated_v) * sqrt(2) < 1.65, "its crest leaves the input"
    assert model.rated_v >= Fraction(1, 5), "it uses too little of the input"
    assert (model.a_per_v * 1000).denominator == 1, "clamp_a takes three decimals"
    assert Fraction(1, 10) <= model.a_per_v <= 10_000


@pytest.mark.parametrize("name", [name for name, model in MODELS.items() if model.kind == "current"])
def test_burdens_can_be_bought(name):
    ohm = MODELS[name].burden_ohm
    while ohm >= 100:
        ohm /= 10
    assert ohm in E24 or ohm * 10 in E96


@pytest.mark.parametrize("name", MODELS)
def test_every_number_has_a_source(name):
    model = MODELS[name]
    assert "https://" in model.source or "http://" in model.source or "data sheet" in model.source
    if model.phase_deg is not None:
        assert 0 < model.phase_deg < 10
        assert "p50" in (model.phase_source or model.source), "measured at 50 Hz"
        assert model.burden_ohm == 20, "measured with 20 ohm"


def test_numbers_are_exact():
    model = parse_toml(VOLTAGE, ClampFile, source="clamps.toml").clamp["some"]
    assert model.a_per_v == Fraction("150.15")
    assert model.output_mv == 333


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (CURRENT.replace("burden_ohm = 20", "burden_ohm = 22"), "a_per_v is 100, its other numbers make it 90.909"),
        (CURRENT.replace("turns = 2000", "turns = 1000"), "secondary_ma is 50, its turns make it 100"),
        (
            CURRENT.replace("burden_ohm = 20\n", ""),
            "a current output has turns, secondary_ma and burden_ohm, and no output_mv",
        ),
        (VOLTAGE.replace("150.15", "150.151"), "a_per_v is 150.151, its other numbers make it 150.150"),
        (VOLTAGE + "turns = 1", "a voltage output has output_mv, and no turns, secondary_ma or burden_ohm"),
    ],
)
def test_numbers_that_disagree_are_a_fault(text, fault):
    assert faults(text) == [f"clamp.some: {fault}"]


@pytest.mark.parametrize("value", ["0", "-1", '"20"', "true", "inf"])
def test_only_numbers_above_zero_are_numbers(value):
    assert len(faults(CURRENT.replace("rated_a = 100", f"rated_a = {value}"))) == 1


def test_a_source_is_needed():
    assert faults(VOLTAGE.replace('source = "S"\n', "")) == ["clamp.some.source: is missing"]


def test_unknown_names_are_answered_with_close_ones():
    assert known_model("sct-013-050") == "sct-013-050"
    with pytest.raises(ValueError, match=r"^close names are sct-013-050, .*; `fluksometer clamps` shows all$"):
        known_model("SCT013-050")
    with pytest.raises(ValueError, match=r"^no name of a clamp; `fluksometer clamps` shows all$"):
        known_model("!")
