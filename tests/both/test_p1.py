# Runs on CPython and on MicroPython.
import gc
import os

from shared.crc16 import crc16
from shared.p1 import MAX_FRAME, MAX_LINE, MAX_REGISTERS, NONE, OK, Frame, Parser, Telegram

_VECTORS = __file__.rsplit("/", 2)[0] + "/vectors/p1/"


def _crc(data):
    # Bit by bit, from the definition in DSMR P1 4.0, 5.2: an arithmetic of its own.
    crc = 0
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ 0xA001 if crc & 1 else crc >> 1
    return crc


def _sealed(lines, head=b"/TST5\\TEST"):
    body = head + b"\r\n\r\n" + b"".join([line + b"\r\n" for line in lines]) + b"!"
    return body + b"%04X\r\n" % _crc(body)


def _shape(done):
    return [
        (one.head, one.crc, one.registers, one.left_out) if isinstance(one, Telegram) else bytes(one.data)
        for one in done
    ]


def _pieces(parser, data, size):
    done = []
    for at in range(0, len(data), size):
        done += parser.push(data[at : at + size])
    return done


_LINES = (b"0-0:1.0.0(260801123456S)", b"1-0:1.8.1(000100.500*kWh)", b"1-0:1.7.0(00.244*kW)")
_GOOD = _sealed(_LINES)
_REGISTERS = [
    ("0-0:1.0.0", "260801123456S", None, None, None),
    ("1-0:1.8.1", 100500, "kWh", None, None),
    ("1-0:1.7.0", 244, "kW", None, None),
]
_FRAME = b"\xdb\x08SAGTEST1\x82\x00\x30\x30" + bytes(range(47))


def test_crc_is_that_of_the_standard():
    assert crc16(0, b"123456789") == 0xBB3D  # the check value of CRC-16/ARC
    assert crc16(crc16(0, b"12345"), b"6789") == 0xBB3D
    assert crc16(0, _GOOD[:-6]) == _crc(_GOOD[:-6])


def test_a_telegram():
    assert _shape(Parser().push(_GOOD)) == [("TST5\\TEST", OK, _REGISTERS, 0)]


def test_every_vector_is_the_same_in_any_pieces():
    names = [name for name in os.listdir(_VECTORS) if not name.endswith(".json")]
    assert len(names) > 30
    for name in names:
        with open(_VECTORS + name, "rb") as file:
            data = file.read()
        whole = Parser()
        done = whole.push(data)
        assert len(done) == 1 and whole.bad == 0, name
        for size in (1, 7, 64):
            parser = Parser()
            assert _shape(_pieces(parser, data, size)) == _shape(done) and parser.bad == 0, name


def test_garbage_around_is_skipped():
    parser = Parser()
    noise = b"\x00\xff/\x03noise!12\r\n/ab\r\n\xdb\x08\xdb/"
    assert len(parser.push(noise + _GOOD + noise + _GOOD + noise + _FRAME + noise + _GOOD)) == 4
    assert parser.bad == 0


def test_a_wrong_crc_lets_nothing_out():
    for wrong in (b"0000", b"", b"12345", b"xyz", b"-1", b"0x1", b"1_0"):
        parser = Parser()
        assert parser.push(_GOOD[:-6] + wrong + b"\r\n" + _GOOD) != [] and parser.bad_crc == 1, wrong
        assert parser.bad == 1


def test_a_crc_of_fewer_digits():
    number = 0
    while True:
        number += 1
        data = _sealed((b"1-0:1.8.1(%06d.000*kWh)" % number,))
        if data[-6:-4] == b"00":
            break
    end = len(data) - 6
    assert _shape(Parser().push(data[:end] + data[end:].lstrip(b"0"))) == _shape(Parser().push(data))
    assert len(Parser().push(data[:end] + data[end:].lower())) == 1
    assert len(Parser().push(data[:-2] + b"\x00\r\n")) == 1


def test_no_crc_only_where_meters_have_none():
    old = b"/TST5\\OLD\r\n\r\n1-0:1.8.1(00100.500*kWh)\r\n!\r\n"
    assert [one.crc for one in Parser().push(old)] == [NONE]
    for line in (
        b"0-0:1.0.0(260801123456S)",
        b"1-3:0.2.8(50)",
        b"0-0:96.1.4(50217)",
        b"0-1:24.2.1(260801123456S)(1*m3)",
    ):
        parser = Parser()
        assert parser.push(old.replace(b"!", line + b"\r\n!")) == [] and parser.bad_crc == 1, line
    for line in (b"nonsense", b"1-0:1.8.2(0\x00100.500*kWh)", b"0-1:24.3.0(120515210000)(00)(60)(1)(0-1:24.2.1)(m3)"):
        parser = Parser()
        assert parser.push(old.replace(b"!", line + b"\r\n!")) == [] and parser.bad_form == 1, line
    parser = Parser()
    assert parser.push(b"/TST5\\OLD\r\n\r\n!\r\n") == [] and parser.bad_form == 1


