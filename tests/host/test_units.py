"""Steps of 1/8 LSB to amperes, watts and energy. 50 A rms give 1 V rms; 3.300 V are 4096 codes."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fluksometer.domain import units


def test_a_clamp_at_its_rating_gives_one_volt():
    lsb_of_1_v = Fraction(4096 * 10, 33)
    assert units.LSB_V * lsb_of_1_v == 1
    assert units.watts_per_lsb(clamp_a=50, voltage_v=230) * lsb_of_1_v == 11_500
    assert units.watts_per_lsb(clamp_a=Fraction("47.6"), voltage_v=230) * lsb_of_1_v == 10_948


def test_exact_numbers_are_plain_to_people():
    assert [str(units.plain(value)) for value in (50, Fraction(50), Fraction("47.6"))] == ["50", "50", "47.6"]


def test_offset_does_not_count():
    steps = [100 + 8 * 7, 100 - 8 * 7] * 50
    square = units.mean_square_lsb2(samples=100, sum_sq=sum(x * x for x in steps), sum_steps=sum(steps))
    assert square == 49


@given(st.lists(st.integers(-16383, 16383), min_size=1, max_size=50))
def test_the_mean_square_is_exact(steps):
    found = units.mean_square_lsb2(samples=len(steps), sum_sq=sum(x * x for x in steps), sum_steps=sum(steps))
    mean = Fraction(sum(steps), len(steps))
    assert found == sum((x - mean) ** 2 for x in steps) / len(steps) / 64


def test_sums_that_no_samples_have_are_no_negative_square():
    assert units.mean_square_lsb2(samples=2, sum_sq=0, sum_steps=5) == 0


@pytest.mark.parametrize("clamp_a", [50, Fraction("47.6")])
def test_one_watt_for_an_hour_is_a_million_uwh(clamp_a):
    one_watt_lsb = 1 / units.watts_per_lsb(clamp_a=clamp_a, voltage_v=230)
    charge = one_watt_lsb * 8 * 1024 * 1000 * 3600  # 1/1024 step x ms
    assert charge * units.uwh_per_charge(clamp_a=clamp_a, voltage_v=230) == 1_000_000


def test_one_measured_watt_for_an_hour_is_a_million_uwh():
    lsb2 = 1 / (units.LSB_V * 50 * units.LSB_V * 400)  # V x A
    total = lsb2 * 16 * 1000 * 3600  # 1/16 LSB^2 x ms
    assert total * units.uwh_per_energy(clamp_a=50, adapter_v=400) == 1_000_000


def test_the_boards_units_fit_together():
    assert units.STEP2_Q20_PER_LSB2 == units.STEPS**2 * 2**20
    assert units.PRODUCT_PER_LSB2 == units.STEPS**2 * 16
    assert units.CHARGE_PER_LSB_S == units.STEPS * 1024 * 1000
