"""The conversation with the board, without a port: bytes in, events out."""

import pytest
from host.link_records import WANTED, asked, clamp, hello, kinds, known, opened, pulse, record
from hypothesis import given
from hypothesis import strategies as st

from fluksometer.domain.link_events import (
    BoardAtPrompt,
    BoardLogged,
    BoardSaidHello,
    BoardSilent,
    FramesDropped,
    PulsesCounted,
    RecordRefused,
    RecordsMissed,
    SequenceBroke,
    SettingsRefused,
    TextSeen,
    UnknownKind,
    WindowClosed,
    WireVersionDiffers,
)
from fluksometer.link_session import GREET_EVERY_S, TRIES, LinkSession
from fluksometer.shared import records
from fluksometer.shared.deframer import LineDeframer


def test_it_greets_until_a_hello_comes():
    session = opened()
    assert asked(session) == ["greet"]
    assert session.next_deadline_s() == GREET_EVERY_S
    session.tick(1.9)
    assert asked(session) == []
    session.tick(2.0)
    assert asked(session) == ["greet"]
    assert kinds(session.feed(hello(), 2.1)) == [BoardSaidHello]
    session.tick(9.0)
    assert asked(session) == []


def test_its_own_records_are_numbered():
    session = opened()
    session.tick(2.0)
    session.tick(4.0)
    assert [seq for _kind, seq, _prev, _payload in LineDeframer().push(session.data_to_send())] == [0, 1, 2]


def test_records_before_a_hello_are_held_out():
    session = opened()
    assert session.feed(pulse(3) + clamp(4), 0.1) == []
    assert session.counts.held_out == 2
    assert kinds(session.feed(hello(5) + pulse(6) + clamp(7), 0.2)) == [BoardSaidHello, PulsesCounted, WindowClosed]


def test_gaps_are_counted():
    session = known()
    assert session.feed(pulse(4), 1.0)[0] == RecordsMissed(3)
    assert session.feed(hello(7), 1.0)[0] == RecordsMissed(2)
    assert session.counts.missed == 5


def test_sequence_numbers_wrap():
    session = opened()
    session.feed(hello(0xFFFFFFFF), 0.0)
    assert kinds(session.feed(pulse(0), 1.0)) == [PulsesCounted]
    assert session.counts.missed == 0


def test_a_duplicate_is_dropped_and_counted():
    session = known()
    session.feed(pulse(1), 1.0)
    assert session.feed(pulse(1), 1.0) == []
    assert session.counts.duplicates == 1


def test_a_restart_whose_hello_was_lost_is_asked_about():
    session = known()
    session.feed(pulse(100), 1.0)
    assert session.feed(pulse(1), 2.0) == [SequenceBroke(1)]
    assert asked(session) == ["greet"]
    assert session.feed(pulse(2), 2.1) == []
    events = session.feed(hello(3, boot_id=8) + pulse(4), 2.2)
    assert kinds(events) == [BoardSaidHello, PulsesCounted]
    assert events[0].new_boot


def test_numbers_that_fell_within_one_boot_are_followed():
    session = known()
    session.feed(pulse(100), 1.0)
    session.feed(pulse(1), 2.0)
    events = session.feed(hello(3) + pulse(4), 2.2)
    assert kinds(events) == [BoardSaidHello, PulsesCounted]
    assert not events[0].new_boot


def test_a_clock_that_fell_is_a_new_boot_even_with_the_same_number():
    session = known()
    session.feed(hello(50, t_us=3_000_000), 1.0)
    (event,) = session.feed(hello(0, t_us=1_999_999), 2.0)
    assert event.new_boot
    assert kinds(session.feed(pulse(1), 2.1)) == [PulsesCounted]


def test_a_clock_that_fell_alone_is_no_new_boot():
    session = known()
    session.feed(hello(50, t_us=90_000_000), 1.0)
    (_missed, event) = session.feed(hello(60, t_us=88_000_000), 2.0)
    assert not event.new_boot


