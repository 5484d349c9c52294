"""Payloads of foreign sensors: what is taken, and what is not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fluksometer.domain.foreign import ForeignReading, ForeignRefused, foreign_reading

NOW_S = 1_700_000_000.0


def take(payload, unit="Wh", *, counts=True):
    return foreign_reading(payload, unit, counts=counts, now_s=NOW_S)


@pytest.mark.parametrize(
    ("payload", "time_s", "milli"),
    [
        (b'[1699999990,2149218,"Wh"]', 1_699_999_990, 2_149_218_000),
        (b'[1699999990, 2149218.125, "Wh"]', 1_699_999_990, 2_149_218_125),  # as an FLM03 writes it
        (b'[1699999990.75,0.1,"Wh"]', 1_699_999_990, 100),
        (b'[1700000060,0,"Wh"]', 1_700_000_060, 0),
    ],
)
def test_readings(payload, time_s, milli):
    assert take(payload) == ForeignReading(time_s, milli)


def test_a_gauge_may_be_negative():
    assert take(b'[1699999990,-1500.5,"W"]', "W", counts=False) == ForeignReading(1_699_999_990, -1_500_500)


SHAPE = 'not [time,value,"Wh"]'


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"", "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b"12", SHAPE),
        (b"[12]", SHAPE),
        (b'[1699999990,"12","Wh"]', SHAPE),
        (b'[true,12,"Wh"]', SHAPE),
        (b'[1699999990,true,"Wh"]', SHAPE),
        (b'[1699999990,null,"Wh"]', SHAPE),
        (b'[1699999990,1,"Wh",4]', SHAPE),
        (b'[1699999990,NaN,"Wh"]', "not JSON"),
        (b'[1699999990,-Infinity,"Wh"]', "not JSON"),
        (b'[1699999990,1e400,"Wh"]', "a value that can't be"),
        (b'[1699999990,1e999999999999999999999,"Wh"]', "not JSON"),
        (b'[1699999990,1000000000000,"Wh"]', "a value that can't be"),
        (b'[1699999990,-1,"Wh"]', "a value that can't be"),
        (b'[1699999990,1,"kWh"]', 'another unit than "Wh"'),
        (b"[1699999990,1,1]", 'another unit than "Wh"'),
        (b'[0,1,"Wh"]', "a time that can't be: UTC in seconds is needed, and right clocks at both ends"),
        (b'[1699999990000,1,"Wh"]', "a time that can't be: UTC in seconds is needed, and right clocks at both ends"),
        (b'[1700000061,1,"Wh"]', "a time that can't be: UTC in seconds is needed, and right clocks at both ends"),
        (b'[1e400,1,"Wh"]', "a time that can't be: UTC in seconds is needed, and right clocks at both ends"),
        (b"[" * 201, "longer than 200 bytes"),
        (b"[" * 200, "not JSON"),
    ],
)
def test_what_is_none_is_refused(payload, reason):
    with pytest.raises(ForeignRefused) as caught:
        take(payload)
    assert str(caught.value) == reason


@given(st.binary(max_size=220) | st.from_regex(rb'\A\[[-0-9eE.]{1,30},[-0-9eE.]{1,30},"Wh"\]\Z'))
def test_any_bytes_are_a_reading_or_refused(payload):
    try:
        reading = take(payload)
    except ForeignRefused:
        return
    assert 1_234_567_890 <= reading.time_s <= NOW_S + 60
    assert 0 <= reading.milli <= 10**15
