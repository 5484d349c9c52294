from array import array
from binascii import crc32

from meter.calibration import Calibration
from shared.layout import RangeError
from shared.records import CALIBRATION, TABLE, TABLE_STEPS

IDENTITY = [max(8 * (code - 2048), -16383) for code in range(4096)]
# Steps nearly as wide as the wire has them, both ways.
BENT = [value + (70 if code % 3 == 1 else 0) - (50 if code % 5 == 2 else 0) for code, value in enumerate(IDENTITY)]
BENT = [min(max(value, -16383), 16383) for value in BENT]


def pieces_of(table, steps=TABLE_STEPS, crc=None):
    """Payloads of the table's records."""
    if crc is None:
        crc = crc32(array("h", table))
    payloads = []
    for first in range(0, 4096, steps + 1):
        piece = table[first : first + steps + 1]
        rests = [after - before - 8 for before, after in zip(piece, piece[1:])]
        payloads.append(TABLE.pack(crc, first, piece[0], bytes([rest & 255 for rest in rests])))
    return payloads


def refusal(call, payload):
    try:
        call(payload)
    except RangeError as error:
        return str(error)
    return None


def in_force(calibration):
    return list(calibration.table), calibration.table_crc


def test_it_begins_as_an_ideal_converter():
    calibration = Calibration()
    assert in_force(calibration) == (IDENTITY, 0) and calibration.crc == 0
    assert calibration.floor_q20 == (0, 0, 0) and calibration.compensation == ((16384, 0),) * 3


def test_a_table_in_pieces_is_in_force_with_the_last_one():
    for steps in (TABLE_STEPS, 999, 64, 4095 // 4):
        calibration = Calibration()
        *early, last = pieces_of(BENT, steps)
        for piece in early:
            assert calibration.take_table(piece) is False
            assert in_force(calibration) == (IDENTITY, 0)
        assert calibration.take_table(last) is True
        assert in_force(calibration) == (BENT, crc32(array("h", BENT)))


def test_a_piece_of_a_single_code():
    calibration = Calibration()
    taken = [calibration.take_table(piece) for piece in pieces_of(IDENTITY, 4094 // 2)]  # 2048 + 2048 codes
    taken += [
        calibration.take_table(piece) for piece in pieces_of(IDENTITY, 819 - 1)
    ]  # 5 x 819 codes, and the last one
    assert taken == [False, True] + [False] * 5 + [True]


def test_pieces_out_of_order_missing_or_of_two_tables_are_refused():
    bent, other = pieces_of(BENT), pieces_of(IDENTITY)
    for pieces, good in (
        (bent[1:], 0),
        ([bent[0], bent[2]], 1),
        ([bent[0], bent[1], bent[1]], 2),
        ([bent[0], other[1]], 1),
        (bent[:-1] + [bent[-2]], len(bent) - 1),
    ):
        calibration = Calibration()
        for piece in pieces[:good]:
            assert refusal(calibration.take_table, piece) is None
        assert "do not fit together" in refusal(calibration.take_table, pieces[good])
        assert in_force(calibration) == (IDENTITY, 0)
        # What follows belongs to nothing any more.
        assert "do not fit together" in refusal(calibration.take_table, bent[-1])


def test_a_first_piece_begins_again():
    calibration = Calibration()
    for piece in pieces_of(IDENTITY)[:2] + pieces_of(BENT):
        done = calibration.take_table(piece)
    assert done and list(calibration.table) == BENT


def test_a_table_with_the_wrong_crc_is_refused_and_the_former_stays():
    calibration = Calibration()
    for piece in pieces_of(BENT):
        calibration.take_table(piece)
    *early, last = pieces_of(IDENTITY, crc=12345)
    for piece in early:
        calibration.take_table(piece)
    assert refusal(calibration.take_table, last) == "table: wrong CRC"
    assert in_force(calibration) == (BENT, crc32(array("h", BENT)))


def test_a_table_beyond_the_limits_is_refused():
    high, low = list(IDENTITY), list(IDENTITY)
    high[4095], low[1] = 16384, -16384
    long = TABLE.pack(1, 4000, 0, bytes(96))
    for table in (high, low):
        calibration = Calibration()
        said = [refusal(calibration.take_table, piece) for piece in pieces_of(table)]
        assert "table: a value beyond 16383" in said
        assert in_force(calibration) == (IDENTITY, 0)
    calibration = Calibration()
    for first in range(0, 4000, 500):
        calibration.take_table(TABLE.pack(1, first, 0, bytes([248] * 499)))
    assert "do not fit together" in refusal(calibration.take_table, long)
    assert "table.value" in refusal(calibration.take_table, b"\x00" * 6 + b"\x00\x80")
    assert refusal(calibration.take_table, b"short")


def test_floors_and_compensation_by_port_and_pair():
    calibration = Calibration()
    payload = CALIBRATION.pack(1, 2, 3, 4, -5, 6, -7, 8, -9)
    calibration.take(payload)
    assert calibration.floor_q20 == (1, 2, 3)
    assert calibration.compensation == ((4, -5), (6, -7), (8, -9))
    assert calibration.crc == crc32(payload)


def test_a_calibration_that_does_not_fit_changes_nothing():
    calibration = Calibration()
    payload = CALIBRATION.pack(1, 2, 3, 4, -5, 6, -7, 8, -9)
    calibration.take(payload)
    for wrong in (payload[:-1], payload + b"\x00", payload[:-4] + b"\x01\x00\x10\x00", b"\xff" * 36):
        assert "calibration" in refusal(calibration.take, wrong)
        assert calibration.floor_q20 == (1, 2, 3) and calibration.crc == crc32(payload)
