"""What the session asks of a board until the board has all that it should: settings, then the calibration, then the table."""

import importlib
import sys
import types
from array import array
from dataclasses import replace

import pytest
from host.link_records import WANTED, asked, hello, kinds, known, pulse, record

from fluksometer.domain import wire
from fluksometer.domain.board_calibration import IDENTITY, BoardCalibration
from fluksometer.domain.board_wishes import TRIES
from fluksometer.domain.linearity import default_table, steps_of
from fluksometer.domain.link_events import PairClosed, RawCame, SettingsRefused
from fluksometer.link_session import LinkSession
from fluksometer.shared import frame, records
from fluksometer.shared.deframer import LineDeframer

TABLE = tuple(step + (code % 7) for code, step in enumerate(IDENTITY[1:-1], 1))
TABLE = (IDENTITY[0], *TABLE, IDENTITY[-1])
CALIBRATION = BoardCalibration(
    table=TABLE, floor_q20=(96_000_000, 0, 7), compensation=((16_000, 385), (1 << 14, 0), (-5, 9))
)
CRCS = (CALIBRATION.table_crc, CALIBRATION.crc)


def wishing(calibration=CALIBRATION):
    session = LinkSession(WANTED, lambda _hello: calibration)
    session.open(0.0)
    session.data_to_send()
    return session


def test_settings_then_the_calibration_then_the_table_are_given():
    session = wishing()
    session.feed(hello(rate_hz=500), 0.0)
    assert asked(session) == ["settings"]
    session.feed(hello(), 0.1)
    assert asked(session) == ["calibration"]
    session.feed(hello(crcs=(0, CRCS[1])), 0.2)
    assert asked(session) == ["table"] * 5
    assert session.feed(hello(crcs=CRCS), 0.9)[0].hello.table_crc == CRCS[0]
    session.tick(100.0)
    assert asked(session) == []


def test_a_wish_whose_board_fell_silent_leaves_no_deadline_behind():
    """Between its settings and the answer the board starts anew, its hello is lost, and nothing more comes."""
    session = wishing()
    session.feed(hello(rate_hz=500, t_us=20_000_000), 0.0)
    session.feed(pulse(t_us=0), 0.1)
    assert session.hello is None
    session.tick(5.0)
    assert session.next_deadline_s() > 5.0
    asked(session)
    session.feed(hello(rate_hz=500), 5.1)
    assert asked(session) == ["settings"]


def test_a_board_that_has_it_all_is_asked_for_nothing():
    session = wishing()
    session.feed(hello(crcs=CRCS), 0.0)
    assert asked(session) == []
    plain = wishing(BoardCalibration())
    plain.feed(hello(), 0.0)
    assert asked(plain) == []


def test_what_the_board_kept_from_another_bridge_is_replaced():
    session = wishing(BoardCalibration())
    session.feed(hello(crcs=CRCS), 0.0)
    assert asked(session) == ["calibration"]
    session.feed(hello(crcs=(CRCS[0], BoardCalibration().crc)), 0.1)
    assert asked(session) == ["table"] * 5
    session.feed(hello(crcs=(BoardCalibration().table_crc, BoardCalibration().crc)), 0.9)
    assert asked(session) == []


def test_a_calibration_that_the_board_does_not_take_is_told_once():
    session = wishing()
    session.feed(hello(), 0.0)
    events, sent = [], asked(session)
    for second in range(1, 30):
        events += session.tick(second)
        sent += asked(session)
    assert sent == ["calibration"] * TRIES
    assert [event for event in events if isinstance(event, SettingsRefused)] == [SettingsRefused("no answer")]


def test_a_table_whose_piece_was_lost_is_sent_again_whole_and_refused_once():
    session = wishing()
    session.feed(hello(crcs=(0, CRCS[1])), 0.0)
    sent, events = asked(session), []
    for second in range(1, 60):
        events += session.tick(second)
        sent += asked(session)
        if second % 5 == 0:
            events += session.feed(hello(crcs=(5, CRCS[1])), second)
    assert sent == ["table"] * 5 * TRIES
    refusals = [event for event in events if isinstance(event, SettingsRefused)]
    assert len(refusals) == 1 and "linearity table" in refusals[0].differences


