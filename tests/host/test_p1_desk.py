"""The smart meter's desk: telegrams in, values of sensors out, each credited to its own meter."""

import json
from fractions import Fraction

import pytest
from host.p1_desks import HELLO, METER_A, METER_B, NOW_S, Desk, energy, meter
from host.p1_vectors import LUXEMBOURG_FRAME, LUXEMBOURG_KEY, TELEGRAMS, sealed

from fluksometer.adapters.p1_cable import Arrival
from fluksometer.adapters.p1_cipher import decrypter
from fluksometer.domain.board_clock import HostTime
from fluksometer.domain.p1_stream import host_parser


def test_import_and_export_and_their_parts_are_sensors_of_their_own():
    desk = Desk()
    said = desk.take(TELEGRAMS["dsmr5-three-phase"])
    second = int(NOW_S + 10)
    assert said["P1 import counter"] == [second, 6825, "Wh"]
    assert said["P1 export counter"] == [second, 2445, "Wh"]
    assert said["P1 import low counter"] == [second, 4426, "Wh"]
    assert said["P1 import normal counter"] == [second, 2399, "Wh"]
    assert said["P1 power gauge"] == [second, 244, "W"]
    assert [said[f"P1 power L{line} gauge"][1] for line in (1, 2, 3)] == [70, 32, 142]
    assert [said[f"P1 voltage L{line} gauge"][1:] for line in (1, 2, 3)] == [[230.1, "V"], [231.2, "V"], [229.3, "V"]]
    assert said["P1 current L2 gauge"][1:] == [0.44, "A"]
    assert said["P1 tariff gauge"][1:] == [1, ""]
    assert said["P1 failures counter"][1:] == [13, ""]
    assert all(len(sensor.function) <= 16 for sensor in desk.told.sensors.values())
    assert len({sensor.function for sensor in desk.told.sensors.values()}) == len(desk.told.sensors)


def test_the_netted_counter_of_the_original_may_fall_and_has_its_gauge():
    desk = Desk()
    for kwh, net_wh, power_w in (("10.000", 90_000, -2000), ("10.500", 89_500, -2500)):
        said = desk.take(
            meter("1-0:1.8.1(100.000*kWh)", f"1-0:2.8.1({kwh}*kWh)", f"1-0:2.7.0({-power_w / 1000:.3f}*kW)")
        )
        assert said["P1 net counter"][1:] == [net_wh, "Wh"]
        assert said["P1 net gauge"][1:] == said["P1 power gauge"][1:] == [power_w, "W"]
    assert "fell" not in str(desk.desk.summary())


def test_belgian_tariffs_are_named_the_other_way_round():
    said = Desk().take(TELEGRAMS["emucs"])
    assert (said["P1 import normal counter"][1], said["P1 import low counter"][1]) == (100_500, 50_250)
    assert said["P1 month peak gauge"] == [1673856000, 11173, "W"]
    assert said["P1 demand gauge"][1:] == [350, "W"]


def test_gas_and_water_are_litres_at_their_own_time_each_reading_once():
    desk = Desk()
    said = desk.take(TELEGRAMS["dsmr5-four-devices"])
    assert said["P1 gas counter"] == [1785580200, 2_310_107, "L"]
    assert said["P1 water counter"][1:] == [389_732, "L"]
    assert said["P1 heat counter"][1:] == [12.345, "GJ"]
    again = desk.take(TELEGRAMS["dsmr5-four-devices"])
    assert not {"P1 gas counter", "P1 water counter", "P1 heat counter"} & again.keys()
    assert "P1 power gauge" in again


def gas(channel: int, device: str, stamp: str, m3: str) -> tuple[str, ...]:
    lines = f"0-{channel}:24.1.0(003)", f"0-{channel}:96.1.0({device.encode().hex()})"
    return (*lines, f"0-{channel}:24.2.1({stamp})({m3}*m3)")


def test_gas_is_known_by_its_id_and_not_by_its_channel():
    desk = Desk()
    desk.take(meter(*gas(1, "G1", "260901110000S", "100.000")))
    before = desk.ids["p1 gas G1"]
    said = desk.take(meter(*gas(2, "G1", "260901120000S", "100.500")))
    assert (said["P1 gas counter"][1], desk.ids["p1 gas G1"]) == (100_500, before)


def test_a_new_gas_meter_beside_the_dead_one_takes_the_name_and_not_the_counter():
    desk = Desk()
    desk.take(meter(*gas(1, "OLD", "260801110000S", "4000.000")))
    both = (*gas(1, "OLD", "260801110000S", "4000.000"), *gas(2, "NEW", "260901110000S", "0.250"))
    said = desk.take(meter(*both))
    assert said["P1 gas counter"][1] == 250
    functions = {sensor_id: sensor.function for sensor_id, sensor in desk.told.sensors.items()}
    assert functions[desk.ids["p1 gas NEW"]] == "P1 gas"
    assert functions[desk.ids["p1 gas OLD"]] == "P1 gas 2"
    assert not desk.desk.summary().get("p1_fell")


def test_two_living_gas_meters_keep_their_names():
    desk = Desk()
    for minute, m3 in (("05", "1.1"), ("10", "1.2"), ("15", "1.3")):
        one, two = gas(1, "A", "260901110000S", "7.0"), gas(2, "B", f"26090111{minute}00S", m3)
        desk.take(meter(*one, *two))
        assert desk.told.sensors[desk.ids["p1 gas A"]].function == "P1 gas"
        assert desk.told.sensors[desk.ids["p1 gas B"]].function == "P1 gas 2"


