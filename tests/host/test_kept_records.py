"""Kept records: taken in their order, none twice, none left out, and acknowledged (docs/wire.md)."""

import pytest
from host.link_records import acks, asked, clamp, hello, kinds, known, log, opened, pulse, record, sent

from fluksometer.domain.kept_order import ASK_EVERY_S, FRUITLESS, Verdict, judge
from fluksometer.domain.link_events import (
    BoardLogged,
    BoardSaidHello,
    EarlierCame,
    PulsesCounted,
    RecordRefused,
    RecordsLacking,
    SequenceBroke,
    WindowClosed,
)
from fluksometer.domain.link_events import Position as At
from fluksometer.shared import records


@pytest.mark.parametrize(
    ("last", "prev", "seq", "verdict"),
    [
        (0, 0, 1, Verdict.TAKE),  # the first of a boot
        (7, 7, 8, Verdict.TAKE),
        (7, 7, 12, Verdict.TAKE),  # 8 to 11 were put together with 12
        (7, 5, 8, Verdict.TAKE),  # 6 and 7 were put together with 8 after 7 had been taken
        (7, 0, 8, Verdict.TAKE),  # an old backup: the board goes on with the oldest that it has
        (7, 6, 7, Verdict.HAD),
        (7, 0, 1, Verdict.HAD),
        (7, 7, 7, Verdict.HAD),  # no board sends it
        (7, 9, 7, Verdict.HAD),  # nor this
        (7, 8, 9, Verdict.HOLE),
        (7, 8, 8, Verdict.HOLE),  # nor this
        (0, 1, 2, Verdict.HOLE),
        (7, 4294967294, 4294967295, Verdict.HOLE),
        (4294967294, 4294967294, 4294967295, Verdict.TAKE),
    ],
)
def test_which_kept_record_is_taken(last, prev, seq, verdict):
    assert judge(last, prev, seq) is verdict


# --- after a hello ---


def test_a_hello_of_an_unknown_boot_is_answered_with_a_resume_from_zero():
    session = opened()
    sent(session)
    (event,) = session.feed(hello(40), 0.0)
    assert event.new_boot and session.position == At(7, 0, 0)
    assert acks(session) == [(7, 0, 1)]


def test_a_bridge_that_was_restarted_goes_on_behind_what_it_had_stored():
    session = opened(At(7, 38, 2_000_000))
    assert session.position == At(7, 38, 2_000_000)
    sent(session)
    (event,) = session.feed(hello(40, t_us=3_000_000), 0.0)
    assert not event.new_boot
    assert acks(session) == [(7, 38, 1)]
    assert kinds(session.feed(clamp(39) + clamp(40), 0.1)) == [WindowClosed] * 2
    assert session.position == At(7, 40, 2_000_000)


def test_a_hello_that_only_answers_settings_asks_for_nothing():
    session = known(clamp(1))
    assert session.feed(hello(1, t_us=3_000_000), 1.0)[0].new_boot is False
    assert session.tick(9.0) == [] and acks(session) == []


def test_a_second_hello_for_one_greet_asks_for_nothing_more():
    session = opened()
    sent(session)
    session.feed(hello() + hello() + hello(), 0.1)
    assert acks(session) == [(7, 0, 1)]


def test_a_reopened_link_goes_on_behind_what_was_taken():
    session = known(clamp(1), clamp(2))
    session.close()
    session.open(5.0)
    assert asked(session) == ["greet"]
    (event,) = session.feed(hello(4), 5.1)
    assert not event.new_boot
    assert acks(session) == [(7, 2, 1)]


def test_another_boot_begins_at_zero():
    session = known(clamp(1), clamp(2))
    (event,) = session.feed(hello(boot_id=8), 1.0)
    assert event.new_boot
    assert acks(session) == [(8, 0, 1)]
    assert kinds(session.feed(clamp(1, t_us=10), 1.1)) == [WindowClosed]
    assert session.position == At(8, 1, 10)


def test_a_clock_that_fell_is_a_new_boot_even_with_the_same_number():
    session = known(clamp(1, t_us=20_000_000))
    (event,) = session.feed(hello(t_us=9_999_999), 2.0)
    assert event.new_boot and session.position == At(7, 0, 0)
    session = known(clamp(1, t_us=20_000_000))
    assert not session.feed(hello(1, t_us=10_000_000), 2.0)[0].new_boot


# --- holes ---


