"""The register of faults: each begins once, ends once, and none flaps."""

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from fluksometer.domain.fault_register import CALM_S, LEAST_S, MOST_FAULTS, Condition, Faults, Minute


def condition(what="a", subject="", **more):
    return Condition(what=what, of="port" if subject else "", subject=subject, says="do this", **more)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.integers(1, 40)), min_size=1, max_size=60))
def test_begin_and_end_alternate_and_no_two_beginnings_are_near(spans):
    faults, now_s, told = Faults(), 0, []
    for present, seconds in [*spans, (False, 60)]:
        for _ in range(seconds):
            now_s += 1
            told += [(now_s, event) for _, event, _ in faults.step([condition()] if present else [], now_s)]
    events = [event for _, event in told]
    assert events == ["a", "a_over"] * (len(events) // 2)
    assert bool(events) == any(present for present, _ in spans)
    begins = [at for at, event in told if event == "a"]
    assert all(later - earlier >= LEAST_S for earlier, later in pairwise(begins))
    assert faults.active == []


def test_it_is_over_when_it_was_calm_for_a_while():
    faults = Faults()
    for now_s in range(100):
        faults.step([condition()], now_s)
    over = [(now_s, news) for now_s in range(100, 200) if (news := faults.step([], now_s))]
    ((at_s, ((level, event, fields),)),) = over
    assert at_s == 99 + CALM_S
    assert (level, event, fields) == ("info", "a_over", {"note": "is over", "lasted_s": 99})


def test_the_same_fault_of_two_subjects_is_two_and_what_it_says_may_change():
    faults = Faults()
    news = faults.step([condition(subject=1), condition(subject=2, grave=True)], 0)
    assert [(level, fields["port"]) for level, _, fields in news] == [("warning", 1), ("error", 2)]
    changed = Condition(what="a", of="port", subject=1, says="do that")
    assert faults.step([changed], 1) == []
    assert faults.active[0].condition.says == "do that"


def test_what_stands_in_the_log_already_only_ends_there():
    faults = Faults()
    assert faults.step([condition(logged=True)], 0) == []
    assert [event for _, event, _ in faults.step([], 100)] == ["a_over"]


def test_no_flood_of_faults_fills_it():
    faults = Faults()
    assert len(faults.step([condition(subject=n) for n in range(1, 10_000)], 0)) == MOST_FAULTS


def test_a_minute_forgets():
    minute = Minute()
    for second in range(1000):
        minute.add(2, second)
    assert minute.total(999) == 120
    assert minute.total(1029) == 60
    assert minute.total(1100) == 0
