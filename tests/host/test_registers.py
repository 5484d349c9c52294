"""Totals against rational arithmetic: nothing is lost, nothing is counted twice, nothing falls."""

from fractions import Fraction

from host.making import make_pulses, make_window
from hypothesis import given
from hypothesis import strategies as st

from fluksometer.domain.registers import BoardCounter, ClampRegister, PulseRegister
from fluksometer.domain.units import uwh_per_charge

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


@given(boots)
def test_clamp_energy_is_exact_whatever_is_lost(boots):
    register = ClampRegister(clamp_a=50, voltage_v=230)
    totals = [0]

    def add(charge):
        taken = register.add(make_window(charge=charge))
        totals.append(register.total_uwh)
        return taken

    counted = play(boots, register.begin_boot, add)
    assert register.total_uwh == int(counted * uwh_per_charge(clamp_a=50, voltage_v=230))
    assert totals == sorted(totals)


@given(boots, st.integers(1, 65_535_999))
def test_pulse_totals_are_exact_whatever_is_lost(boots, constant_milli):
    register = PulseRegister(constant_milli=constant_milli)
    counted = play(boots, register.begin_boot, lambda count: register.add(make_pulses(count=count)))
    assert register.total_milli == counted * constant_milli


@given(st.lists(st.integers(0, 100)))
def test_a_counter_that_goes_back_is_refused_and_counted(values):
    counter = BoardCounter()
    total = refused = highest = 0
    for value in values:
        grown = counter.growth(value)
        if value < highest:
            refused += 1
            assert grown is None
        else:
            total += grown
            highest = value
    assert (total, counter.refused) == (highest, refused)


def test_a_duplicate_adds_nothing():
    register = PulseRegister(constant_milli=500)
    for _ in range(3):
        assert register.add(make_pulses(count=4))
    assert register.total_milli == 2000


def test_a_thousand_watts_for_an_hour():
    register = ClampRegister(clamp_a=50, voltage_v=230)
    lsb_for_1000_w = Fraction(1000, 230 * 50) / Fraction(33, 40960)
    for second in range(1, 3601):
        register.add(make_window(charge=int(lsb_for_1000_w * 1024 * 1000 * second)))
    assert register.total_uwh == 999_999_999  # the counter itself is whole, hence the last micro-watt-hour
    assert register.total_wh == 999
