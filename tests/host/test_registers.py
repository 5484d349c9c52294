"""Totals against rational arithmetic: nothing is lost, nothing is counted twice, nothing falls."""

from host.making import make_pulses
from hypothesis import given
from hypothesis import strategies as st

from fluksometer.domain.registers import PulseRegister, grown

# One boot: the values of a counter at its records; a flag says whether the record arrives.
boots = st.lists(st.lists(st.tuples(st.integers(0, 10**12), st.booleans()), max_size=20), max_size=5)


def play(boots, begin_boot, add):
    """Feed the records that arrive; answers the sum of what each boot had counted at its last arrived record."""
    counted = 0
    for steps in boots:
        begin_boot()
        value = last = 0
        for step, arrives in steps:
            value += step
            if arrives:
                assert add(value)
                last = value
        counted += last
    return counted


@given(boots, st.integers(1, 65_535_999))
def test_pulse_totals_are_exact_whatever_is_lost(boots, constant_milli):
    register = PulseRegister(constant_milli=constant_milli)
    counted = play(boots, register.begin_boot, lambda count: register.add(make_pulses(count=count)))
    assert register.total_milli == counted * constant_milli


@given(st.lists(st.integers(0, 100)))
def test_a_counter_that_goes_back_is_refused_and_counted(values):
    register = PulseRegister(constant_milli=1)
    refused = highest = 0
    for value in values:
        refused += value < highest
        assert register.add(make_pulses(count=value)) == (value >= highest)
        highest = max(value, highest)
    assert (register.total_milli, register.refused) == (highest, refused)


def test_a_boot_begins_at_zero_again():
    seen = {}
    assert grown(seen, "count", 10) == 10 and grown(seen, "count", 9) is None and grown(seen, "count", 12) == 2
    assert grown({}, "count", 4) == 4


def test_a_duplicate_adds_nothing():
    register = PulseRegister(constant_milli=500)
    for _ in range(3):
        assert register.add(make_pulses(count=4))
    assert register.total_milli == 2000
