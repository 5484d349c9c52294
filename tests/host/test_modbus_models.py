"""Register maps: what the file holds is what the makers' documents say, and registers become exact thousandths."""

import struct
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fluksometer.domain.modbus_models import Value, known_model, modbus_models, parse_models, quantity_of
from fluksometer.faults import FileFaults
from house.modbus_meters import TABLES

FORMATS = {"float32": "f", "uint16": "H", "int16": "h", "uint32": "I", "int32": "i", "uint64": "Q", "int64": "q"}


def words(code: str, number: float, *, low_first: bool = False) -> list[int]:
    raw = struct.pack(">" + code, number)
    found = list(struct.unpack(f">{len(raw) // 2}H", raw))
    return found[::-1] if low_first else found


def value(form: str, step: float = 1, order: str = "high first") -> Value:
    return Value.model_validate({"register": 0, "format": form, "step": step, "word_order": order})


@pytest.mark.parametrize("name", sorted(modbus_models()))
def test_a_map_agrees_with_the_meter_that_was_written_down_apart_from_it(name: str) -> None:
    model = modbus_models()[name]
    function, table = TABLES[name]
    assert model.function == function
    for quantity, place in model.values.items():
        there = table[place.first].name.removesuffix("_1" if name == "sdm120" else "")
        assert there == quantity
        raw = table[place.first].pack(12.5)
        assert len(raw) == 2 * place.registers
        number = list(struct.unpack(f">{place.registers}H", raw))
        scale = 1_000_000 if quantity_of(quantity).counts else 1000
        assert place.milli(number, counts=quantity_of(quantity).counts) == round(12.5 * scale)


@pytest.mark.parametrize("name", sorted(modbus_models()))
def test_reads_are_short_enough_and_values_do_not_overlap(name: str) -> None:
    model = modbus_models()[name]
    places = sorted((one.first, one.first + one.registers) for one in model.values.values())
    assert all(end <= begin for (_, end), (begin, _) in pairwise(places))
    assert "import" in model.values and model.document and next(iter(model.values)) == "import"


def test_energy_of_floats_is_whole_watt_hours_and_of_whole_numbers_exact() -> None:
    assert value("float32").milli(words("f", 1234.567), counts=True) == 1_234_567_000
    assert value("uint64", 0.01).milli(words("Q", 123_456_789_012), counts=True) == 1_234_567_890_120_000
    assert value("int32", 0.1, "low first").milli(words("i", -23_456, low_first=True), counts=False) == -2_345_600
    assert value("int16", 0.001).milli(words("h", -1), counts=False) == -1


@pytest.mark.parametrize(
    ("form", "code", "number"),
    [
        ("float32", "f", float("nan")),
        ("float32", "f", float("inf")),
        ("float32", "f", 3e38),
        ("uint16", "H", 0xFFFF),
        ("int16", "h", 0x7FFF),
        ("uint32", "I", 0xFFFFFFFF),
        ("int32", "i", 0x7FFFFFFF),
        ("uint64", "Q", 2**64 - 1),
        ("int64", "q", 2**63 - 1),
    ],
)
def test_what_stands_for_no_number_is_none(form: str, code: str, number: float) -> None:
    assert value(form).milli(words(code, number), counts=False) is None


def test_an_energy_below_zero_is_none() -> None:
    assert value("float32").milli(words("f", -0.5), counts=True) is None


@settings(deadline=None)
@given(form=st.sampled_from(sorted(FORMATS)), raw=st.binary(min_size=8, max_size=8), counts=st.booleans())
def test_any_registers_are_a_number_or_none(form: str, raw: bytes, counts: bool) -> None:
    place = value(form, 0.01)
    milli = place.milli(struct.unpack(f">{place.registers}H", raw[: 2 * place.registers]), counts=counts)
    assert milli is None or (abs(milli) <= 10**18 and not (counts and milli < 0))


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("reads = [[0, 121]]\n[own.values]\n", "count of 1 to 120"),
        ('reads = [[0, 4]]\n[own.values]\nimport = { register = 3, format = "uint32" }\n', "register 3 is in none"),
        ('reads = [[0, 4]]\n[own.values]\nenergy = { register = 0, format = "uint32" }\n', "no such quantity"),
        ('reads = [[0, 4]]\n[own.values]\nimport = { register = 0, format = "bcd" }\n', "format"),
        ('reads = [[0, 4]]\n[own.values]\nimport = { register = 0, format = "int16", step = 0 }\n', "above 0"),
    ],
)
def test_a_wrong_map_names_its_fault(text: str, fault: str) -> None:
    with pytest.raises(FileFaults) as caught:
        parse_models(f'[own]\nname = "x"\ndocument = "y"\nfunction = 3\n{text}', source="modbus.toml")
    assert fault in str(caught.value.faults)


def test_an_unknown_model_is_told_the_nearest() -> None:
    with pytest.raises(ValueError, match="did you mean sdm630"):
        known_model("sdm360")
