"""When Home Assistant is told what: at the start, at its birth, when sensors come and go, over restarts of the bridge."""

import json

from host.making import make_sensor

from fluksometer.domain.home_assistant import Place
from fluksometer.domain.points import Point
from fluksometer.domain.told import ToldSensor
from fluksometer.domain.topics import sensor_sections
from fluksometer.home_assistant_desk import HomeAssistantDesk

DEVICE, METER, OLD_METER = "d" * 32, "1" * 32, "2" * 32
OWN_TOPIC = f"homeassistant/device/{DEVICE}/config"
FLAG = '{"migrate_discovery":true}'


def meter(sensor_id=METER, meter_id="E1"):
    return ToldSensor(
        sensor_id=sensor_id,
        sensor_class="cosem",
        kind="electricity",
        function="P1 import",
        unit="Wh",
        counts=True,
        more=(("meter", meter_id),),
    ).section()


def sections(*told, own=True):
    return sensor_sections("home", "0.1.0", [make_sensor()] if own else [], None, told)


def make(**given):
    more = {"version": "0.1.0", "awaited": frozenset({"cosem"}), "delay": lambda low, high: low} | given
    return HomeAssistantDesk(Place(device_id=DEVICE), **more)


def said(desk, now_s=0.0):
    return {one.topic: one.payload for one in desk.step(None, now_s)[0]}


def components(payload):
    return {key: one for key, one in json.loads(payload)["cmps"].items() if len(one) > 1}


def restarted(desk, **given):
    again = make(**given)
    again.restore(json.loads(json.dumps(desk.state())))
    return again


def test_everything_is_told_once():
    desk = make()
    assert said(desk) == {}  # nothing is known yet
    desk.configured(sections(meter()))
    first = said(desk)
    assert len(first) == 2 and OWN_TOPIC in first
    desk.configured(sections(meter()))
    assert said(desk) == {}


def test_its_birth_has_everything_told_again_a_little_later():
    desk = make()
    desk.configured(sections())
    first = said(desk, 10.0)
    assert desk.topics == ("homeassistant/status",)
    desk.want("homeassistant/status", b"offline")
    assert desk.next_deadline_s() is None
    desk.want("homeassistant/status", b"online")
    assert said(desk, 20.0) == {}
    assert desk.next_deadline_s() == 21.0
    assert said(desk, 21.0) == first
    assert desk.next_deadline_s() is None


def test_a_sensor_of_ours_that_is_gone_is_taken_back_at_once():
    desk = make()
    desk.configured(sections())
    said(desk)
    again = restarted(desk)
    again.configured(sections(own=False))
    told = json.loads(said(again)[OWN_TOPIC])["cmps"]
    assert [one for one in told.values() if one == {"p": "sensor"}] == [{"p": "sensor"}] * 2


def test_a_meter_that_was_not_heard_yet_stays_announced():
    desk = make()
    desk.configured(sections(meter()))
    before = said(desk)
    again = restarted(desk)
    again.configured(sections())
    assert said(again, 5.0) == before
    again.configured(sections(meter()))
    assert said(again, 60.0) == {}


def test_a_meter_that_was_replaced_meanwhile_goes_an_hour_after_the_new_one_came():
    desk = make()
    desk.configured(sections(meter(OLD_METER, "E0")))
    (old_topic,) = set(said(desk)) - {OWN_TOPIC}
    again = restarted(desk)
    again.configured(sections())
    said(again, 0.0)
    again.configured(sections(meter()))
    said(again, 100.0)
    assert again.next_deadline_s() == 3700.0
    assert said(again, 3699.0) == {}
    assert said(again, 3700.0) == {old_topic: ""}
    assert again.next_deadline_s() is None
    last = restarted(again)
    last.configured(sections(meter()))
    assert OLD_METER not in json.dumps(said(last).get(OWN_TOPIC))


def test_a_meter_that_is_forgotten_goes_at_once():
    desk = make()
    desk.configured(sections(meter()))
    (topic,) = set(said(desk)) - {OWN_TOPIC}
    desk.configured(sections())
    assert said(desk)[topic] == ""


def test_without_its_table_the_meter_is_gone():
    desk = make()
    desk.configured(sections(meter()))
    (topic,) = set(said(desk)) - {OWN_TOPIC}
    again = restarted(desk, awaited=frozenset())
    again.configured(sections())
    assert said(again)[topic] == ""


def test_a_flow_that_is_heard_is_an_entity_from_then_on():
    desk = make()
    desk.configured(sections(meter()))
    said(desk)
    desk.published([Point(METER, 0, "gauge", 1_700_000_000, 0, "W")])
    (told,) = said(desk).values()
    assert f"{METER}_gauge" in components(told)
    again = restarted(desk)
    again.configured(sections(meter()))
    assert any(f"{METER}_gauge" in components(one) for one in said(again).values())


def test_the_change_of_form_takes_three_steps():
    for old, new in (("device", "entity"), ("entity", "device")):
        desk = make(form=old)
        desk.configured(sections())
        before = said(desk)
        again = restarted(desk, form=new)
        again.configured(sections())
        assert said(again, 0.0) == dict.fromkeys(before, FLAG)
        fresh = said(again, 3.0)
        assert not set(fresh) & set(before) and all(fresh.values())
        assert said(again, 6.0) == dict.fromkeys(before, "")
        assert again.next_deadline_s() is None


def test_a_change_of_form_that_was_cut_short_begins_anew():
    desk = make(form="entity")
    desk.configured(sections())
    before = said(desk)
    cut = restarted(desk, form="device")
    cut.configured(sections())
    said(cut, 0.0)
    said(cut, 3.0)
    again = restarted(cut, form="device")
    again.configured(sections())
    assert said(again, 0.0) == dict.fromkeys(before, FLAG)
    assert OWN_TOPIC in said(again, 3.0)
    assert said(again, 6.0) == dict.fromkeys(before, "")
    last = restarted(again, form="device")
    last.configured(sections())
    assert set(said(last)) == {OWN_TOPIC}


def test_another_prefix_empties_the_old_topics():
    desk = make()
    desk.configured(sections())
    said(desk)
    again = restarted(desk, prefix="ha")
    again.configured(sections())
    told = said(again)
    assert told[OWN_TOPIC] == "" and components(told[OWN_TOPIC.replace("homeassistant", "ha", 1)])
    assert again.topics == ("homeassistant/status", "ha/status")


def test_switched_off_it_takes_back_what_it_told():
    desk = make()
    desk.configured(sections(meter()))
    before = said(desk)
    again = restarted(desk, enable=False)
    again.configured(sections(meter()))
    assert said(again) == dict.fromkeys(before, "")
    never = make(enable=False)
    never.configured(sections(meter()))
    assert said(never) == {} and never.topics == ()


def test_the_state_is_the_same_while_nothing_changes():
    desk = make()
    desk.configured(sections(meter()))
    said(desk)
    assert desk.state() is not None and desk.state() == desk.state()
    before = json.dumps(desk.state())
    desk.configured(sections(meter()))
    said(desk, 5.0)
    assert json.dumps(desk.state()) == before


def test_a_state_of_another_form_is_left_alone():
    for state in ({}, {"entities": []}, "[]", '{"devices":{},"entities":[{"key":"a"}],"gone":[],"last":["a","b"]}', 7):
        desk = make()
        desk.restore({"home assistant": state})
        desk.configured(sections())
        assert set(said(desk)) == {OWN_TOPIC}
