"""The conversation with the board, without a port: bytes in, events out."""

import pytest
from host.link_records import WANTED, asked, clamp, hello, kinds, known, log, opened, pulse, record
from hypothesis import given
from hypothesis import strategies as st

from fluksometer.domain.board_wishes import TRIES
from fluksometer.domain.link_events import (
    BoardAtPrompt,
    BoardLogged,
    BoardSaidHello,
    BoardSilent,
    FramesDropped,
    PulsesCounted,
    RecordRefused,
    SettingsRefused,
    TextSeen,
    UnknownKind,
    WindowClosed,
    WireVersionDiffers,
)
from fluksometer.link_session import GREET_EVERY_S, LinkSession
from fluksometer.shared import records
from fluksometer.shared.deframer import LineDeframer


def test_it_greets_until_a_hello_comes():
    session = opened()
    assert asked(session) == ["greet"]
    assert session.next_deadline_s() == GREET_EVERY_S
    session.tick(0.9)
    assert asked(session) == []
    session.tick(1.0)
    assert asked(session) == ["greet"]
    assert kinds(session.feed(hello(), 1.1)) == [BoardSaidHello]
    session.tick(9.0)
    assert asked(session) == []


def test_its_own_records_are_numbered():
    session = opened()
    session.tick(2.0)
    session.tick(4.0)
    assert [seq for _kind, seq, _prev, _payload in LineDeframer().push(session.data_to_send())] == [0, 1, 2]


def test_records_before_a_hello_are_held_out():
    session = opened()
    assert session.feed(pulse() + clamp(1), 0.1) == []
    assert session.counts.held_out == 2
    assert kinds(session.feed(hello() + pulse() + clamp(1), 0.2)) == [BoardSaidHello, PulsesCounted, WindowClosed]


def test_a_frame_cut_by_the_opening_of_the_link_is_no_fault():
    session = opened()
    assert kinds(session.feed(clamp(1)[20:] + hello(), 0.1)) == [BoardSaidHello]
    assert session.counts.dropped == 0


def test_other_settings_are_asked_for_until_a_hello_shows_them():
    session = opened()
    session.data_to_send()
    session.feed(hello(rate_hz=500), 0.0)
    assert asked(session) == ["settings"]
    session.tick(2.0)
    assert asked(session) == ["settings"]
    assert kinds(session.feed(hello(), 2.1)) == [BoardSaidHello]
    session.tick(5.0)
    assert asked(session) == []


@pytest.mark.parametrize("answers", [True, False])
def test_a_board_that_refuses_settings_is_told_of_once(answers):
    session = opened()
    session.data_to_send()
    session.feed(hello(rate_hz=500), 0.0)
    events = []
    for second in range(1, 30):
        events += session.tick(second)
        if answers and session.data_to_send():
            events += session.feed(hello(rate_hz=500), second)
    why = "rate_hz is 500, not 20000" if answers else "no answer"
    assert [event for event in events if isinstance(event, SettingsRefused)] == [SettingsRefused(why)]
    assert TRIES == 3


def test_another_wire_version_is_told_once_and_nothing_is_taken():
    session = opened()
    events = session.feed(hello(wire=5) + hello(wire=5) + pulse(), 0.0)
    assert events == [WireVersionDiffers(5, 4)]
    assert session.counts.held_out == 1


@pytest.mark.parametrize("kept", [0, 1])
def test_unknown_kinds_and_bad_fields_are_counted_and_skipped(kept):
    session = known()
    bad = record(records.PULSE.kind, 2 * kept, bytes(records.PULSE.size))
    events = session.feed(record(0x33, kept) + bad + pulse(3 * kept), 1.0)
    assert kinds(events) == [UnknownKind, RecordRefused, PulsesCounted]
    assert (session.counts.unknown, session.counts.refused, session.position.seq) == (1, 1, 3 * kept)


def test_a_hello_with_a_bad_field_is_refused():
    session = opened()
    assert kinds(session.feed(record(records.HELLO.kind, 0, b"\x04"), 0.0)) == [RecordRefused]
    assert kinds(session.feed(record(records.HELLO.kind, 0, b""), 0.0)) == [RecordRefused]


def test_text_between_frames_is_shown():
    session = known()
    events = session.feed(b"Traceback (most recent call last):\r\n  MemoryError:\r\n" + log(), 1.0)
    assert [event.text for event in events if isinstance(event, TextSeen)] == [
        "Traceback (most recent call last):",
        "  MemoryError:",
    ]
    assert isinstance(events[0], BoardLogged)
    assert session.counts.dropped == 0


def test_dropped_frames_are_counted():
    session = known()
    assert session.feed(b"\x00\x07\x01\x02\x00", 1.0) == [FramesDropped(1)]


def test_a_board_at_its_prompt_is_told_of_once():
    session = opened()
    sent = session.data_to_send()
    session.feed(b"MicroPython v1.26.1 on 2025-09-11\r\n>>> " + sent.strip() + b"\r\n>>> ", 0.5)
    events = []
    for tenth in range(5, 400):
        events += session.tick(tenth / 10)
    assert events == [TextSeen("MicroPython v1.26.1 on 2025-09-11"), BoardAtPrompt()]


def test_a_silent_board_is_told_of_once():
    session = known()
    events = []
    for second in range(1, 100):
        events += session.tick(second)
    assert events == [BoardSilent(10.0)]


def stream():
    return b"".join([hello(), clamp(1), b"noise\r\n", pulse(2), hello(2), clamp(3), pulse(9), pulse(prev=9), log(9)])


@given(st.lists(st.integers(0, len(stream())), max_size=30))
def test_cut_places_do_not_matter(cuts):
    whole = [event for event in opened().feed(stream(), 0.0) if not isinstance(event, TextSeen)]
    session, events, start = opened(), [], 0
    for cut in [*sorted(cuts), len(stream())]:
        events += session.feed(stream()[start:cut], 0.0)
        start = cut
    assert [event for event in events if not isinstance(event, TextSeen)] == whole


@given(st.lists(st.tuples(st.integers(0, len(stream()) - 1), st.integers(1, 255)), min_size=1, max_size=20))
def test_damage_never_raises_and_makes_no_record(flips):
    data = bytearray(stream())
    for place, change in flips:
        data[place] ^= change
    true = {str(event) for event in known().feed(stream(), 0.0)}
    for event in opened().feed(bytes(data), 0.0):
        # Losing the first hello makes the second one the first; else only true records come out.
        if isinstance(event, WindowClosed | PulsesCounted):
            assert str(event) in true


@given(st.lists(st.binary(max_size=3000), max_size=10))
def test_garbage_never_raises(chunks):
    session = opened()
    for second, chunk in enumerate(chunks):
        events = session.feed(chunk, second) + session.tick(second + 0.5)
        assert not [event for event in events if isinstance(event, BoardSaidHello | WindowClosed | PulsesCounted)]
    assert b"\x03" not in session.data_to_send()


def test_hellos_that_answer_earlier_questions_are_no_refusal():
    # A board that was starting up answers every greet that waited for it, each with the settings it began with.
    session = opened()
    session.data_to_send()
    for at in range(6):
        assert not [event for event in session.feed(hello(rate_hz=500), at / 10) if isinstance(event, SettingsRefused)]
    assert asked(session) == ["settings"]
    session.feed(hello(), 0.7)
    assert session.tick(10.0) == [] and asked(session) == []


def test_a_closed_link_is_not_called_silent():
    session = LinkSession(WANTED)
    session.open(0.0)
    session.close()
    assert session.next_deadline_s() is None
    assert session.data_to_send() == b""
    assert session.tick(1000.0) == []
