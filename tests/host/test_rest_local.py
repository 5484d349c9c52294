"""The local API: the last minute of a sensor, byte for byte as the original (manual; flukso.md 5.1)."""

import re

import pytest
from host.rest import CLAMP, GAS, KUBE, OTHER, Site

from fluksometer.domain.live_sensors import LiveSensor, LiveSensors
from fluksometer.domain.points import Point
from fluksometer.web.local_api import MALFORMED

NOW_S = 1_310_047_505
QUERY = "version=1.0&interval=minute&unit=watt"


def gauge(time_s, value, sensor_id=CLAMP, unit="W"):
    return Point(sensor_id, 0, "gauge", time_s, round(value * 1000), unit)


def window(*points, now_s):
    sensor = LiveSensor(CLAMP, {"enable": 1})
    for point in points:
        sensor.take(point)
    return sensor.window(now_s)


def test_a_second_without_a_value_has_that_of_the_next_pulse():
    slots = dict(window(gauge(100, 1200), gauge(130, 2400), now_s=131))
    assert slots == {100: 1_200_000} | dict.fromkeys(range(101, 131), 2_400_000) | {131: None}


def test_exactly_a_minute_is_shown_once_there_is_one():
    slots = window(*(gauge(1000 + n, n) for n in range(200)), now_s=1199)
    assert [second for second, _ in slots] == list(range(1140, 1200))
    assert [milli for _, milli in slots] == [n * 1000 for n in range(140, 200)]


def test_a_slow_pulse_fills_the_whole_minute_back():
    slots = window(gauge(100, 60), gauge(300, 18), now_s=301)
    assert slots == [(second, 18_000) for second in range(242, 301)] + [(301, None)]


def test_a_sensor_that_stays_silent_is_not_known_any_more():
    assert window(gauge(100, 5), now_s=500) == [(second, None) for second in range(441, 501)]
    assert window(now_s=500) == []


def test_a_clock_that_is_set_back_leaves_no_value_of_the_future():
    slots = window(gauge(5000, 1), gauge(1000, 2), gauge(1001, 3), now_s=1001)
    assert slots == [(1000, 2000), (1001, 3000)]


def test_memory_is_bounded_by_a_minute():
    sensor = LiveSensor(CLAMP, {})
    for second in range(10_000):
        sensor.take(gauge(second, 1))
    assert len(sensor.minute) == 60


def test_a_value_that_comes_before_its_sensor_is_described_is_not_lost():
    live = LiveSensors()
    live.published([gauge(100, 7)])
    assert live.get(CLAMP) is None
    assert live.all() == []
    live.configured({"7": {"id": CLAMP, "enable": 1}})
    assert live.get(CLAMP).gauge.milli == 7000
    live.configured({})
    assert live.get(CLAMP) is None


@pytest.fixture(scope="module")
def site():
    site = Site()
    site.now_s = NOW_S + 0.9
    yield site
    site.close()


@pytest.fixture
def measured(site):
    for second in range(NOW_S - 80, NOW_S - 1):
        site.live.published([gauge(second, 124 + second % 2)])
    site.live.published([gauge(NOW_S - 30, 21.79, KUBE, "°C"), gauge(NOW_S - 3, 28_800, GAS, "L/day")])
    return site


def test_the_example_of_the_manual_byte_for_byte(measured):
    answer = measured.get(f"/sensor/{CLAMP}?version=1.0&interval=minute&unit=watt&callback=realtime")
    assert answer.status == 200
    assert answer.headers["Content-Type"] == "application/json"
    assert "X-Content-Type-Options" not in answer.headers  # with it browsers would not run JSON as a script
    slots = [f"[{second},{124 + second % 2}]" for second in range(NOW_S - 59, NOW_S - 1)]
    slots += [f'[{second},"nan"]' for second in (NOW_S - 1, NOW_S)]
    assert answer.text == f"realtime([{','.join(slots)}]);"
    plain = measured.get(f"/sensor/{CLAMP}?{QUERY}")
    assert plain.text == f"[{','.join(slots)}]"
    assert plain.headers["X-Content-Type-Options"] == "nosniff"
    assert plain.headers["Access-Control-Allow-Origin"] == "*"


def test_kubes_and_flows_are_there_too(measured):
    assert f"[{NOW_S - 30},21.79]," in measured.get(f"/sensor/{KUBE}?{QUERY}").text
    flow = measured.get(f"/sensor/{GAS}?version=1.0&interval=minute&unit=lperday").text
    assert flow == f'[[{NOW_S - 3},28800],[{NOW_S - 2},"nan"],[{NOW_S - 1},"nan"],[{NOW_S},"nan"]]'


def test_the_version_may_be_a_header(measured):
    assert measured.get(f"/sensor/{CLAMP}?interval=minute&unit=watt", X_Version="1.0").status == 200
    assert measured.get(f"/sensor/{CLAMP}?{QUERY}", X_Version="1.0").status == 200
    assert measured.get(f"/sensor/{CLAMP}?{QUERY}", X_Version="2.0").status == 400


@pytest.mark.parametrize(
    "query",
    [
        "",
        "interval=minute&unit=watt",
        "version=1.0&unit=watt",
        "version=1.0&interval=minute",
        "version=1.1&interval=minute&unit=watt",
        "version=1.0&interval=hour&unit=watt",
        "version=1.0&interval=minute&unit=kwhperyear",
    ],
)
def test_what_is_not_its_only_form_is_malformed(site, query):
    answer = site.get(f"/sensor/{CLAMP}?{query}")
    assert (answer.status, answer.text) == (400, MALFORMED)


@pytest.mark.parametrize(
    "callback",
    ["a-b", "alert(1)//", "a%28", "%3Cscript%3E", "a.b", "", "x" * 65, "é", "a%00", "a%0d%0ab", "f;g", "a b", "[0]"],
)
@pytest.mark.parametrize("name", ["callback", "jsonp_callback"])
def test_a_callback_that_is_no_name_is_refused(site, callback, name):
    target = f"/sensor/{CLAMP}?{QUERY}&{name}={callback}".encode().decode("latin-1")
    answer = site.get(re.sub(r"[^\x21-\x7e]", lambda found: f"%{ord(found[0]):02x}", target))
    assert answer.status == 400
    assert callback.encode() not in answer.body or callback == ""


def test_sensors_that_are_not_there(site):
    assert site.get(f"/sensor/{'0' * 32}?{QUERY}").status == 404
    assert site.get(f"/sensor/{OTHER}?{QUERY}").status == 404  # not enabled
    assert site.get(f"/sensor/{'0' * 31}?{QUERY}").status == 400
    assert site.get(f"/sensor/{CLAMP.upper()}?{QUERY}").status == 400


def test_nothing_measured_yet_is_an_empty_list_also_for_a_callback():
    site = Site()
    try:
        assert site.get(f"/sensor/{CLAMP}?{QUERY}").text == "[]"
        assert site.get(f"/sensor/{CLAMP}?{QUERY}&callback=f").text == "f([]);"
    finally:
        site.close()