def test_a_swapped_meter_gives_new_sensors_and_the_old_ones_are_shown_no_more():
    desk = Desk()
    desk.take(energy("9000.000"))
    old = set(desk.told.sensors)
    said = desk.take(energy("1.500", METER_B))
    assert said["P1 import counter"][1] == 1500
    assert not old & desk.told.sensors.keys()
    assert not desk.desk.summary().get("p1_fell")
    said = desk.take(energy("9000.001"))
    assert said["P1 import counter"][1] == 9_000_001, "the old one again: its own counter, where it was"
    assert set(desk.told.sensors) == old


def test_without_a_crc_id_and_counters_need_a_second_telegram():
    desk = Desk()
    assert desk.take(TELEGRAMS["dsmr2"]) == {}
    assert not desk.ids, "a damaged id makes no sensor"
    desk.take(TELEGRAMS["dsmr2"])
    said = desk.take(TELEGRAMS["dsmr2"])
    assert said["P1 import counter"][1] == 150_750
    assert desk.reasons() == []


@pytest.mark.parametrize("stamp", ["632525252525W", "700101010000W", "000101000001W"])
def test_an_invalid_clock_costs_nothing(stamp):
    said = Desk().take(sealed("1-3:0.2.8(50)", f"0-0:1.0.0({stamp})", METER_A, "1-0:1.8.1(1.000*kWh)"))
    assert said["P1 import counter"] == [int(NOW_S + 10), 1000, "Wh"], "the host's time"


def test_the_hour_that_comes_twice_breaks_nothing():
    desk = Desk()
    stamps = ("261025025500S", "261025020500W", "261025025500W")
    for stamp, m3 in zip(stamps, ("10.0", "10.1", "10.2"), strict=True):
        said = desk.take(meter("1-0:1.7.0(0.5*kW)", *gas(1, "G", stamp, m3)), after_s=600)
        assert said["P1 gas counter"][1] == round(float(m3) * 1000)
        assert said["P1 power gauge"][1] == 500


def test_a_device_whose_clock_is_far_ahead_does_not_bar_later_readings():
    desk = Desk()
    said = desk.take(meter(*gas(1, "G", "680101000000W", "10.0")))
    assert said["P1 gas counter"] == [int(NOW_S + 10), 10_000, "L"]
    assert desk.take(meter(*gas(1, "G", "680101000000W", "10.1")))["P1 gas counter"][1] == 10_100


def test_luxembourg_with_the_key_and_without():
    key = decrypter(LUXEMBOURG_KEY)
    desk = Desk(decrypt=key)
    assert desk.take(LUXEMBOURG_FRAME)["P1 power gauge"][2] == "W"
    wrong = Desk(decrypt=decrypter(bytes(16)))
    assert wrong.take(LUXEMBOURG_FRAME) == {}
    ((event, reason),) = wrong.reasons()
    assert event == "p1_not_opened" and "another key" in reason and "p1.key_file" in reason
    assert wrong.desk.summary()["p1_not_opened"] == 1
    none = Desk()
    assert none.take(LUXEMBOURG_FRAME) == {} and "no key" in none.reasons()[0][1]


def test_the_voltage_holds_for_half_a_minute():
    desk = Desk()
    desk.take(meter("1-0:32.7.0(231.4*V)", "1-0:52.7.0(0.0*V)"))
    assert desk.desk.voltages(desk.now_s + 30) == {1: Fraction("231.4")}, "a line that is not connected has none"
    assert desk.desk.voltages(desk.now_s + 31) == {}


def test_without_a_crc_the_id_of_a_device_is_confirmed_too():
    desk = Desk()
    for _ in range(3):
        desk.take(TELEGRAMS["dsmr2-gas-on-one-line"])
    known = set(desk.ids)
    damaged = TELEGRAMS["dsmr2-gas-on-one-line"].replace(b"4741533232", b"4741533233")
    said = desk.take(damaged)
    assert "P1 power gauge" in said and set(desk.ids) == known
    desk.take(damaged)
    assert set(desk.ids) - known == {"p1 gas GAS23"}


class Cable:
    """A cable that hands over what the test puts in."""

    def __init__(self):
        self.bad, self.waiting = {}, []

    def arrived(self):
        waiting, self.waiting = self.waiting, []
        return waiting

    def faults(self):
        return []


def test_a_host_clock_that_is_set_back_does_not_silence_the_cable():
    desk = Desk(cable=Cable())
    (raw,) = host_parser().push(TELEGRAMS["dsmr5"])
    seconds = []
    for mono_s, wall_s in ((1, NOW_S + 1), (2, NOW_S + 2), (3, NOW_S - 3600), (4, NOW_S - 3599), (5, 5.0)):
        desk.desk._cable.waiting = [Arrival(raw, HostTime(mono_s=mono_s, wall_s=wall_s))]
        messages, _ = desk.desk.step(None, mono_s)
        seconds += [json.loads(one.payload)[0] - NOW_S for one in messages if '"W"' in one.payload][:1]
    assert seconds == [1, 2, -3600, -3599], "and nothing before the clock is set"


def test_a_meter_that_is_silent_is_told_of_each_minute():
    desk = Desk()
    said = []
    for now_s in range(0, 200, 10):
        hello = None if now_s < 30 else HELLO
        desk.desk.step(hello, float(now_s))
        said += [now_s for event, _ in desk.reasons() if event == "p1_silent"]
        assert desk.desk.next_deadline_s() > now_s
        if now_s == 100:
            desk.now_s = 90.0
            desk.take(TELEGRAMS["dsmr5"])
    assert said == [80, 160], "a minute behind the board, behind the telegram"
