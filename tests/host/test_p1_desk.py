"""The smart meter's desk: pieces in, values of sensors out; what is damaged is named and counted, and credited to nobody."""

import json
import random
from dataclasses import replace
from fractions import Fraction
from itertools import count

import pytest
from host.making import make_hello
from host.p1_vectors import LUXEMBOURG_FRAME, LUXEMBOURG_KEY, TELEGRAMS, WITH_CRC, crc, p1_pieces, sealed
from hypothesis import given, settings
from hypothesis import strategies as st

from fluksometer.adapters.p1_cable import Arrival
from fluksometer.adapters.p1_cipher import decrypter
from fluksometer.domain.board_clock import HostTime
from fluksometer.domain.p1_pieces import P1Pieces
from fluksometer.domain.p1_stream import host_parser
from fluksometer.domain.p1_trust import Trust
from fluksometer.domain.terminal_readings import P1Status
from fluksometer.domain.told import ToldBook
from fluksometer.p1_desk import P1Desk

HELLO = make_hello()
NOW_S = 1_790_000_000.0  # September 2026
METER_A, METER_B = "0-0:96.1.1(4130303031)", "0-0:96.1.1(4130303032)"


class Desk:
    """A desk with its book, and what it published: the last payload by function, ``net`` of gauge and counter apart."""

    def __init__(self, **how):
        numbers = count(1)
        self.ids: dict[str, str] = {}
        self.told = ToldBook()
        self.desk = P1Desk(self.told, lambda slot: self.ids.setdefault(slot, f"{next(numbers):032x}"), **how)
        self.number = 0
        self.now_s = 0.0

    def take(self, sent: bytes, after_s: float = 10.0) -> dict[str, list]:
        self.number += 1
        self.now_s += after_s
        return self.take_pieces(p1_pieces(sent, self.number, round(self.now_s * 1e6)))

    def take_pieces(self, pieces) -> dict[str, list]:
        said = {}
        for piece in pieces:
            for message in self.desk.take(HELLO, piece, NOW_S + self.now_s, self.now_s):
                sensor_id, what = message.topic.split("/")[2:]
                said[f"{self.told.sensors[sensor_id].function} {what}"] = json.loads(message.payload)
        return said

    def reasons(self) -> list[tuple[str, str]]:
        return [(event, str(fields["reason"])) for event, fields in self.desk.warnings()]


def meter(*lines: str, meter_id: str = METER_A) -> bytes:
    return sealed("1-3:0.2.8(50)", "0-0:1.0.0(260901120000S)", meter_id, *lines)


def energy(kwh: str, meter_id: str = METER_A) -> bytes:
    return meter(f"1-0:1.8.1({kwh}*kWh)", meter_id=meter_id)


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


def test_a_counter_that_fell_is_named_counted_and_refused():
    desk = Desk()
    desk.take(energy("100.000"))
    said = desk.take(energy("99.000"))
    assert "P1 import counter" not in said and "P1 import low counter" not in said
    assert desk.desk.summary()["p1_fell"] == 2
    assert ("p1_fell", "P1 import of A0001 fell: refused. Another meter without an id, or a damaged one?") in (
        desk.reasons()
    )
    assert desk.take(energy("100.001"))["P1 import counter"][1] == 100_001


def test_a_jump_needs_a_witness_and_never_spoils_the_counter():
    desk = Desk()
    desk.take(energy("100.000"))
    assert "P1 import counter" not in desk.take(energy("900000.000"))
    assert "jumped" in str(desk.reasons())
    assert desk.take(energy("100.002"))["P1 import counter"][1] == 100_002, (
        "a damaged digit does not bar the true values"
    )
    assert "P1 import counter" not in desk.take(energy("200.000"))
    assert desk.take(energy("200.001"))["P1 import counter"][1] == 200_001, "two that agree are believed"


def test_hours_without_a_telegram_are_no_jump():
    desk = Desk()
    desk.take(energy("100.000"))
    assert desk.take(energy("140.000"), after_s=3600)["P1 import counter"][1] == 140_000


def test_without_a_crc_id_and_counters_need_a_second_telegram():
    desk = Desk()
    assert desk.take(TELEGRAMS["dsmr2"]) == {}
    assert not desk.ids, "a damaged id makes no sensor"
    desk.take(TELEGRAMS["dsmr2"])
    said = desk.take(TELEGRAMS["dsmr2"])
    assert said["P1 import counter"][1] == 150_750
    assert desk.reasons() == []


@given(st.lists(st.binary(min_size=1, max_size=8), max_size=60))
@settings(max_examples=30, deadline=None)
def test_ids_that_change_all_the_time_make_no_end_of_sensors(ids):
    desk = Desk()
    for one in ids:
        desk.take(energy("1.000", f"0-0:96.1.1({one.hex()})"))
    assert len(desk.ids) <= 16 * 3


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


def test_codes_nobody_knows_are_named_once_and_counted():
    desk = Desk()
    for _ in range(3):
        said = desk.take(meter("1-0:99.88.77(5*kWh)", "1-0:1.7.0(0.1*kW)"))
    assert set(said) == {"P1 power gauge"}
    assert desk.reasons() == [("p1_unknown_code", "1-0:99.88.77 is not known: it is published nowhere")]
    assert desk.desk.summary()["p1_unknown_codes"] == 3


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


