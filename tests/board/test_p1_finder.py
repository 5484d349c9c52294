from meter.p1_finder import FAST, SLOW, LineFinder, judge

_TEXT = b"/TST5\\TEST\r\n\r\n1-3:0.2.8(50)\r\n0-0:1.0.0(260110080910W)\r\n1-0:1.8.1(000004.426*kWh)\r\n"
_FRAME = b"\xdb\x08SAG1\x00\x00\x00\x01\x82\x03\x2f\x30\x00\x00\x00\x01" + bytes(range(100, 250))


def _even(data):
    return bytes([byte | (0 if bin(byte).count("1") % 2 == 0 else 0x80) for byte in data])


_NO_TEXT = b"\x00\xf8\x00\xe0\xff\x00\xc0\xfe\x00\x00\xf8\x80" * 10


class _Receiver:
    def __init__(self):
        self.set = []
        self.finder = LineFinder(lambda baud, inverted: self.set.append((baud, inverted)))

    def rest(self, level, looks):
        for _ in range(looks):
            self.finder.look(level)


def test_judging():
    assert judge(_TEXT[:32]) == judge(b"\xfe" + _TEXT[7:38]) == judge(_FRAME[:32]) == "8N1"
    assert judge(_even(_TEXT)[:32]) == "7E1"
    assert judge(_NO_TEXT[:32]) is None and judge(bytes(32)) is None and judge(b"\xff" * 32) is None
    assert judge(_FRAME[14:46]) is None
    assert judge(bytes([byte ^ 0xFF for byte in _TEXT[:32]])) is None


def test_the_resting_level_tells_whether_a_line_is_inverted():
    line = _Receiver()
    assert line.set == [(FAST, True)]
    line.rest(1, 25)
    assert line.finder.inverted
    line.rest(1, 1)
    assert line.set[-1] == (FAST, False) and not line.finder.inverted
    changes = len(line.set)
    line.rest(1, 100)
    assert len(line.set) == changes
    for _ in range(100):  # a telegram on the way, of which bytes come
        line.rest(0, 2)
        line.finder.hear(b"\x00")
        line.rest(1, 9)
    assert len(line.set) <= changes + 1 and not line.finder.inverted
    line.rest(0, 26)
    assert line.set[-1] == (FAST, True)


def test_fast_text_is_found_and_nothing_of_it_is_lost():
    line = _Receiver()
    heard = b"".join([line.finder.hear(_TEXT[at : at + 5]) for at in range(0, len(_TEXT), 5)])
    assert heard == _TEXT and line.finder.found and not line.finder.even and line.finder.baud == FAST


def test_an_encrypted_frame_is_found():
    line = _Receiver()
    assert line.finder.hear(_FRAME) == _FRAME and line.finder.found


def test_slow_text_is_found_within_the_burst_that_gave_nothing():
    line = _Receiver()
    line.rest(0, 40)
    line.rest(1, 2)
    line.rest(0, 1)
    assert line.set == [(FAST, True)]
    line.rest(1, 1)
    assert line.set == [(FAST, True), (SLOW, True)]
    assert line.finder.hear(_even(_TEXT)) == _even(_TEXT)
    assert line.finder.found and line.finder.even and line.finder.baud == SLOW


def test_what_is_no_text_is_heard_slowly_too():
    line = _Receiver()
    assert line.finder.hear(_NO_TEXT) == b"" and not line.finder.found
    assert line.set == [(FAST, True), (SLOW, True)]
    assert line.finder.hear(_even(_TEXT)) == _even(_TEXT) and line.finder.even


def test_each_burst_is_heard_fast_first():
    line = _Receiver()
    line.finder.hear(_FRAME[20:90])  # joined in the middle
    line.finder.hear(_NO_TEXT)
    assert line.set[-1] == (SLOW, True) and len(line.set) == 2  # no second change in one burst
    line.rest(0, 26)
    assert line.set[-1] == (FAST, True) and len(line.set) == 3
    assert line.finder.hear(_FRAME) == _FRAME


def test_a_line_that_is_lost_is_looked_for_anew():
    line = _Receiver()
    line.finder.hear(_TEXT)
    line.finder.restart()
    assert not line.finder.found and line.set[-1] == (FAST, True)
    assert line.finder.hear(_TEXT) == _TEXT
