# Runs on CPython and on MicroPython.
import json

from shared import terminal_records
from shared.frame import MAX_PAYLOAD
from shared.layout import RangeError
from shared.records import (
    CALIBRATION,
    CLAMP,
    HELLO,
    PAIR,
    RAW,
    RAW_CODES,
    SETTINGS,
    TABLE,
    TABLE_STEPS,
    TO_BOARD,
    TO_HOST,
)

_LAYOUTS = [
    layout
    for kinds in (TO_HOST, TO_BOARD, terminal_records.TO_HOST, terminal_records.TO_BOARD)
    for layout in kinds.values()
]


def _refusal(call, *values):
    try:
        call(*values)
    except RangeError as error:
        return str(error)
    return None


def _tail(layout, text, raw):
    return [text if layout.text else raw] if layout.tail else []


def _lowest(layout):
    return [field[2] for field in layout.fields] + _tail(layout, "é", b"")


def _highest(layout):
    return [field[3] for field in layout.fields] + _tail(layout, "Pico 2", b"\x00\x80\xff")


def test_every_record_comes_back_at_both_ends_of_its_ranges():
    for layout in _LAYOUTS:
        for values in (_lowest(layout), _highest(layout)):
            assert list(layout.unpack(layout.pack(*values))) == values, layout.name


def test_a_value_outside_its_range_is_refused_by_name():
    for layout in _LAYOUTS:
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
    payload = bytearray(SETTINGS.pack(*_lowest(SETTINGS)))
    payload[4] = 0xFF  # clamp_ports: only three bits are ports
    assert "settings.clamp_ports" in _refusal(SETTINGS.unpack, bytes(payload))


def test_a_tail_that_is_no_text_is_refused():
    payload = HELLO.pack(*_lowest(HELLO)) + b"\xff\xfe"
    assert "hello.model" in _refusal(HELLO.unpack, payload)


def test_records_have_the_sizes_that_the_document_tells():
    sizes = [layout.size for layout in (HELLO, CLAMP, PAIR, RAW, SETTINGS, CALIBRATION, TABLE)]
    assert sizes == [86, 58, 50, 17, 49, 36, 8]
    assert RAW.size + 2 * RAW_CODES <= MAX_PAYLOAD and TABLE.size + TABLE_STEPS <= MAX_PAYLOAD


def test_golden_payloads():
    folder = __file__.rsplit("/", 1)[0] if "/" in __file__ else "."
    with open(folder + "/../vectors/wire.json") as file:
        payloads = json.load(file)["payloads"]
    layouts = {layout.name: layout for layout in _LAYOUTS}
    assert sorted(layouts) == sorted(set([entry["name"] for entry in payloads]))
    for entry in payloads:
        layout, values = layouts[entry["name"]], entry["values"]
        if layout.tail and not layout.text:
            values[-1] = bytes.fromhex(values[-1])
        assert layout.pack(*values).hex() == entry["hex"], entry["name"]
        assert list(layout.unpack(bytes.fromhex(entry["hex"]))) == values, entry["name"]
