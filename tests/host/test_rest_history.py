"""The v1.0 API with history: the manual's examples, its compatibility matrix, units, tokens, status codes."""

import json
from fractions import Fraction
from zoneinfo import ZoneInfo

import pytest
from host.histories import growth, store_at
from host.rest import CLAMP, GAS, KUBE, SECTIONS, Site

from fluksometer.domain.history_query import DEPTHS, RANGES, BadQuery, Span, moment, plain_span, span_of, step_of
from fluksometer.domain.points import Point
from fluksometer.domain.rest_units import BadUnit, conversion, old_conversion
from fluksometer.storage.tmpo import StoredHistory
from fluksometer.web.sensor_api import half_away

EXAMPLE_1_S = 1_310_034_875  # Thu, 07 Jul 2011 10:34:35 GMT, as in the manual
EXAMPLE_2_S = 1_310_042_702  # Thu, 07 Jul 2011 12:45:02 GMT
DAY = 86_400
FIRST_S = EXAMPLE_2_S // DAY * DAY - 29 * DAY
LAST_S = EXAMPLE_2_S // 3600 * 3600  # a value each hour


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A month: the clamp uses 240 W, the gas flows with 86.4 L a day, the attic is at 20 degrees."""
    store = store_at(tmp_path_factory.mktemp("tmpo"))
    times = range(FIRST_S, LAST_S + 1, 3600)
    store.append([growth(times, (240_000 * n for n in range(len(times))), sid=CLAMP)])
    store.append([growth(times, (3600 * n for n in range(len(times))), sid=GAS)])
    kube = range(EXAMPLE_2_S - 7200, EXAMPLE_2_S, 64)
    store.append([growth(kube, (20_000 + n % 2 for n in range(len(kube))), sid=KUBE)])
    store.compact(EXAMPLE_2_S)
    site = Site(StoredHistory(store), price=None)
    site.now_s = EXAMPLE_2_S
    yield site
    site.close()


# --- the manual's examples ---


def test_example_1_a_month_is_28_days_of_a_value_each(site):
    site.now_s = EXAMPLE_1_S
    answer = site.history(f"/sensor/{CLAMP}?interval=month&unit=watt", Accept="application/json")
    site.now_s = EXAMPLE_2_S
    assert (answer.status, answer.headers["Content-Type"]) == (200, "application/json")
    values = json.loads(answer.text)
    midnight = EXAMPLE_1_S // DAY * DAY
    assert [stamp for stamp, _ in values] == [midnight + n * DAY for n in range(-26, 2)]
    assert [value for _, value in values] == [240] * 27 + ["nan"]


def test_example_2_has_the_length_that_the_manual_shows(site):
    answer = site.history(f"/sensor/{CLAMP}?start=1309478400&end=1309996800&resolution=day&unit=watt")
    assert (
        len(answer.body) == int(answer.headers["Content-Length"]) == 122
    )  # six values of three digits, and "nan" for today
    assert answer.text.startswith("[[1309564800,240],")
    assert answer.text.endswith(',[1310083200,"nan"]]')


def test_the_parameters_of_a_sensor(site):
    answer = site.get(f"/sensor/{CLAMP}?version=1.0&token={site.token}&param=all", Accept="application/json")
    assert answer.status == 200
    found = json.loads(answer.text)
    names = ["access", "type", "function", "class", "voltage", "current", "phase", "constant", "enabled", "lastupdate"]
    assert list(found) == names
    assert (found["type"], found["function"], found["class"]) == ("electricity", "main", "analog")
    assert (found["voltage"], found["current"], found["phase"], found["enabled"]) == (230, 50, 1, 1)
    assert found["lastupdate"] == [LAST_S, 240 * (LAST_S - FIRST_S) // 3600]
    gas = json.loads(site.history(f"/sensor/{GAS}?param=all").text)
    assert (gas["voltage"], gas["constant"], gas["phase"]) == (None, 10, None)


# --- times ---


@pytest.mark.parametrize(
    ("interval", "resolution", "rows"),
    [
        ("15min", "minute", 15),
        ("hour", "minute", 60),
        ("day", "15min", 96),
        ("week", "day", 7),
        ("month", "day", 28),
        ("year", "week", 53),  # 365 days are a day more than 52 weeks
        ("decade", "week", 520),
    ],
)
def test_each_interval_has_its_resolution(interval, resolution, rows):
    now_s = EXAMPLE_2_S
    span = span_of({"interval": interval}, now_s)
    assert (span.step_s, span.rows) == (RANGES[resolution], rows)
    assert span.end_s - span.step_s < now_s <= span.end_s  # the value that is under way is the last one


def test_a_moment_on_the_border_belongs_to_what_ends_there():
    assert span_of({"interval": "day", "resolution": "15min"}, 900_000).end_s == 900_000
    assert span_of({"interval": "day", "resolution": "15min"}, 900_001).end_s == 900_900


@pytest.mark.parametrize(
    ("interval", "resolution", "rows"), [("week", "minute", 1440), ("month", "15min", 672), ("decade", "day", 365)]
)
def test_an_interval_is_cut_to_the_depth_of_its_resolution(interval, resolution, rows):
    assert span_of({"interval": interval, "resolution": resolution}, EXAMPLE_2_S).rows == rows == DEPTHS[resolution]


def test_start_alone_is_up_to_now_in_minutes():
    span = span_of({"start": "1310042000"}, EXAMPLE_2_S)
    assert span == Span(1_310_041_980, 1_310_042_760, 60)


# R, X, O of the manual's matrix, and what else is refused.
MATRIX = [
    ({}, "either interval or start"),
    ({"interval": "day", "start": "1"}, "either interval or start"),
    ({"end": "1"}, "either interval or start"),
    ({"interval": "day", "end": "1"}, "end goes with start"),
    ({"interval": "minute"}, "needs a resolution"),
    ({"interval": "fortnight"}, "interval: one of"),
    ({"interval": "day", "resolution": "month"}, "resolution: one of"),
    ({"interval": "night", "resolution": "minute"}, "night"),
    ({"start": "1310042000", "end": "1310000000"}, "end lies before start"),
    ({"start": "yesterday"}, "start: seconds"),
    ({"start": "-1"}, "start: seconds"),
    ({"start": "1.5"}, "start: seconds"),
    ({"start": "99999999999999999999"}, "start: seconds"),
    ({"start": "0", "resolution": "minute"}, "coarser resolution"),
]


@pytest.mark.parametrize(("query", "reason"), MATRIX)
def test_what_does_not_go_together_is_400(site, query, reason):
    with pytest.raises(BadQuery, match=reason):
        span_of(query, EXAMPLE_2_S)
    text = "&".join(f"{name}={value}" for name, value in query.items())
    answer = site.history(f"/sensor/{CLAMP}?{text}&unit=watt")
    assert answer.status == 400
    assert reason in answer.text


@pytest.mark.parametrize(
    "query",
    [
        {"interval": "minute", "resolution": "minute"},
        {"start": "1310000000", "end": "1310000000"},
        {"interval": "night"},
    ],
)
def test_what_goes_together(site, query):
    text = "&".join(f"{name}={value}" for name, value in query.items())
    assert site.history(f"/sensor/{CLAMP}?{text}&unit=watt").status == 200


def test_night_is_two_to_five_local_time_over_the_change_of_clocks():
    span = span_of({"interval": "night"}, 1_774_872_000)  # 30 March 2026, the day after
    bins = span.bins(ZoneInfo("Europe/Brussels"))
    assert len(bins) == 28
    lengths = {end - begin for begin, end in bins}
    assert lengths == {3 * 3600, 2 * 3600}  # 29 March has no hour from 2 to 3
    assert all(end % DAY in (4 * 3600, 3 * 3600) for _, end in bins)


# --- units ---


@pytest.mark.parametrize(
    ("unit", "value"), [("watt", 240), ("kwhperyear", 2102), ("eurperyear", 378), ("audperyear", 399)]
)
def test_electricity_in_every_unit(site, unit, value):
    answer = site.history(f"/sensor/{CLAMP}?start={EXAMPLE_2_S - 2 * DAY}&resolution=day&unit={unit}")
    assert json.loads(answer.text)[0][1] == value


@pytest.mark.parametrize(("unit", "value"), [("lpermin", 0), ("lperday", 86), ("m3peryear", 32)])
def test_gas_in_every_unit(site, unit, value):
    answer = site.history(f"/sensor/{GAS}?start={EXAMPLE_2_S - 2 * DAY}&resolution=day&unit={unit}")
    assert json.loads(answer.text)[0][1] == value


def test_the_users_own_price_counts():
    assert old_conversion("eurperyear", "Wh", True, Fraction(3, 10)).factor == Fraction("9460.8")
    assert old_conversion("eurperyear", "Wh", True, None).factor == 5676
    assert old_conversion("audperyear", "Wh", True, None).factor == 5991
    assert old_conversion("kwhperyear", "W", False, None).factor == Fraction("8.76")


@pytest.mark.parametrize("unit", ["", "&unit=lperday", "&unit=volt", "&unit=Watt"])
def test_a_unit_that_the_sensor_has_not_is_400(site, unit):
    answer = site.history(f"/sensor/{CLAMP}?interval=day{unit}")
    assert answer.status == 400
    assert "watt" in answer.text


def test_a_temperature_has_no_unit_of_the_old_api_and_a_mean_in_the_new(site):
    assert "/api/v1" in site.history(f"/sensor/{KUBE}?interval=day&unit=watt").text
    found = json.loads(site.history(f"/api/v1/sensors/{KUBE}/readings?from=now-1h").text)
    assert found["unit"] == "°C"
    assert {round(value) for _, value in found["readings"][:-1]} == {20}


def test_present_values_are_read_a_day_at_a_time_and_not_for_ever(site):
    target = f"/api/v1/sensors/{KUBE}/readings?interval=1d&from=now-"
    found = json.loads(site.history(f"{target}20d").text)["readings"]
    assert len(found) == 21
    assert [value for _, value in found[:-1]] == [None] * 20
    assert found[-1][1] is None  # two hours of twelve
    minutes = json.loads(site.history(f"/api/v1/sensors/{KUBE}/readings?interval=1h&from=now-10d").text)["readings"]
    assert [round(value) for _, value in minutes if value is not None] == [20] * 2  # of the first hour a quarter
    assert "400 days" in site.history(f"{target}500d").text


def test_rounding_is_away_from_zero():
    assert [half_away(value) for value in (0.5, 1.5, -0.5, -1.5, 2.4, -2.4)] == [1, 2, -1, -2, 2, -2]


# --- versions, tokens, forms ---


def test_version_and_token_from_header_or_query_but_one_place(site):
    target = f"/sensor/{CLAMP}?interval=day&unit=watt"
    both = {"X_Version": "1.0", "X_Token": site.token}
    assert site.get(target, **both).status == 200
    assert site.get(f"{target}&version=1.0&token={site.token}").status == 200
    assert site.get(f"{target}&version=1.0", X_Token=site.token).status == 200
    assert site.get(f"{target}&version=1.0", **both).status == 400
    assert site.get(f"{target}&token={site.token}", **both).status == 400
    assert site.get(target, X_Token=site.token).status == 400
    assert site.get(target, X_Version="1.1", X_Token=site.token).status == 400
    assert site.get(target, X_Version="1.0", X_Token=site.token.upper()).status == 400
    assert site.get(f"{target}&version=1.0&version=1.0", X_Token=site.token).status == 400
    assert site.get(f"/sensor/{CLAMP}?start=1310000000&unit=watt&version=1.0").status == 400  # no token
    assert site.get(target, X_Version="1.0", Authorization=f"Bearer {site.token}").status == 200
    assert site.get(target, X_Version="1.0", Authorization="Bearer x").status == 400
    assert site.get(target, Authorization="Basic eDp5", **both).status == 200  # for a proxy in front


def test_a_sensor_level_token_opens_its_sensor_alone(site):
    for target in ("?interval=day&unit=lperday", "?param=all", "/tmpo/sync?rid=0&lvl=0&bid=0"):
        assert site.history(f"/sensor/{GAS}{target}", X_Token=site.gas_token).status == 200
        refused = site.history(f"/sensor/{CLAMP}{target.replace('lperday', 'watt')}", X_Token=site.gas_token)
        assert refused.status == 401
        assert "Access refused" in refused.headers["WWW-Authenticate"]
    assert site.history(f"/api/v1/sensors/{CLAMP}/readings", X_Token=site.gas_token).status == 401
    assert site.history(f"/api/v1/sensors/{GAS}/readings", X_Token=site.gas_token).status == 200


def test_who_has_no_right_token_can_not_tell_which_sensors_there_are(site):
    wrong = "0" * 32
    answers = {site.history(f"/sensor/{one}?param=all", X_Token=wrong).body for one in (CLAMP, "9" * 32)}
    assert answers == {b"Access refused"}
    assert site.history(f"/sensor/{'9' * 32}?param=all").status == 404


def test_csv_and_jsonp(site):
    target = f"/sensor/{CLAMP}?start=1309478400&end=1309996800&resolution=day&unit=watt"
    csv = site.history(target, Accept="text/csv")
    assert csv.headers["Content-Type"].startswith("text/csv")
    assert csv.body.startswith(b"1309564800,240\r\n")
    assert csv.body.endswith(b"1310083200,nan\r\n")
    assert site.history(target, Accept="image/png").status == 406
    assert site.history(target, Accept="text/csv;q=0.5, application/json").text.startswith("[[")
    assert site.history(f"{target}&callback=show").text.startswith("show([[1309564800,240],")
    assert site.history(f"{target}&callback=a.b").status == 400


def test_a_bridge_without_history_says_so():
    site = Site()
    try:
        answer = site.history(f"/sensor/{CLAMP}?interval=day&unit=watt")
        assert (answer.status, answer.text) == (404, "this bridge keeps no history")
        assert json.loads(site.history(f"/sensor/{CLAMP}?param=all").text)["lastupdate"] is None
    finally:
        site.close()


# --- today's forms ---


@pytest.mark.parametrize(
    ("text", "time_s"),
    [
        ("now", 1000),
        ("now-10m", 400),
        ("1700000000", 1_700_000_000),
        ("1700000000123", 1_700_000_000),
        ("2023-11-14T22:13:20Z", 1_700_000_000),
        ("2023-11-14T23:13:20+01:00", 1_700_000_000),
        ("2023-11-14T23:13:20 01:00", 1_700_000_000),
        ("2023-11-14 22:13:20", 1_700_000_000),
        ("2023-11-14", 1_699_920_000),
    ],
)
def test_times_as_people_write_them(text, time_s):
    assert moment(text, 1000.5) == time_s


@pytest.mark.parametrize(
    "text", ["", "soon", "now-", "now-1x", "now+1d", "2023-13-01", "-5", "1e9", "9" * 15, "9999-12-31", "nan"]
)
def test_what_is_no_time(text):
    with pytest.raises(BadQuery):
        moment(text, 1000)


def test_steps():
    assert [step_of(one) for one in ("minute", "15min", "1h", "2d", "30", "5m")] == [60, 900, 3600, 172_800, 30, 300]
    for text in ("", "0.5", "h", "night", "-60", "1e3"):
        with pytest.raises(BadQuery):
            step_of(text)
    assert plain_span(0, 86_400, None).step_s == 60
    assert plain_span(0, 31_536_000, None).step_s == 86_400
    for start_s, end_s, step_s in ((10, 10, 60), (0, 10, 0), (0, 31_536_000, 60)):
        with pytest.raises(BadQuery):
            plain_span(start_s, end_s, step_s)


def test_units_of_today():
    assert conversion(None, "Wh", True, None).unit == "W"
    assert conversion("kWh", "Wh", True, None).amount
    assert conversion("m3", "L", True, None).factor == Fraction(1, 1000)
    assert conversion(None, "°C", False, None).factor == 1
    assert conversion("watt", "W", False, None).factor == 1
    for unit, own, counts in (("L", "Wh", True), ("K", "°C", False), ("watt", "°C", False)):
        with pytest.raises(BadUnit):
            conversion(unit, own, counts, None)


def test_energy_of_each_day_and_of_today_so_far(site):
    target = f"/api/v1/sensors/{CLAMP}/readings?from=2011-07-06&to=now&interval=1d&unit=kWh"
    answer = site.history(target)
    found = json.loads(answer.text)
    assert found["unit"] == "kWh"
    (first_s, whole), (today_s, so_far) = found["readings"]
    assert (first_s, whole) == (1_309_910_400, 5.76)
    assert today_s == 1_309_996_800
    assert so_far == pytest.approx(0.24 * (LAST_S - today_s) / 3600, abs=0.001)
    csv = site.history(target, Accept="text/csv")
    assert csv.text.splitlines()[:2] == ["time,kWh", "1309910400,5.76"]
    again = site.history(target, If_None_Match=answer.headers["ETag"])
    assert (again.status, again.body) == (304, b"")


def test_present_values_of_all_sensors(site):
    site.live.published(
        [Point(CLAMP, 0, "gauge", EXAMPLE_2_S, 240_000, "W"), Point(CLAMP, 0, "counter", EXAMPLE_2_S, 1500, "Wh")]
    )
    found = json.loads(site.get("/api/v1/sensors").text)
    assert [one["id"] for one in found] == [section["id"] for section in SECTIONS.values() if "id" in section]
    assert found[0]["gauge"] == {"time": EXAMPLE_2_S, "value": 240, "unit": "W"}
    assert found[0]["counter"]["value"] == 1.5
    assert json.loads(site.get(f"/api/v1/sensors/{GAS}").text)["gauge"] is None
    assert site.get(f"/api/v1/sensors/{'9' * 32}").status == 404
    site.live.configured({})
    site.live.configured(SECTIONS)


def test_pages_may_read_api_v1_only_from_named_origins(site):
    named = site.get("/api/v1/sensors", Origin="https://dash.example")
    assert named.headers["Access-Control-Allow-Origin"] == "https://dash.example"
    assert named.headers["Vary"] == "Origin"
    assert "Access-Control-Allow-Origin" not in site.get("/api/v1/sensors", Origin="https://evil.example").headers
    asked = site.get(f"/sensor/{CLAMP}?interval=day", "OPTIONS", Origin="https://evil.example")
    assert asked.status == 204
    assert "X-Token" in asked.headers["Access-Control-Allow-Headers"]
