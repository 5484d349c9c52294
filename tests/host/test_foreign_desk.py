"""Foreign sensors: taken in as configured, never as another's, never our own echo; and through a whole bridge."""

import json
import time

import pytest
from host.rig import wait_until
from paho.mqtt import publish

from fluksometer.config import Config
from fluksometer.config_foreign import ForeignTable
from fluksometer.domain.board_clock import HostTime
from fluksometer.domain.kubes import FORMAT
from fluksometer.domain.told import ToldBook, ToldSensor
from fluksometer.faults import FileFaults, check_values, parse_toml
from fluksometer.foreign_desk import ForeignDesk
from fluksometer.shared.kube import FLK01A, KUBES

ID, OTHER = "f" * 32, "e" * 32
NOW_S = 1_700_000_000


def table(**given):
    return check_values({"id": ID, "function": "roof", **given}, ForeignTable, source="")


def desk(*tables):
    told = ToldBook()
    return ForeignDesk(tables or [table()], told, lambda: HostTime(wall_s=float(NOW_S), mono_s=0.0)), told


def heard(desk, payload, kind="counter", sensor_id=ID):
    desk.want(f"/sensor/{sensor_id}/{kind}", payload.encode())
    points, _asks = desk.step(None, 0.0)
    return [(one.kind, one.time_s, one.milli, one.unit, one.sensor_id) for one in points]


def test_a_total_and_its_flow_are_taken_in():
    one, told = desk(table(role="solar"))
    assert one.topics == (f"/sensor/{ID}/counter", f"/sensor/{ID}/gauge")
    assert heard(one, f'[{NOW_S},5000.5,"Wh"]') == [("counter", NOW_S, 5_000_500, "Wh", ID)]
    assert heard(one, f'[{NOW_S},230,"W"]', "gauge") == [("gauge", NOW_S, 230_000, "W", ID)]
    (section,) = told.sections()
    assert section == {
        "id": ID,
        "enable": 1,
        "class": "foreign",
        "type": "electricity",
        "function": "roof",
        "data_type": "counter",
        "unit": "Wh",
        "rid": 0,
        "role": "solar",
    }


def test_a_present_value_alone_has_one_topic():
    one, _told = desk(table(type="temperature", data_type="gauge"))
    assert one.topics == (f"/sensor/{ID}/gauge",)
    assert heard(one, f'[{NOW_S},21.5,"°C"]', "gauge") == [("gauge", NOW_S, 21_500, "°C", ID)]


def test_what_the_broker_kept_is_not_taken_twice():
    one, _told = desk()
    assert len(heard(one, f'[{NOW_S},5,"Wh"]')) == 1
    assert heard(one, f'[{NOW_S},5,"Wh"]') == []
    assert heard(one, f'[{NOW_S - 9},4.5,"Wh"]') == []  # an older one
    assert one.summary() == {"foreign": 1, "foreign_refused": 1}  # a total that fell


def test_refused_ones_are_counted_and_named():
    one, _told = desk()
    assert heard(one, "garbage") == []
    assert heard(one, f'[{NOW_S},5,"kWh"]') == []
    reasons = [fields["reason"] for event, fields in one.warnings() if event == "foreign_refused"]
    assert reasons == ["not JSON", 'another unit than "Wh"']
    assert one.warnings() == []
    assert one.summary() == {"foreign_refused": 2}


def test_topics_of_others_are_none_of_its():
    one, _told = desk()
    assert heard(one, f'[{NOW_S},5,"Wh"]', sensor_id=OTHER) == []
    assert one.summary() == {}


def test_the_id_of_a_sensor_that_is_told_otherwise_is_never_credited():
    one, told = desk()
    meter = ToldSensor(
        sensor_id=ID, sensor_class="cosem", kind="electricity", function="P1 import", unit="Wh", counts=True
    )
    told.take(meter, 7_000_000, float(NOW_S))
    assert heard(one, f'[{NOW_S + 1},8000,"Wh"]') == []
    assert one.warnings()[0][1]["reason"] == "the id is that of another sensor: give this one an id of its own"
    assert told.sensors[ID].sensor_class == "cosem"


