"""Sensors that others tell: what is published of them, and what the configuration says."""

import json

from host.making import make_sensor
from hypothesis import given
from hypothesis import strategies as st

from fluksometer.domain import topics
from fluksometer.domain.told import ToldBook, ToldSensor

AT_S = 1_700_000_000.25


def told(number=1, **given):
    fields = {"sensor_class": "cosem", "kind": "electricity", "function": "import", "unit": "Wh", "counts": True}
    return ToldSensor(sensor_id=f"{number:032x}", **fields | given)


def test_a_total_is_a_counter_and_published_when_it_grew():
    book, sensor = ToldBook(), told()
    (point,) = book.take(sensor, 1_234_500, AT_S)
    assert (point.topic, point.payload) == (f"/sensor/{1:032x}/counter", '[1700000000,1234.5,"Wh"]')
    assert book.take(sensor, 1_234_500, AT_S + 1) == []
    assert book.take(sensor, 1_235_000, AT_S + 2)[0].payload == '[1700000002,1235,"Wh"]'


def test_a_total_that_falls_is_refused_and_counted():
    book, sensor = ToldBook(), told()
    book.take(sensor, 5000, AT_S)
    assert book.take(sensor, 4999, AT_S + 1) == [] and book.refused[sensor.sensor_id] == 1
    assert book.take(sensor, 6000, AT_S + 2)[0].payload.startswith("[1700000002,6,")


def test_a_present_value_goes_up_and_down_and_is_repeated():
    book, sensor = ToldBook(), told(counts=False, unit="W")
    payloads = [book.take(sensor, milli, AT_S + n)[0].payload for n, milli in enumerate((-1500, 0, 0))]
    assert payloads == ['[1700000000,-1.5,"W"]', '[1700000001,0,"W"]', '[1700000002,0,"W"]']
    assert book.take(sensor, 7, AT_S + 2) == []  # that second is taken


def test_without_a_time_a_total_is_kept_and_published_later():
    book, sensor = ToldBook(), told()
    assert book.take(sensor, 5000, None) == []
    assert book.take(sensor, 4000, AT_S) == [] and book.refused[sensor.sensor_id] == 1
    assert book.take(sensor, 5000, AT_S)[0].payload == '[1700000000,5,"Wh"]'


def test_after_the_clock_was_set_back_seconds_are_free_again():
    book, sensor = ToldBook(), told(counts=False)
    book.take(sensor, 1000, AT_S)
    assert book.take(sensor, 1000, AT_S - 100) == []
    book.clock_set_back()
    assert book.take(sensor, 1000, AT_S - 100)


def test_an_event_is_not_retained():
    assert not ToldBook().take(told(retain=False), 1000, AT_S)[0].retain


def test_the_book_tells_when_its_sensors_changed():
    book, sensor = ToldBook(), told()
    book.know(sensor)
    assert book.changed
    book.changed = False
    book.take(sensor, 1000, AT_S)
    assert not book.changed
    book.know(told(function="drawn"))
    assert book.changed and [one.function for one in book.sensors.values()] == ["drawn"]
    book.changed = False
    book.forget(sensor.sensor_id)
    book.forget(sensor.sensor_id)
    assert book.changed and not book.sensors


def test_told_sensors_stand_behind_the_ports_in_the_published_configuration():
    sections = [told(number, more=(("kid", number),)).section() for number in (1, 2)]
    own = [make_sensor(), make_sensor(sensor_id="f" * 32, function="b")]
    found = json.loads(
        topics.sensor_config("d" * 32, topics.sensor_sections("home", "0.1.0", own, None, sections)).payload
    )
    assert [key for key in found if key.isdigit()] == ["1", "7", "8", "9"]
    assert found["9"] == {
        "id": f"{2:032x}",
        "enable": 1,
        "class": "cosem",
        "type": "electricity",
        "function": "import",
        "data_type": "counter",
        "unit": "Wh",
        "rid": 0,
        "kid": 2,
    }


@given(st.lists(st.integers(-(1 << 40), 1 << 40), max_size=30))
def test_no_published_total_is_below_one_before(values):
    book, sensor = ToldBook(), told()
    messages = [one for n, milli in enumerate(values) for one in book.take(sensor, milli, AT_S + n)]
    amounts = [json.loads(message.payload)[1] for message in messages]
    assert amounts == sorted(set(amounts))


def test_what_was_heard_is_known_whether_it_is_published_or_not():
    book, sensor = ToldBook(), told()
    for second in (0, 1):
        book.take(sensor, 5000, AT_S + second)
    assert book.heard == {sensor.sensor_id: AT_S + 1}
    book.take(sensor, 4000, AT_S + 2)  # fell: refused
    assert book.heard == {sensor.sensor_id: AT_S + 1}