def test_a_calibration_that_changes_is_given_at_once():
    known = [CALIBRATION]
    session = LinkSession(WANTED, lambda _hello: known[0])
    session.open(0.0)
    session.feed(hello(crcs=CRCS), 0.0)
    asked(session)
    known[0] = replace(CALIBRATION, floor_q20=(1, 2, 3))
    assert session.recalibrate(5.0) == []
    assert asked(session) == ["calibration"]
    known[0] = CALIBRATION  # taken back before the board has answered
    session.tick(7.5)
    assert asked(session) == []
    assert session.recalibrate(8.0) == [] and asked(session) == []


def test_a_floor_learned_after_the_table_was_refused_reaches_the_board():
    known = [CALIBRATION]
    session = LinkSession(WANTED, lambda _hello: known[0])
    session.open(0.0)
    session.feed(hello(crcs=(0, CRCS[1])), 0.0)
    for second in range(1, 60):
        session.tick(second)
    asked(session)
    known[0] = replace(CALIBRATION, floor_q20=(1, 2, 3))
    session.recalibrate(60.0)
    assert asked(session) == ["calibration"]


def test_a_change_while_the_table_is_on_its_way_waits_for_no_time_out():
    known = [CALIBRATION]
    session = LinkSession(WANTED, lambda _hello: known[0])
    session.open(0.0)
    session.feed(hello(crcs=(0, CRCS[1])), 0.0)
    assert asked(session)[-1] == "table"
    known[0] = replace(CALIBRATION, floor_q20=(1, 2, 3))
    session.recalibrate(0.5)
    assert asked(session) == ["calibration"]


def test_a_change_while_the_link_is_closed_waits_for_the_board():
    session = wishing()
    session.feed(hello(crcs=CRCS), 0.0)
    session.close()
    assert session.recalibrate(1.0) == []
    assert session.next_deadline_s() is None and session.data_to_send() == b""


def test_the_records_of_pairs_and_captures_are_events():
    session = known()
    pair = record(records.PAIR.kind, 1, records.PAIR.pack(1, 2, 9, 1, 2, -3, 4, 20_000, 0))
    raw = record(records.RAW.kind, 2, records.RAW.pack(1, 9, 20_000, 0, 1, b"\x01\x02"))
    assert kinds(session.feed(pair + raw, 0.5)) == [PairClosed, RawCame]
    session.send((records.CAPTURE, (0b101, 900)))
    assert asked(session) == ["capture"]


@pytest.fixture
def board_side(monkeypatch):
    """The very module that runs on the board, with the one function that it takes from the native module."""
    native = types.ModuleType("metering")

    def identity(table):
        table[:] = array("h", IDENTITY)

    native.identity = identity
    monkeypatch.setitem(sys.modules, "metering", native)
    monkeypatch.delitem(sys.modules, "meter.calibration", raising=False)
    yield importlib.import_module("meter.calibration")
    sys.modules.pop("meter.calibration", None)


@pytest.mark.parametrize(
    "table", [IDENTITY, TABLE, steps_of(default_table("rp2040")), steps_of(default_table("rp2350"))]
)
def test_the_boards_own_code_takes_the_calibration_and_the_table(board_side, table):
    board, wanted = board_side.Calibration(), replace(CALIBRATION, table=table)
    session = wishing(wanted)
    crcs, seq, finished = (0, 0), 0, 0
    while True:
        session.feed(hello(crcs=crcs), seq / 10)
        lines = LineDeframer().push(session.data_to_send())
        if not lines:
            break
        assert {kind for kind, *_more in lines} <= {records.CALIBRATION.kind, records.TABLE.kind, records.ACK.kind}
        for kind, _seq, _prev, payload in lines:
            if kind == records.CALIBRATION.kind:
                board.take(payload)
            elif kind == records.TABLE.kind:
                finished += board.take_table(payload)
        crcs, seq = (board.table_crc, board.crc), seq + 1
    assert tuple(board.table) == table and finished <= 1
    assert (board.floor_q20, tuple(board.compensation)) == (wanted.floor_q20, wanted.compensation)


def test_the_lines_of_a_table_fit_what_a_board_reads():
    lines = [wire.line(0, layout, *values) for layout, values in wire.table(CALIBRATION)]
    assert max(map(len, lines)) <= frame.MAX_LINE
