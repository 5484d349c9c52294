"""What a listener makes of the messages it hears."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fluksometer.domain.live_table import LiveTable, Value

SID = "0123456789abcdef0123456789abcdef"
DEVICE = "d" * 32


def heard(*messages, now_s=1000.0):
    table = LiveTable()
    for topic, payload, retained in messages:
        table.take(topic, payload.encode(), retained=retained, now_s=now_s)
    return table


def config(**section):
    section = {"id": SID, "enable": 1, "function": "clamp 1", "type": "electricity", "port": [1]} | section
    return f"/device/{DEVICE}/config/sensor", json.dumps({"main": {}, "1": section}), True


def test_names_gauges_and_counters_come_together():
    table = heard(
        (f"/sensor/{SID}/gauge", '[990,2298,"W"]', False), config(), (f"/sensor/{SID}/counter", '[991,0.5,"Wh"]', False)
    )
    (row,) = table.sorted_rows()
    assert (row.name, row.medium, row.port) == ("clamp 1", "electricity", 1)
    assert (row.gauge.text, row.counter.text, row.age_s(1000.0)) == ("2298 W", "0.5 Wh", 9.0)
    assert table.lacking() is None


def test_what_is_missing_is_named():
    assert "no sensor was heard" in heard().lacking()
    assert "no fresh gauge and no counter" in heard(config()).lacking()
    assert "no fresh counter" in heard((f"/sensor/{SID}/gauge", "[990,1]", False)).lacking()


def test_a_voltage_alone_needs_no_counter():
    assert heard((f"/sensor/{SID}/gauge", '[990,231,"V"]', False)).lacking() is None
    assert "no fresh gauge" in heard((f"/sensor/{SID}/gauge", '[900,231,"V"]', True)).lacking()


def test_an_old_retained_reading_proves_nothing():
    assert "gauge" in heard((f"/sensor/{SID}/gauge", '[900,1,"W"]', True)).lacking()
    assert "gauge" not in heard((f"/sensor/{SID}/gauge", '[990,1,"W"]', True)).lacking()


def test_disabled_sensors_are_not_shown():
    assert heard(config(enable=0)).sorted_rows() == []


def test_values_for_people():
    assert Value(0, 5000.5, "Wh").text == "5000.5 Wh"
    assert Value(0, 12345678.0, "Wh").text == "12345678 Wh"
    assert Value(0, 1234567.125, "Wh").text == "1234567.125 Wh"
    assert Value(0, 0.0, "W").text == "0 W"
    assert Value(0, 100.0, "").text == "100"


@given(st.sampled_from([f"/sensor/{SID}/gauge", f"/device/{DEVICE}/config/sensor", "/x"]), st.binary(max_size=200))
def test_any_payload_is_borne(topic, payload):
    LiveTable().take(topic, payload, retained=False, now_s=0.0)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5) | st.just("id"), inner, max_size=4),
)


@given(st.sampled_from([f"/sensor/{SID}/gauge", f"/device/{DEVICE}/config/sensor"]), json_values)
def test_any_json_is_borne(topic, value):
    table = heard((topic, json.dumps(value), False))
    for row in table.sorted_rows():
        assert row.age_s(0.0) is None or row.age_s(0.0) >= 0
        for shown in (row.gauge, row.counter):
            assert shown is None or shown.text is not None


@pytest.mark.parametrize("reading", ["[1e400,1]", "[1" + "0" * 400 + ",1]", "[1,NaN]", "[1,1e300]", "[-1,1]"])
def test_numbers_out_of_any_range_are_not_shown(reading):
    table = heard((f"/sensor/{SID}/gauge", reading, False))
    assert (table.rows, table.unreadable) == ({}, 1)


def test_words_of_strangers_can_not_steer_the_terminal():
    table = heard(config(function="\x1b[2Ja" + "b" * 99), (f"/sensor/{SID}/gauge", '[990,1,"\\u001b"]', False))
    (row,) = table.sorted_rows()
    assert row.name == " [2Ja" + "b" * 59
    assert row.gauge.text == "1"


def test_health_is_shown_with_what_helps_while_it_is_told():
    table = LiveTable()
    topic, faults = f"/device/{'a' * 32}/health", [{"what": "x", "says": f"do {n}\x1b[2J"} for n in range(9)]
    body = {"time": 1000, "state": "fault", "faults": faults}
    table.take(topic, json.dumps(body).encode(), retained=True, now_s=1010)
    assert table.health_lines(1010) == ["health: fault", *(f"do {n} [2J" for n in range(5))]
    assert table.health_lines(2000) == []
    for bad in (
        b"[]",
        b"{}",
        b'{"time":"x","state":"ok","faults":[]}',
        b'{"time":1,"state":"ok","faults":[5]}',
        b"\xff",
    ):
        table.take(topic, bad, retained=False, now_s=1010)
    assert table.unreadable == 5
    assert table.health_lines(1010)[0] == "health: fault"
