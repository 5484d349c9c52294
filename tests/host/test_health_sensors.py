"""What the message says of each sensor and each part, and how large it gets."""

import json

from host.health_house import DEVICE, GAS, SENSORS, House, told_sensor
from host.test_health import unplugs

from fluksometer.domain import wire
from fluksometer.domain.health import MOST_BYTES, HealthWatch
from fluksometer.domain.keeping_health import LedgerState, SinkState
from fluksometer.domain.link_events import (
    BoardSaidHello,
)


def test_sensors_say_why():
    house = House()
    house.run(700)
    house.flags = {2: wire.NO_SIGNAL, 1: wire.CLIPPED}
    house.run(15)
    assert house.quality("oven") == ("bad", "the input is dead: every sample is the same")
    assert house.quality("kitchen")[0] == "uncertain"
    assert house.quality("water") == ("good", "")
    house.flags = {3: wire.NO_MAINS}
    house.run(20)
    assert house.quality("mains")[0] == "bad"
    assert house.quality("kitchen") == ("uncertain", "the voltage that it is measured with: no mains are seen")


def test_without_a_board_its_sensors_are_stale_and_say_so():
    house = House()
    house.run(700)
    unplugs(house, 0)
    house.run(7)
    assert house.quality("oven") == ("stale", "the board is not there")
    assert house.quality("water")[0] == "good"
    house.run(60)
    assert house.quality("water") == ("stale", "the board is not there")
    assert house.last["link"]["up"] is False


def test_a_sensor_that_never_came_says_never():
    house = House()
    house.ports = {1, 3, 4}
    house.run(5)
    assert house.quality("oven") == ("never", "nothing has come yet")
    assert next(one for one in house.last["sensors"].values() if one["function"] == "oven")["age_s"] is None


def test_an_input_without_pulses_is_not_stale_while_its_records_come():
    house = House()
    house.pulses["count"] = 3
    house.run(3600)
    assert house.quality("water") == ("good", "")


def test_a_meter_is_expected_as_often_as_it_comes():
    house = House()
    house.run(1000)
    house.silent = {"cosem"}
    house.run(29)
    assert house.quality("P1 power")[0] == "good"
    house.run(4)
    assert house.quality("P1 power") == ("stale", "expected every 1 s")
    assert house.quality("P1 gas")[0] == "good"
    house.run(3 * 3600)
    assert house.quality("P1 gas")[0] == "stale"


def test_a_repeated_gas_reading_is_no_new_one():
    house = House(told=[GAS])
    house.silent = {"cosem"}
    for now in range(1000, 1200):
        house.watch.sensor_told(GAS.sensor_id, 5.0, now)
    house.now_s = 1199
    house.second()
    assert house.last["sensors"][GAS.sensor_id]["age_s"] == 200


def test_events_of_a_kube_are_as_fresh_as_the_kube():
    house = House()
    house.run(700)
    assert house.quality("attic moves") == ("good", "")
    house.silent = {"kube"}
    house.run(260)
    assert house.quality("attic moves")[0] == "stale"
    assert [one["what"] for one in house.last["faults"]] == ["kube_silent"]


def test_the_message_stays_small_and_names_the_worst_first():
    sensors = [*SENSORS[:2], *(told_sensor(f"a sensor with a long name {n}", "cosem") for n in range(198))]
    house = House(sensors=sensors[:2], told=sensors[2:])
    house.run(30)
    house.flags[2] = wire.NO_SIGNAL
    house.run(60)
    assert max(house.sizes) <= MOST_BYTES
    assert house.last["qualities"] == {"good": 199, "bad": 1}
    assert next(iter(house.last["sensors"].values()))["function"] == "oven"
    assert len(house.last["sensors"]) + house.last["sensors_left_out"] == 200
    assert len(house.last["sensors"]) >= 15


def test_many_faults_at_once_stay_bounded_too():
    house = House(told=[told_sensor(f"m{n}", "cosem", more=(("meter", f"M{n}" * 20),)) for n in range(200)])
    house.run(40)
    house.silent = {"cosem"}
    unplugs(house, 0)
    house.run(200)
    house.ledger, house.sink = LedgerState(state="full", reason="x" * 5000), SinkState(up=False, reason="y" * 5000)
    house.talks = True
    house.watch.link("")
    house.send(BoardSaidHello(house.hello, False))
    house.run(100)
    assert max(house.sizes) <= MOST_BYTES
    assert house.last["faults_left_out"] > 0


def test_times_are_unknown_while_the_hosts_clock_is_not_set():
    watch = HealthWatch(DEVICE, SENSORS, {})
    watch.ledger(LedgerState(state="full"), 5.0)
    message, _ = watch.step(5.0, 12.0)
    body = json.loads(message.payload)
    assert body["time"] is None and body["faults"][0]["since"] is None


def test_counters_of_link_board_and_sinks_are_shown():
    house = House()
    house.watch.link_counts({"records": 5, "dropped": 1}, house.now_s)
    house.sink = SinkState(up=True, waiting=3, cursor=17, oldest_s=0.51)
    house.health = {"kept_bytes": 400, "records_merged": 0}
    house.run(61)
    assert house.last["link"] == {"up": True, "records": 5, "dropped": 1}
    assert house.last["sinks"]["mqtt"] == {"up": True, "waiting": 3, "cursor": 17, "oldest_s": 0.5, "dropped": 0}
    board = house.last["board"]
    assert (board["heap_free"], board["kept_bytes"], board["reset_cause"]) == (60_000, 400, "power on")
    assert house.last["ledger"]["state"] == "ok" and house.last["clock"]["trusted"] is True