def test_a_publisher_that_begins_anew_gets_a_new_series():
    one, told = desk()
    heard(one, f'[{NOW_S - 3600},5000,"Wh"]')
    found = [heard(one, f'[{NOW_S - 3000 + n},{n},"Wh"]') for n in range(60)]
    assert found[:59] == [[]] * 59
    assert found[59] == [("counter", NOW_S - 2941, 59_000, "Wh", ID)]
    assert told.sections()[0]["rid"] == 1


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ('id = "1"\nfunction = "a"', "foreign[0].id: '1' is not allowed: 32 lower-case hex digits"),
        (f'id = "{OTHER}"\nfunction = "a"', f"foreign[0].id: '{OTHER}' is already that of sensor[0]"),
        (f'id = "{ID}"\nfunction = "kitchen"', "foreign[0].function: 'kitchen' is already that of sensor[0]"),
        (
            f'id = "{ID}"\nfunction = "a"\nunit = "kWh"',
            "foreign[0].unit: not for electricity: counters are in Wh, gauges in W",
        ),
        (
            f'id = "{ID}"\nfunction = "a"\ntype = "rain"',
            "foreign[0].unit: is missing: that of the published values, '' for none",
        ),
        (f'id = "{ID}"\nfunction = "a"\ntype = "gas"\nrole = "solar"', "foreign[0].role: only for electricity"),
        ("id = 1\nfunction = 2\ntype = 3\nunit = 4\nrole = 5\ndata_type = 6", "foreign[0].id: 1 is not allowed"),
    ],
)
def test_faults(text, fault):
    sensor = f'[[sensor]]\nport = 1\nfunction = "kitchen"\nid = "{OTHER}"\n'
    with pytest.raises(FileFaults) as caught:
        parse_toml(f"[[foreign]]\n{text}\n{sensor}", Config, source="meter.toml")
    assert any(one.startswith(fault) for one in caught.value.faults), caught.value.faults


@pytest.mark.parametrize("kind", ["mosquitto", "embedded"])
def test_through_a_whole_bridge(rig, kind):
    """Published by a stranger, kept by the broker: taken in once, shown in the configuration, published by nobody else."""
    rig.use(kind)
    bridge = rig.bridge(f'[[foreign]]\nid = "{ID}"\nfunction = "roof"\nrole = "solar"\n')
    bridge.wait_for_log("mqtt_up")
    listener = rig.listen("#")
    listener.wait_for(rf'[01] /device/\w+/config/sensor .*"id":"{ID}","enable":1,"class":"foreign".*')
    time.sleep(0.4)
    now_s = int(time.time())
    for payload in ("garbage", f'[{now_s},4211,"Wh"]', f'[{now_s},4211,"Wh"]', f'[{now_s},-1,"Wh"]'):
        publish.single(f"/sensor/{ID}/counter", payload, qos=1, retain=True, port=rig.port)
    publish.single(f"/sensor/{ID}/gauge", f'[{now_s},1500,"W"]', qos=1, port=rig.port)
    wait_until(lambda: "foreign_refused" in bridge.log, lambda: bridge.log)
    listener.wait_for(rf".*/homeassistant/.*|.*homeassistant/device/\w+/config .*{ID}_gauge.*")  # heard of the flow
    time.sleep(1.2)  # a commit, and with it what the sinks are given
    assert bridge.stop() == 0
    summary = bridge.log.rpartition("summary")[2]
    assert "foreign=2 " in summary and "foreign_refused=2" in summary
    heard = [one for one in listener.lines() if one[1] == f"/sensor/{ID}/counter"]
    assert [json.loads(one[2])[1] for one in heard if one[2][0] == "["] == [4211, 4211, -1]  # those of the stranger
    assert len([one for one in listener.lines() if one[1] == f"/sensor/{ID}/gauge"]) == 1


def test_an_id_of_our_own_is_refused_when_the_bridge_starts(rig):
    rig.use("embedded")
    bridge = rig.bridge()
    bridge.wait_for_log("mqtt_up")
    assert bridge.stop() == 0
    own = json.loads((rig.folder / "state/identity.json").read_text())["sensors"]["1 analog"]
    again = rig.bridge(f'[[foreign]]\nid = "{own}"\nfunction = "roof"\n')
    assert again.process.wait(15) == 2
    assert f"foreign[0].id: {own} is that of a sensor of our own" in again.log


def test_the_id_of_a_kube_is_refused_when_the_bridge_starts(rig):
    rig.use("embedded")
    state = rig.folder / "state"
    state.mkdir()
    names = KUBES[FLK01A]
    kube = {"hw_id": "a" * 32, "hw_type": FLK01A, "sensors": {name: f"{n:032x}" for n, name in enumerate(names)}}
    kube["sensors"]["temperature"] = ID
    (state / "kubes.json").write_text(json.dumps({"format": FORMAT, "kubes": {"5": kube}}))
    bridge = rig.bridge(f'[radio]\n[[foreign]]\nid = "{ID}"\nfunction = "roof"\n')
    assert bridge.process.wait(15) == 2, bridge.log
    assert f"foreign[0].id: {ID} is that of a kube or a meter" in bridge.log
