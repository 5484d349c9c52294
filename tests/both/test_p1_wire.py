# Runs on CPython and on MicroPython.
import os

from shared.p1 import NONE, OK, Parser, Telegram
from shared.p1_wire import decode, encode

_VECTORS = __file__.rsplit("/", 2)[0] + "/vectors/p1/"
_REGISTERS = [
    ("1-0:1.8.1", 100500, "kWh", None, None),
    ("1-0:2.7.0", -1250, "kW", None, None),
    ("1-0:1.6.0", 11173, "kW", "230116090000W", None),
    ("0-0:98.1.0", 4329, "kW", "230101000000W", "221205181500W"),
    ("0-0:96.1.1", "4530303334", None, None, None),
    ("0-0:96.13.0", "", None, None, None),
    ("0-1:24.2.3", "00000.000", None, "632525252525W", None),
    ("1-0:9.9.9", 999999999999999999000, "", None, None),
    ("1-0:9.9.8", 0, "a b*c", "150101000000", None),
]
_GOOD = encode(Telegram("TST5\\TEST", OK, _REGISTERS, 3))


def _shape(telegram):
    return (telegram.head, telegram.crc, telegram.registers, telegram.left_out)


def _refused(data, crc=OK):
    try:
        decode(data, crc, 0)
    except ValueError:
        return True
    return False


def test_what_is_sent_arrives():
    assert _shape(decode(_GOOD, OK, 3)) == ("TST5\\TEST", OK, _REGISTERS, 3)
    assert _shape(decode(bytearray(b"ABC5X\n"), NONE, 0)) == ("ABC5X", NONE, [], 0)


def test_the_form_is_the_one_that_is_described():
    assert _GOOD.split(b"\n")[:3] == [b"TST5\\TEST", b"1-0:1.8.1\t100500\tkWh", b"1-0:2.7.0\t-1250\tkW"]
    assert b'\n0-0:96.1.1\t"4530303334\n' in _GOOD and b'\n0-1:24.2.3\t"00000.000\t\t632525252525W\n' in _GOOD
    assert b"\n0-0:98.1.0\t4329\tkW\t230101000000W\t221205181500W\n" in _GOOD


def test_every_vector_arrives():
    count = 0
    for name in sorted(os.listdir(_VECTORS)):
        if name.endswith(".txt"):
            with open(_VECTORS + name, "rb") as file:
                parser = Parser(512, 2048)
                for telegram in parser.push(file.read()) + parser.pause():
                    sent = encode(telegram)
                    assert _shape(decode(sent, telegram.crc, telegram.left_out)) == _shape(telegram), name
                    count += 1
    assert count > 25


def test_anything_else_is_refused():
    head = b"TST5X\n"
    for line in (
        b"\n",
        b"1-0:1.8.1\n",
        b"1-0:1.8.1\t5\n",
        b"1-0:1.8.1\t05\tkWh\n",
        b"1-0:1.8.1\t-0\tkWh\n",
        b"1-0:1.8.1\t5.0\tkWh\n",
        b"1-0:1.8.1\t\tkWh\n",
        b"1-0:1.8.1\t99999999999999999999999\tkWh\n",
        b"1-0:1.8.1\t5\tkWh\t\n",
        b"1-0:1.8.1\t5\tkWh\t2301010000\n",
        b"1-0:1.8.1\t5\tkWh\t230101000000W\t230101000000W\t\n",
        b"1-0:1.8.1*255\t5\tkWh\n",
        b"hello\t5\tkWh\n",
        b"\t5\tkWh\n",
        b'0-0:96.1.1\t"a\t\n',
        b'0-0:96.1.1\t"a\tkWh\t230101000000W\n',
        b'0-0:96.1.1\t"\x80\n',
        b"1-0:1.8.1\t5\tk\x07h\n",
        b"1-0:1.8.1\t5\tkWh",
    ):
        assert _refused(head + line), line
    assert _refused(b"") and _refused(b"TST5X") and _refused(b"TST\xff\n") and _refused(head, "broken")


def test_what_was_damaged_is_refused_or_another_telegram():
    for at in range(len(_GOOD)):
        for byte in (0, 9, 10, 32, 34, 48, 127, 200, _GOOD[at] ^ 1):
            data = bytearray(_GOOD)
            data[at] = byte
            for hurt in (bytes(data), bytes(data[:at])):
                try:
                    telegram = decode(hurt, OK, 0)
                except ValueError:
                    continue
                assert encode(telegram) == hurt
