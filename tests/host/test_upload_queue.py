"""Totals that wait for the server: which, and ever fewer the older they are."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fluksometer.domain.flukso_call import digest, is_signed, measurements_body
from fluksometer.domain.points import Point
from fluksometer.domain.server_light import BLINK_S, ServerLight
from fluksometer.domain.upload_queue import UploadQueue, thin
from fluksometer.shared.terminal_records import LED_FAST, LED_OFF, LED_ON

NOW_S = 1_760_000_000
A, B = "a" * 32, "b" * 32
seconds = st.lists(st.integers(NOW_S - 5 * 86_400, NOW_S), unique=True, max_size=400).map(sorted)


def test_the_first_and_last_of_each_minute_quarter_and_day_stay():
    minute = NOW_S // 60 * 60 - 120
    each_second = [(minute + n, n) for n in range(120)]
    assert thin(each_second, NOW_S) == [(minute, 0), (minute + 59, 59), (minute + 60, 60), (minute + 119, 119)]
    quarter = (NOW_S - 3 * 3600) // 900 * 900
    assert thin([(quarter + 60 * n, n) for n in range(15)], NOW_S) == [(quarter, 0), (quarter + 840, 14)]
    day = (NOW_S - 4 * 86_400) // 86_400 * 86_400
    assert thin([(day + 900 * n, n) for n in range(96)], NOW_S) == [(day, 0), (day + 85_500, 95)]
    assert thin([], NOW_S) == [] and thin([(minute, 1)], NOW_S) == [(minute, 1)]


@given(seconds, st.integers(0, 400), st.integers(0, 3 * 86_400))
def test_thinning_bit_by_bit_is_thinning_once(times, cut, later_s):
    points = [(time_s, number) for number, time_s in enumerate(times)]
    early = thin(points[:cut], NOW_S)
    assert thin(early + points[cut:], NOW_S + later_s) == thin(points, NOW_S + later_s)


@given(seconds)
def test_what_stays_is_bounded_and_holds_both_ends(times):
    points = [(time_s, number) for number, time_s in enumerate(times)]
    kept = thin(points, NOW_S)
    assert len(kept) <= 2 * (121 + 185 + 5) and set(kept) <= set(points) and kept == sorted(kept)
    if points:
        assert kept[0] == points[0] and kept[-1] == points[-1]


def counter(milli, time_s, sensor_id=A, unit="Wh", kind="counter"):
    return Point(sensor_id, 0, kind, time_s, milli, unit)


def test_whole_totals_count_when_they_change_and_nothing_else_does():
    queue = UploadQueue()
    for point in (
        counter(1000, NOW_S - 50),
        counter(1500, NOW_S - 40),  # no whole number, as with half a Wh a pulse
        counter(2000, NOW_S - 30),
        counter(2000, NOW_S - 20),
        counter(9000, NOW_S - 30),  # a second that was sent
        counter(5000, NOW_S, unit="W", kind="gauge"),
        counter(5000, NOW_S, sensor_id=B, unit="varh"),
        counter(7000, 1_234_567_890, sensor_id=B),  # nobody had set the clock
        counter(-1500, NOW_S, sensor_id=B),  # import less export
    ):
        queue.add(point, NOW_S)
    assert queue.thinned(NOW_S) == {A: [(NOW_S - 50, 1), (NOW_S - 30, 2)], B: [(NOW_S, -2)]}
    queue.sent(A)
    assert queue.thinned(NOW_S) == {B: [(NOW_S, -2)]}


def test_only_the_sensors_that_are_named_are_uploaded():
    queue = UploadQueue([B])
    queue.add(counter(1000, NOW_S), NOW_S)
    queue.add(counter(1000, NOW_S, sensor_id=B, unit="L"), NOW_S)
    assert queue.thinned(NOW_S) == {B: [(NOW_S, 1)]}


def test_a_month_without_a_server_stays_small():
    queue = UploadQueue()
    for n in range(0, 30 * 86_400, 20):
        queue.add(counter(1000 * n, NOW_S - 30 * 86_400 + n), NOW_S - 30 * 86_400 + n)
    assert len(queue.thinned(NOW_S)[A]) <= 2 * (121 + 185 + 30)


@pytest.mark.parametrize(
    ("body", "signed"),
    [
        (
            b'{"measurements":[[1310047446,1006793948],[1310047506,1006793950]]}',
            "8e53783d200e1e622ce36902422e88bd4906fff8",
        ),
        (b'{"upgrade":0,"timestamp":1310047506}', "aec0e11e6d91ca83b4ce28ef152cde907319116c"),
    ],
)
def test_bodies_are_signed_as_the_original_signs_them(body, signed):
    key = "0123456789abcdef0123456789abcdef"
    assert digest(key, body) == signed and is_signed(key, body, signed.upper())
    assert not is_signed(key, body + b" ", signed) and not is_signed(key, body, "é" * 40)


def test_measurements_are_written_as_the_original_writes_them():
    pairs = [(1310047446, 1006793948), (1310047506, 1006793950)]
    assert measurements_body(pairs) == b'{"measurements":[[1310047446,1006793948],[1310047506,1006793950]]}'


def test_the_globe_blinks_after_each_success_and_is_off_after_a_failure():
    light = ServerLight()
    assert light.mode(0.0) == LED_OFF
    light.called(True)
    assert [light.mode(at) for at in (1.0, 1.0 + BLINK_S / 2, 1.0 + BLINK_S)] == [LED_FAST, LED_FAST, LED_ON]
    light.called(False)
    assert light.mode(3.0) == LED_OFF
    light.called(True)
    assert light.mode(4.0) == LED_FAST and light.mode(6.0) == LED_ON
