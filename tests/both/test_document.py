# Runs on CPython and on MicroPython. docs/wire.md names every field of every record where it is.
import struct

from shared.frame import WIRE_VERSION
from shared.records import TO_BOARD, TO_HOST
from shared.terminal_records import TO_BOARD as TERMINALS_TO_BOARD
from shared.terminal_records import TO_HOST as TERMINALS_TO_HOST

_TYPES = {"B": "u8", "H": "u16", "I": "u32", "Q": "u64", "b": "i8", "h": "i16", "i": "i32", "q": "i64"}


def _document():
    folder = __file__.rsplit("/", 1)[0] if "/" in __file__ else "."
    with open(folder + "/../../docs/wire.md") as file:
        return file.read()


def _described():
    """{heading: [[place, type, field], ...]} of the records' tables."""
    found, rows = {}, []
    for line in _document().split("\n"):
        if line.startswith("#"):
            rows = found[line[4:]] = []
        elif line.startswith("| ") and line[2:3].isdigit():
            rows.append([cell.strip() for cell in line.split("|")[1:4]])
    return found


def test_every_field_of_every_record_is_described_in_its_place():
    described = _described()
    kinds = (TO_HOST, TO_BOARD, TERMINALS_TO_HOST, TERMINALS_TO_BOARD)
    for layout in [layout for one in kinds for layout in one.values()]:
        at, rows = 0, []
        for name, code, _low, _high in layout.fields:
            rows.append([str(at), _TYPES[code], "`%s`" % name])
            at += struct.calcsize("<" + code)
        if layout.tail:
            rows.append([str(at), "text" if layout.text else "bytes", "`%s`" % layout.tail])
        found = described["0x%02x %s" % (layout.kind, layout.name)]
        assert found[: len(rows)] == rows, (layout.name, found)


def test_the_version_is_that_of_the_document():
    assert "`WIRE_VERSION`, which is %d." % WIRE_VERSION in _document()