def test_missing_and_mixed_pieces_are_counted_and_give_nothing():
    first, second = (p1_pieces(TELEGRAMS["hungary"], number, number * 10) for number in (1, 2))
    assert len(first) == 2
    for pieces, lost in (
        (first[1:], 1),
        (first[:-1] + second, 1),
        (first[:1] + second[1:], 2),
    ):
        desk = Desk()
        said = desk.take_pieces(pieces)
        assert bool(said) == (pieces[-len(second) :] == second)
        assert desk.desk.summary()["p1_pieces_lost"] == lost, pieces


def test_pieces_with_damaged_contents_are_named():
    desk = Desk()
    (piece,) = p1_pieces(energy("1.0"), 1, 0)
    assert desk.take_pieces([replace(piece, data=piece.data[:-3])]) == {}
    assert desk.desk.summary()["p1_not_understood"] == 1


@given(st.data())
@settings(max_examples=100, deadline=None)
def test_any_pieces_are_borne(data):
    desk = Desk(decrypt=decrypter(LUXEMBOURG_KEY))
    pool = p1_pieces(TELEGRAMS["dsmr5-four-devices"], 1, 0) + p1_pieces(LUXEMBOURG_FRAME, 2, 1)
    for _ in range(data.draw(st.integers(0, 12))):
        piece = data.draw(st.sampled_from(pool))
        change = data.draw(st.sampled_from(["data", "piece", "pieces", "form", "number", "none"]))
        if change == "data":
            at, by = data.draw(st.integers(0, len(piece.data) - 1)), data.draw(st.binary(max_size=3))
            piece = replace(piece, data=piece.data[:at] + by + piece.data[at + len(by) :])
        elif change != "none":
            piece = replace(piece, **{change: data.draw(st.integers(1 if change == "pieces" else 0, 2))})
        desk.take_pieces([piece])


def test_pieces_are_put_together_in_order_only():
    pieces = [
        replace(p1_pieces(energy("1.0"), 1, 0)[0], piece=index, pieces=3, data=b"%d" % index) for index in range(3)
    ]
    book = P1Pieces()
    assert [book.take(piece) for piece in pieces] == [None, None, b"012"]
    assert [book.take(pieces[index]) for index in (0, 2, 1)] == [None, None, None]
    assert book.lost == 1


def test_the_line_of_the_board_is_watched():
    desk = Desk()
    status = dict.fromkeys(
        ("t_us", "even_parity", "inverted", "bytes_in", "telegrams", "bad_form", "cut", "bad_bytes"), 0
    )
    for bad_crc in (2, 2, 5):
        desk.desk.take(HELLO, P1Status(baud=115_200, bad_crc=bad_crc, **status), NOW_S, 0.0)
    assert desk.reasons() == [("p1_lost", "wrong CRC")] * 2
    assert desk.desk.summary()["p1_bad_wrong_CRC"] == 5


def test_the_voltage_holds_for_half_a_minute():
    desk = Desk()
    desk.take(meter("1-0:32.7.0(231.4*V)", "1-0:52.7.0(0.0*V)"))
    assert desk.desk.voltages(desk.now_s + 30) == {1: Fraction("231.4")}, "a line that is not connected has none"
    assert desk.desk.voltages(desk.now_s + 31) == {}


def test_trust():
    trust = Trust()
    assert trust.believes("a", 10**12, "Wh", 0.0, sure=True)
    assert not trust.believes("a", 10**12 + 2_000_000, "Wh", 1.0, sure=True)
    assert not trust.believes("a", 10**12 + 9_000_000, "Wh", 2.0, sure=True), "two that differ are no witnesses"
    assert trust.believes("a", 10**12 + 9_000_001, "Wh", 3.0, sure=True)
    assert not trust.believes("b", 5, "MJ", 0.0, sure=False)
    assert trust.believes("b", 5, "MJ", 1.0, sure=False)
    assert trust.believes("b", 10**9, "MJ", 2.0, sure=False)


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


def resealed(rng: random.Random, data: bytes) -> bytes:
    """The same telegram with other digits, and a CRC that says that this is right."""
    body = bytearray(data[: data.rindex(b"!") + 1])
    digits = [at for at in range(body.index(b"\n"), len(body)) if 48 <= body[at] <= 57]
    for at in rng.sample(digits, rng.choice((0, 1, 3, 20))):
        body[at] = rng.randrange(48, 58)
    return bytes(body) + b"%04X\r\n" % crc(bytes(body))


def test_whatever_a_telegram_says_no_counter_falls_and_every_payload_can_be_read():
    rng, desk, last = random.Random(20261122), Desk(), {}
    pool = [data for name, data in WITH_CRC.items() if name != "dsmr5-long-text"]
    for number in range(500):
        pieces = p1_pieces(resealed(rng, rng.choice(pool)), number, number)
        desk.now_s += 10
        for piece in pieces:
            for message in desk.desk.take(HELLO, piece, NOW_S + desk.now_s, desk.now_s):
                second, value, unit = json.loads(message.payload)
                sensor = desk.told.sensors[message.topic.split("/")[2]]
                assert isinstance(second, int) and unit in (sensor.unit, "W")
                if message.topic.endswith("counter") and not sensor.falls:
                    assert value >= last.get(message.topic, value)
                    last[message.topic] = value
    assert len(last) > 30
    assert len(desk.ids) < 16 * 60