def test_lines_nobody_understands_are_left_out_of_a_telegram_with_crc():
    lines = _LINES + (b"nonsense", b"0-0:96.13.0(\xff\xff)", b"0-0:96.13.0(" + b"3" * 200 + b")")
    assert _shape(Parser().push(_sealed(lines))) == [("TST5\\TEST", OK, _REGISTERS, 3)]
    (whole,) = Parser(max_text=200).push(_sealed(lines))
    assert whole.left_out == 2


def test_a_line_that_is_too_long_costs_only_itself():
    for length in (MAX_LINE - 20, MAX_LINE, MAX_LINE + 1, 3 * MAX_LINE):
        data = _sealed(_LINES[:1] + (b"0-0:96.13.0(" + b"3" * length + b")",) + _LINES[1:])
        for size in (64, 100000):
            assert _shape(_pieces(Parser(), data, size)) == [("TST5\\TEST", OK, _REGISTERS, 1)], length


def test_what_never_ends_is_cut_off_and_the_next_is_found():
    for open_end in (_GOOD[:40], _GOOD[:-3], _GOOD[:30] + b"x" * 10000):
        parser = Parser()
        assert _shape(parser.push(open_end + _GOOD)) == [("TST5\\TEST", OK, _REGISTERS, 0)], open_end
        assert parser.bad == 1


def test_registers_are_bounded_and_counted():
    lines = [b"1-0:1.8.%d(1*kWh)" % number for number in range(MAX_REGISTERS + 9)]
    (telegram,) = Parser().push(_sealed(lines))
    assert len(telegram.registers) == MAX_REGISTERS and telegram.left_out == 9


def test_a_pause_closes_what_is_open():
    parser = Parser()
    assert parser.push(_GOOD[:-2]) == []
    assert _shape(parser.pause()) == [("TST5\\TEST", OK, _REGISTERS, 0)] and parser.bad == 0
    for open_end in (_GOOD[:40], _FRAME[:30], _GOOD[:30] + b"x" * 10000):
        parser.push(open_end)
        assert parser.pause() == []
    assert parser.cut == 3
    assert len(parser.push(_GOOD)) == 1


def test_encrypted_frames_are_found_by_their_length():
    for size in (1, 3, 1000):
        parser = Parser()
        done = _pieces(parser, b"noise" + _FRAME + _FRAME + _GOOD, size)
        assert _shape(done) == [_FRAME, _FRAME, ("TST5\\TEST", OK, _REGISTERS, 0)] and parser.bad == 0
    (frame,) = Parser().push(_FRAME)
    assert isinstance(frame, Frame)


def test_a_head_that_is_no_frame_holds_nothing_up():
    for head in (
        b"\xdb",
        b"\xdb\x09",
        b"\xdb\x08SAGTEST1\x81",
        b"\xdb\x08SAGTEST1\x82\xff\xff\x30",
        b"\xdb\x08SAGTEST1\x82\x00\x01\x30",
        b"\xdb\x08SAGTEST1\x82\x00\x30\x20",
    ):
        parser = Parser()
        assert len(parser.push(head + _GOOD)) == 1, head
        assert parser.bad == 0


def test_memory_is_bounded():
    if not hasattr(gc, "mem_alloc"):
        return  # CPython
    text = b"0-0:96.13.0(" + b"3" * 2048 + b")"
    fat = _sealed(tuple([b"1-0:1.8.%d(0000100.500*kWh)" % number for number in range(MAX_REGISTERS)]) + (text, text))
    assert 7800 < len(fat) < 8192
    usual = _sealed(_LINES + tuple([b"1-0:3%d.7.0(00.244*kW)" % number for number in range(40)]))
    frame = _FRAME[:11] + b"\x1f\xf3\x30" + bytes(MAX_FRAME - 14)
    # Bytes of live heap on this 64-bit machine, where a word is twice as long as on the board.
    for data, most, results in (
        (usual, 8000, 1),
        (fat, 24000, 1),
        (frame, 10000, 1),
        (b"/TST5\r\n" + b"x" * 60000, 4000, 0),
    ):
        parser = Parser()
        chunk = bytearray(64)
        peak, count = _peak(parser, data, chunk)
        assert count == results and peak < most, (len(data), peak)
        gc.collect()
        before = gc.mem_alloc()
        for _ in range(20):
            parser.push(data)
            parser.pause()
        gc.collect()
        assert gc.mem_alloc() - before < 200


def _peak(parser, data, chunk):
    gc.collect()
    before = gc.mem_alloc()
    peak = count = 0
    for at in range(0, len(data), len(chunk)):
        count += len(parser.push(data[at : at + len(chunk)]))
        gc.collect()
        peak = max(peak, gc.mem_alloc() - before)
    return peak, count
