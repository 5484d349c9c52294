"""Faults of files written by people: all at once, each with its path and limit."""

import pytest

from fluksometer.faults import FileFaults, Table, parse_toml, read_toml


class Lamp(Table):
    watts: int


class Room(Table):
    name: str
    lamps: list[Lamp] = []

    @classmethod
    def cross_faults(cls, values):
        return ["name: too dark a name"] if values.get("name") == "cellar" else []


def faults(text):
    with pytest.raises(FileFaults) as caught:
        parse_toml(text, Room, source="room.toml")
    return caught.value


def test_a_right_file_becomes_values():
    room = parse_toml('name = "hall"\nlamps = [{watts = 3}]', Room, source="room.toml")
    assert (room.name, room.lamps[0].watts) == ("hall", 3)


def test_faults_of_keys_and_between_keys_come_together():
    found = faults('name = "cellar"\nlamps = [{watts = 3}, {watts = "4"}]\nsize = 1')
    assert found.lines() == [
        "room.toml: lamps[1].watts: '4' is not allowed: a valid integer",
        "room.toml: size: unknown key",
        "room.toml: name: too dark a name",
    ]
    assert str(found) == "room.toml: 3 faults"


def test_a_fault_between_keys_alone_is_enough():
    assert faults('name = "cellar"').faults == ["name: too dark a name"]


def test_what_is_missing_is_named():
    assert faults("").faults == ["name: is missing"]


def test_a_file_that_is_no_toml_or_no_text(tmp_path):
    assert faults("name =").faults[0].startswith("not TOML: ")
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    with pytest.raises(FileFaults, match="1 fault"):
        read_toml(tmp_path / "binary", Room)


def test_a_byte_order_mark_is_borne(tmp_path):
    (tmp_path / "room.toml").write_bytes(b'\xef\xbb\xbfname = "hall"')
    assert read_toml(tmp_path / "room.toml", Room).name == "hall"


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("name = 1" + "0" * 5000, "not TOML: Exceeds the limit"),
        ("name = " + "[" * 5000, "not TOML: nested too deep"),
        ("name = 0x" + "f" * 5000, "name: a number of thousands of digits is not allowed: a valid string"),
        ("[name]", "name: a valid string"),
        (
            'name = "a"\n[lamps]\nwatts = 3',
            "lamps: a list of tables is needed: [[lamps]] with two brackets, not [lamps]",
        ),
        ('name = "a"\nlamps = [3]', "lamps[0]: 3 is not allowed: a table"),
        (f'name = "a"\nlamps = "{"x" * 999}"', f"lamps: '{'x' * 79}... is not allowed: a valid list"),
    ],
)
def test_strange_values_are_told_in_a_line(text, fault):
    (found,) = faults(text).faults
    assert found.startswith(fault)
    assert len(found) < 200
