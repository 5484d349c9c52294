"""Counts to watts. 50 A rms give 1 V rms; 3.300 V are 4096 codes."""

from fractions import Fraction
from math import sqrt

from hypothesis import given
from hypothesis import strategies as st

from fluksometer.domain import units


def test_a_clamp_at_its_rating_gives_one_volt():
    square = Fraction(4096 * 10, 33) ** 2  # LSB^2 of 1 V
    assert units.rms_a(square, 50) == 50.0
    assert units.power_w(square, clamp_a=50, voltage_v=230) == 11_500
    assert units.power_w(square, clamp_a=500, voltage_v=999) == 499_500


def test_a_clamp_of_any_rating_is_exact():
    square = Fraction(4096 * 10, 33) ** 2  # LSB^2 of 1 V
    clamp_a = Fraction("47.6")
    assert units.power_w(square, clamp_a=clamp_a, voltage_v=230) == 10_948
    assert units.rms_a(square, clamp_a) == 47.6
    assert units.uwh_per_charge(clamp_a=clamp_a, voltage_v=230) * 500 == 476 * units.uwh_per_charge(
        clamp_a=50, voltage_v=230
    )


def test_exact_numbers_are_plain_to_people():
    assert [str(units.plain(value)) for value in (50, Fraction(50), Fraction("47.6"))] == ["50", "50", "47.6"]


def test_offset_does_not_count():
    codes = [100 + 7, 100 - 7] * 50
    square = units.mean_square_lsb2(samples=100, sum_sq=sum(c * c for c in codes), sum_lsb=sum(codes))
    assert square == 49


def test_half_a_watt_is_rounded_up():
    per_lsb = units.watts_per_lsb(clamp_a=50, voltage_v=230)
    assert units.power_w((Fraction(1, 2) / per_lsb) ** 2, clamp_a=50, voltage_v=230) == 1
    assert units.power_w((Fraction(49, 100) / per_lsb) ** 2, clamp_a=50, voltage_v=230) == 0
    assert units.power_w(Fraction(0), clamp_a=50, voltage_v=230) == 0


@given(st.integers(0, 2047**2), st.sampled_from([50, 100, 250, 500]), st.integers(1, 999))
def test_power_agrees_with_floating_point(square, clamp_a, voltage_v):
    exact = sqrt(square) * 3.3 / 4096 * clamp_a * voltage_v
    assert abs(units.power_w(Fraction(square), clamp_a=clamp_a, voltage_v=voltage_v) - exact) <= 0.5 + 1e-6


def test_one_watt_for_an_hour_is_a_million_uwh():
    worth = units.uwh_per_charge(clamp_a=50, voltage_v=230)
    one_watt_lsb = 1 / units.watts_per_lsb(clamp_a=50, voltage_v=230)
    assert one_watt_lsb * 1024 * 1000 * 3600 * worth == 1_000_000
