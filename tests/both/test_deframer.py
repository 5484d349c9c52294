# Runs on CPython and on MicroPython.
from shared.deframer import Deframer, LineDeframer
from shared.frame import MAX_LINE, MAX_STUFFED, seal, to_board, to_host

_A, _B = (2, 1, 0, b"first"), (3, 2, 1, b"\x00second\x00")


def _frame(record):
    kind, seq, prev, payload = record
    return bytes(to_host(seal(kind, seq, payload, prev)))


def test_records_text_and_drops_are_told_apart():
    deframer = Deframer()
    stream = (
        b"boot text\r\n"
        + _frame(_A)
        + b"Traceback (most recent call last):\r\n"
        + _frame(_B)
        + b"\x80\x81"
        + _frame(_A)
    )
    assert deframer.push(stream) == [_A, _B, _A]
    assert deframer.take_text() == [b"boot text\r\n", b"Traceback (most recent call last):\r\n"]
    assert deframer.take_text() == []
    assert deframer.dropped == 1


def test_any_chunk_size_gives_the_same_records():
    stream = b">>> " + _frame(_A) + _frame(_B) * 3
    for size in (1, 2, 3, 7, 50):
        deframer = Deframer()
        records = []
        for at in range(0, len(stream), size):
            records += deframer.push(stream[at : at + size])
        assert records == [_A, _B, _B, _B]


def test_a_record_cut_by_a_traceback_keeps_the_words():
    deframer = Deframer()
    assert deframer.push(_frame(_B)[:7] + b"\r\nKeyboardInterrupt: \r\n" + _frame(_A)) == [_A]
    assert deframer.dropped == 1
    assert b"KeyboardInterrupt" in deframer.take_text()[0]


def test_a_prompt_without_a_frame_behind_it_shows_after_a_pause():
    deframer = Deframer()
    assert deframer.push(b"\r\nMicroPython\r\n>>> ") == []
    deframer.flush_text()
    assert deframer.take_text() == [b"\r\nMicroPython\r\n>>> "]


def test_flush_leaves_half_a_frame_alone():
    deframer = Deframer()
    whole = _frame(_B)
    assert deframer.push(whole[:6]) == []
    deframer.flush_text()
    assert deframer.push(whole[6:]) == [_B]


def test_endless_noise_stays_bounded_and_the_next_frame_is_found():
    deframer = Deframer()
    for _ in range(50):
        assert deframer.push(b"\xfe" * 500) == []
        assert len(deframer._held) <= MAX_STUFFED
    assert deframer.push(_frame(_A)) == [_A]
    assert deframer.dropped == 1


def test_lines_to_the_board():
    lines = LineDeframer()
    whole = to_board(seal(0x81, 5, b"settings"))
    assert lines.push(whole[:10]) == []
    assert lines.push(whole[10:] + b"help()\n\n" + whole) == [(0x81, 5, 0, b"settings"), (0x81, 5, 0, b"settings")]
    assert lines.dropped == 1
    for _ in range(10):
        assert lines.push(b"x" * 400) == []
        assert len(lines._held) <= MAX_LINE
    assert lines.push(b"\n" + whole) == [(0x81, 5, 0, b"settings")]
    assert lines.dropped == 2


def test_damaged_lines_are_counted_and_never_raise():
    lines = LineDeframer()
    for line in (b":", b":!!!!", b":QUJD", b"\xff\xfe", b":" + b"A" * 7, b": ", b":===="):
        assert lines.push(line + b"\n") == []
    assert lines.dropped == 7