def test_a_hole_is_asked_for_at_once_and_then_twice_a_second_while_nothing_new_comes():
    session = known(clamp(1))
    assert session.feed(clamp(3), 1.0) == [RecordsLacking(1)]
    assert acks(session) == [(7, 1, 1)]
    assert session.next_deadline_s() == pytest.approx(1.3)  # the text of the console
    assert session.feed(clamp(4), 1.2) == []  # sent before the board heard of it
    assert acks(session) == []
    session.tick(1.0 + ASK_EVERY_S)
    assert acks(session) == [(7, 1, 1)]
    assert kinds(session.feed(clamp(2) + clamp(3), 1.6)) == [WindowClosed] * 2
    session.tick(2.0)
    assert acks(session) == []  # more is still lacking, but it comes
    session.tick(2.1)
    assert acks(session) == [(7, 3, 1)]
    session.feed(clamp(4), 2.2)
    assert session.tick(9.0) == [] and acks(session) == []
    assert (session.counts.resumed, session.counts.held_out, session.counts.duplicates) == (4, 2, 0)


@pytest.mark.parametrize("passing", [log(2), pulse(prev=2), hello(2)])
def test_a_passing_record_tells_that_the_last_kept_one_was_lost(passing):
    session = known(clamp(1))
    assert RecordsLacking(1) in session.feed(passing, 1.0)
    assert acks(session) == [(7, 1, 1)]


def test_a_passing_pulse_record_counts_only_behind_the_kept_ones():
    session = known(clamp(1))
    events = session.feed(pulse(prev=2) + log(2), 1.0)
    assert kinds(events) == [RecordsLacking, BoardLogged]
    assert session.counts.held_out == 1
    assert kinds(session.feed(clamp(2) + pulse(prev=2) + pulse(prev=1), 1.1)) == [
        WindowClosed,
        PulsesCounted,
        PulsesCounted,
    ]


def test_duplicates_behind_a_resume_are_dropped_and_counted():
    session = known(clamp(1), clamp(2))
    session.feed(clamp(4), 1.0)
    assert kinds(session.feed(clamp(2) + clamp(3) + clamp(3) + clamp(4), 1.2)) == [WindowClosed] * 2
    assert session.counts.duplicates == 2
    assert asked(session) == []


def test_a_board_that_makes_holes_for_ever_costs_two_asks_a_second_at_most():
    session = known(clamp(1))
    asks = greets = 0
    for step in range(10_000):  # 100 s
        now_s = 1.0 + step / 100
        seq = 10 + 2 * step
        session.feed(clamp(seq) + log(seq + 5), now_s)
        session.tick(now_s)
        for name, _payload in sent(session):
            asks, greets = asks + (name == "ack"), greets + (name == "greet")
            if name == "greet":
                session.feed(hello(seq), now_s)
    assert 150 <= asks <= 201
    assert greets <= 101


# --- a restart whose hello was lost ---


def test_old_numbers_out_of_season_are_asked_about():
    session = known(*(clamp(seq) for seq in range(1, 51)))
    assert session.feed(clamp(1, t_us=2_000_000), 9.0) == [SequenceBroke(1)]
    assert asked(session) == ["greet"]
    assert session.feed(clamp(2) + log(), 9.1) == []  # nothing counts before the hello
    (event,) = session.feed(hello(2, boot_id=8), 9.2)
    assert event.new_boot and acks(session) == [(8, 0, 1)]


def test_old_numbers_with_a_clock_that_fell_are_asked_about_even_behind_a_resume():
    session = known(*(clamp(seq, t_us=500_000_000) for seq in range(1, 51)))
    assert session.feed(clamp(1), 0.1) == [SequenceBroke(1)]
    assert asked(session) == ["greet"] or (session.tick(1.0) == [] and asked(session) == ["greet"])


def test_a_next_number_with_a_clock_that_fell_is_not_taken():
    session = known(clamp(1, t_us=500_000_000))
    assert session.feed(clamp(2), 9.0) == [SequenceBroke(2)]
    assert session.position.seq == 1


def test_a_next_number_from_before_a_passing_record_that_did_not_know_it_is_not_taken():
    session = known(clamp(1), log(1, t_us=100_000_000))
    assert session.feed(clamp(2), 9.0) == [SequenceBroke(2)]


def test_what_waited_long_is_taken_though_passing_records_are_younger():
    session = known(clamp(1), log(2, t_us=100_000_000))
    assert kinds(session.feed(clamp(2), 9.0)) == [WindowClosed]


def test_a_passing_record_with_a_clock_that_fell_is_asked_about():
    session = known(log(t_us=500_000_000))
    assert session.feed(log(), 9.0) == [SequenceBroke(0)]
    assert asked(session) == ["greet"]


def test_what_looks_odd_is_taken_once_the_board_has_said_that_it_is_the_same():
    session = known(clamp(1, t_us=500_000_000))
    session.feed(clamp(2), 9.0)
    session.feed(hello(2, t_us=501_000_000), 9.1)
    assert kinds(session.feed(clamp(2), 9.2)) == [WindowClosed]


