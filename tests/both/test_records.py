# Runs on CPython and on MicroPython.
import json

from shared.records import CLAMP, HELLO, SETTINGS, TO_BOARD, TO_HOST, RangeError


def _refusal(call, *values):
    try:
        call(*values)
    except RangeError as error:
        return str(error)
    return None


def _lowest(layout):
    return [field[2] for field in layout.fields] + (["é"] if layout.tail else [])


def _highest(layout):
    return [field[3] for field in layout.fields] + (["Pico 2"] if layout.tail else [])


def test_every_record_comes_back_at_both_ends_of_its_ranges():
    for layout in list(TO_HOST.values()) + list(TO_BOARD.values()):
        for values in (_lowest(layout), _highest(layout)):
            assert list(layout.unpack(layout.pack(*values))) == values, layout.name


def test_a_value_outside_its_range_is_refused_by_name():
    for layout in list(TO_HOST.values()) + list(TO_BOARD.values()):
        for index, field in enumerate(layout.fields):
            for value in (field[2] - 1, field[3] + 1):
                values = _lowest(layout)
                values[index] = value
                assert "%s.%s:" % (layout.name, field[0]) in (_refusal(layout.pack, *values) or ""), field


def test_a_payload_of_the_wrong_length_is_refused():
    payload = CLAMP.pack(*_lowest(CLAMP))
    assert _refusal(CLAMP.unpack, payload[:-1])
    assert _refusal(CLAMP.unpack, payload + b"\x00")
    assert _refusal(SETTINGS.unpack, b"")


def test_a_payload_with_a_field_outside_its_range_is_refused():
    payload = bytearray(SETTINGS.pack(20000, 7, 24, 5000))
    payload[4] = 0xFF  # clamp_ports: only three bits are ports
    assert "settings.clamp_ports" in _refusal(SETTINGS.unpack, bytes(payload))


def test_a_tail_that_is_no_text_is_refused():
    payload = HELLO.pack(*_lowest(HELLO)) + b"\xff\xfe"
    assert "hello.model" in _refusal(HELLO.unpack, payload)


def test_golden_payloads():
    folder = __file__.rsplit("/", 1)[0] if "/" in __file__ else "."
    with open(folder + "/../vectors/wire.json") as file:
        payloads = json.load(file)["payloads"]
    layouts = {layout.name: layout for layout in list(TO_HOST.values()) + list(TO_BOARD.values())}
    assert sorted(layouts) == sorted([entry["name"] for entry in payloads])
    for entry in payloads:
        assert layouts[entry["name"]].pack(*entry["values"]).hex() == entry["hex"], entry["name"]