def test_a_restart_that_the_sequence_does_not_tell_is_asked_about():
    session = known()
    session.feed(hello(1, t_us=500_000_000), 1.0)
    (_missed, event) = session.feed(pulse(9), 2.0)  # stamped at two seconds
    assert event == SequenceBroke(9)
    assert asked(session) == ["greet"] and session.counts.held_out == 1
    assert kinds(session.feed(hello(10, boot_id=8) + pulse(11), 2.2)) == [BoardSaidHello, PulsesCounted]


def test_a_frame_cut_by_the_opening_of_the_link_is_no_fault():
    session = opened()
    assert kinds(session.feed(clamp(0)[20:] + hello(1), 0.1)) == [BoardSaidHello]
    assert session.counts.dropped == 0


def test_records_lost_while_the_link_was_closed_are_counted():
    session = known()
    session.open(10.0)
    events = session.feed(hello(31), 10.1)
    assert events[0] == RecordsMissed(30)
    assert not events[1].new_boot


def test_other_settings_are_asked_for_until_a_hello_shows_them():
    session = opened()
    session.data_to_send()
    session.feed(hello(0, rate_hz=500), 0.0)
    assert asked(session) == ["settings"]
    session.tick(2.0)
    assert asked(session) == ["settings"]
    assert kinds(session.feed(hello(1), 2.1)) == [BoardSaidHello]
    session.tick(5.0)
    assert asked(session) == []


@pytest.mark.parametrize("answers", [True, False])
def test_a_board_that_refuses_settings_is_told_of_once(answers):
    session = opened()
    session.data_to_send()
    session.feed(hello(0, rate_hz=500), 0.0)
    events = []
    for second in range(1, 30):
        events += session.tick(second)
        if answers and session.data_to_send():
            events += session.feed(hello(second, rate_hz=500), second)
    why = "rate_hz is 500, not 20000" if answers else "no answer"
    assert [event for event in events if isinstance(event, SettingsRefused)] == [SettingsRefused(why)]
    assert TRIES == 3


def test_another_wire_version_is_told_once_and_nothing_is_taken():
    session = opened()
    events = session.feed(hello(0, wire=5) + hello(1, wire=5) + pulse(2), 0.0)
    assert events == [WireVersionDiffers(5, 4)]
    assert session.counts.held_out == 1


def test_unknown_kinds_and_bad_fields_are_counted_and_skipped():
    session = known()
    bad = record(records.PULSE.kind, 2, bytes(records.PULSE.size))
    events = session.feed(record(0x33, 1) + bad + pulse(3), 1.0)
    assert kinds(events) == [UnknownKind, RecordRefused, PulsesCounted]
    assert (session.counts.unknown, session.counts.refused, session.counts.missed) == (1, 1, 0)


def test_a_hello_with_a_bad_field_is_refused():
    session = opened()
    assert kinds(session.feed(record(records.HELLO.kind, 0, b"\x04"), 0.0)) == [RecordRefused]
    assert kinds(session.feed(record(records.HELLO.kind, 0, b""), 0.0)) == [RecordRefused]


def test_text_between_frames_is_shown():
    session = known()
    log = record(records.LOG.kind, 1, records.LOG.pack(2, 5, "careful"))
    events = session.feed(b"Traceback (most recent call last):\r\n  MemoryError:\r\n" + log, 1.0)
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
    return b"".join([hello(), clamp(1), b"noise\r\n", pulse(2), hello(3), clamp(4), pulse(9)])


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
        assert not [
            event for event in session.feed(hello(at, rate_hz=500), at / 10) if isinstance(event, SettingsRefused)
        ]
    assert asked(session) == ["settings"]
    session.feed(hello(6), 0.7)
    assert session.tick(10.0) == [] and asked(session) == []


def test_a_closed_link_is_not_called_silent():
    session = LinkSession(WANTED)
    session.open(0.0)
    session.close()
    assert session.next_deadline_s() is None
    assert session.data_to_send() == b""
    assert session.tick(1000.0) == []