def test_asking_in_vain_ends_in_a_greet():
    session = known(clamp(1))
    sent(session)
    session.feed(clamp(3), 5.0)
    names = []
    for tenth in range(1, 25):
        session.tick(5.0 + tenth / 10)
        names += [name for name, _payload in sent(session)]
    assert names == ["ack"] * FRUITLESS + ["greet"]


def test_doubts_cost_one_greet_a_second_at_most():
    session = known(clamp(1, t_us=500_000_000))
    greets = 0
    for tenth in range(100):
        now_s = 9.0 + tenth / 10
        session.feed(log(1), now_s)
        session.tick(now_s)
        if "greet" in asked(session):
            greets += 1
            session.feed(hello(1, t_us=500_000_000), now_s)
    assert 9 <= greets <= 11


# --- acknowledging ---


def test_what_is_stored_is_acknowledged_once():
    session = known(clamp(1), clamp(2))
    sent(session)
    session.acknowledge(At(7, 1, 2_000_000))
    session.acknowledge(At(7, 1, 2_000_000))
    assert acks(session) == [(7, 1, 0)]
    session.acknowledge(session.position)
    assert acks(session) == [(7, 2, 0)]


@pytest.mark.parametrize("stored", [At(6, 1, 5), At(7, 3, 5), At(7, 0, 0), At(7, 1, 2_000_001)])
def test_what_is_not_of_this_boot_or_was_never_taken_is_not_acknowledged(stored):
    session = known(clamp(1), clamp(2))
    sent(session)
    session.acknowledge(stored)
    assert acks(session) == []


def test_nothing_is_acknowledged_to_a_board_that_is_not_there():
    session = known(clamp(1))
    session.close()
    session.acknowledge(At(7, 1, 2_000_000))
    session.open(5.0)
    sent(session)
    session.acknowledge(At(7, 1, 2_000_000))
    assert acks(session) == []
    session.feed(hello(1), 5.1)
    session.acknowledge(At(7, 1, 2_000_000))
    assert acks(session) == [(7, 1, 1), (7, 1, 0)]


def test_an_acknowledgement_that_was_lost_is_repeated_when_health_shows_it():
    def health(kept_bytes):
        return record(records.HEALTH.kind, 0, records.HEALTH.pack(2_000_000, *[0] * 7, kept_bytes, 0), 1)

    session = known(clamp(1))
    session.feed(health(60), 1.0)
    assert acks(session) == []  # nothing is stored yet
    session.acknowledge(At(7, 1, 2_000_000))
    assert acks(session) == [(7, 1, 0)]
    session.feed(health(60), 2.0)
    assert acks(session) == [(7, 1, 0)]
    session.feed(health(0), 3.0)
    assert acks(session) == []


# --- hold ---


def test_while_held_nothing_kept_is_taken_and_then_all_of_it():
    session = opened()
    session.hold = True
    sent(session)
    assert kinds(session.feed(hello(2) + clamp(1) + clamp(2) + log(2), 0.1)) == [BoardSaidHello, BoardLogged]
    assert session.tick(5.0) == [] and acks(session) == []
    assert session.counts.held_out == 2
    session.hold = False
    session.tick(session.next_deadline_s())
    assert acks(session) == [(7, 0, 1)]
    assert kinds(session.feed(clamp(1) + clamp(2), 5.1)) == [WindowClosed] * 2


# --- records of an earlier boot ---


def earlier(seq, kind, payload, boot_id=5):
    return record(records.EARLIER.kind, seq, records.EARLIER.pack(boot_id, kind, payload))


def test_readings_of_an_earlier_boot_are_events_of_their_own():
    payload = records.PULSE.pack(4, 900_000_000, 77, 1, 0, 0, 0)
    session = known(clamp(1))
    (event,) = session.feed(earlier(2, records.PULSE.kind, payload), 1.0)
    assert isinstance(event, EarlierCame)
    assert (event.boot_id, event.reading.count, event.hello.boot_id) == (5, 77, 7)
    assert session.position == At(7, 2, 2_000_000)  # its clock is not of this boot


@pytest.mark.parametrize(
    ("kind", "payload"),
    [
        (records.PULSE.kind, b"short"),
        (records.PULSE.kind, bytes(records.PULSE.size)),  # port 0
        (records.LOG.kind, records.LOG.pack(1, 5, "no reading")),
        (records.EARLIER.kind, records.EARLIER.pack(4, 3, b"")),
        (0x33, b""),
    ],
)
def test_what_no_earlier_boot_keeps_is_refused(kind, payload):
    session = known()
    assert kinds(session.feed(earlier(1, kind, payload), 1.0)) == [RecordRefused]
    assert (session.counts.refused, session.position.seq) == (1, 1)
