"""Which lines a person sees."""

import structlog
from host.making import make_hello, make_pair, make_window

from fluksometer.adapters.event_log import EventLog
from fluksometer.domain.link_events import (
    BoardAtPrompt,
    BoardLogged,
    BoardSaidHello,
    FramesDropped,
    PairClosed,
    RawCame,
    RecordsLacking,
    TextSeen,
    WindowClosed,
    WireVersionDiffers,
)
from fluksometer.domain.readings import BoardLog, RawCodes

HELLO = make_hello()


def shown(*events):
    with structlog.testing.capture_logs() as lines:
        log = EventLog(structlog.get_logger())
        for event in events:
            if event is None:
                log.begin_period()
            else:
                log.show(event)
    return lines


def test_hello_tells_who_the_board_is():
    (line,) = shown(BoardSaidHello(HELLO, True))
    assert (line["event"], line["chip"], line["clamps"], line["pulses"]) == ("board_hello", "rp2040", "1,2,3", "4,5")
    assert (line["firmware"], line["boot_id"]) == ("0.1.0", "00000007")


def test_faults_that_repeat_are_shown_once_a_period():
    lines = shown(FramesDropped(1), FramesDropped(1), RecordsLacking(2), None, FramesDropped(5))
    assert [line["event"] for line in lines] == ["frames_dropped", "records_lacking", "frames_dropped"]


def test_windows_pairs_and_captures_are_no_news():
    raw = RawCodes(port=1, t_us=0, rate_hz=1, first=0, total=1, codes=b"")
    window = WindowClosed(HELLO, make_window(flags=1))
    assert shown(window, PairClosed(HELLO, make_pair()), RawCame(HELLO, raw)) == []


def test_words_of_the_board_keep_their_level_and_lose_control_characters():
    lines = shown(*(BoardLogged(HELLO, BoardLog(level=level, t_us=0, text="a\x1b[31mb\n")) for level in (1, 2, 3)))
    assert [line["log_level"] for line in lines] == ["info", "warning", "error"]
    assert lines[0]["text"] == "a [31mb "


def test_what_helps_is_said():
    lines = shown(WireVersionDiffers(2, 1), BoardAtPrompt())
    assert lines[0]["reason"] == "board speaks wire 2, bridge 1: run ./flash.sh"
    assert lines[1]["reason"] == "the board is at its prompt: reset it or run ./flash.sh"


def test_what_is_no_board_can_not_fill_the_log():
    lines = shown(*[TextSeen("$GPGGA,1")] * 1000, None, TextSeen("again"))
    assert [line["event"] for line in lines] == ["board_text"] * 20 + ["board_text_cut", "board_text"]
    lines = shown(*[BoardLogged(HELLO, BoardLog(level=2, t_us=0, text="x"))] * 1000)
    assert [line["event"] for line in lines] == ["board_log"] * 60 + ["board_log_cut"]


def test_the_name_of_a_model_can_not_steer_the_terminal():
    (line,) = shown(BoardSaidHello(make_hello(model="Pico\x1b[2J"), True))
    assert line["model"] == "Pico [2J"


def test_a_warning_of_a_desk_is_shown_once_a_period_for_each_reason():
    with structlog.testing.capture_logs() as lines:
        log = EventLog(structlog.get_logger())
        for reason in ("wrong CRC", "wrong CRC", "wrong key"):
            log.warn("p1_lost", {"reason": reason})
        log.begin_period()
        log.warn("p1_lost", {"reason": "wrong CRC"})
    assert [(line["event"], line["reason"]) for line in lines] == [
        ("p1_lost", reason) for reason in ("wrong CRC", "wrong key", "wrong CRC")
    ]
    assert {line["log_level"] for line in lines} == {"warning"}
