"""Totals survive the bridge and the board: state and restore, boots, and what an earlier boot had kept."""

import json

from host.making import make_pair, make_pulse_sensor, make_pulses, make_sensor, make_window
from hypothesis import given, settings
from hypothesis import strategies as st

from fluksometer.domain.meters import pairs_mask
from fluksometer.domain.sensor_bank import SensorBank
from fluksometer.domain.sensors import SensorClass
from fluksometer.domain.told import ANEW_AFTER, ToldBook, ToldSensor

CLAMP, PULSES = make_sensor(sensor_id="1" * 32), make_pulse_sensor(sensor_id="4" * 32, port=4)
VOLTS = make_sensor(port=2, sensor_class=SensorClass.VOLTAGE, adapter_v=400, function="mains", sensor_id="2" * 32)
WH = 10**9  # charge of some watt-hours


def new_bank(*sensors):
    return SensorBank(sensors or [CLAMP, PULSES])


def reborn(bank, *sensors):
    """The bank of a bridge that was killed and has read what the other had written."""
    other = new_bank(*sensors)
    other.restore(json.loads(json.dumps(bank.state())))
    return other


def second(bank, k, *, charge=0, count=0, began_s=1000):
    time_s = began_s + k + 0.5
    points = bank.take_window(make_window(charge=charge, rms_lsb=100, t_us=k * 1_000_000), time_s)
    return points + bank.take_pulses(make_pulses(count=count, edge_us=k * 1_000_000), time_s, time_s)


def totals(bank):
    clamp, pulses = bank.metered[0].meter.total, bank.pulses[4].register.total_milli
    return clamp.uwh + clamp.rest_uwh, pulses


steps = st.lists(st.tuples(st.integers(0, WH), st.integers(0, 50), st.booleans()), min_size=1, max_size=20)


@settings(deadline=None)
@given(steps)
def test_a_bridge_that_is_killed_anywhere_goes_on_as_if_it_had_not_been(moves):
    alone, killed = new_bank(), new_bank()
    for bank in (alone, killed):
        bank.begin_boot(7)
    charge = count = 0
    for k, (more_charge, more_count, kill) in enumerate(moves, 1):
        charge, count = charge + more_charge, count + more_count
        if kill:
            killed = reborn(killed)
        said, again = second(alone, k, charge=charge, count=count), second(killed, k, charge=charge, count=count)
        assert totals(alone) == totals(killed)
        assert set(said) <= set(again)  # after a restart a total is told although it is the same
        once = reborn(killed)
        told_again = second(once, k, charge=charge, count=count)  # the same record
        assert totals(once) == totals(killed)
        assert {point.kind for point in told_again} <= {"counter"}


def test_a_boot_while_the_bridge_was_away_counts_from_zero():
    bank = new_bank()
    bank.begin_boot(7)
    second(bank, 100, count=30)
    bank = reborn(bank)
    bank.begin_boot(8)
    second(bank, 1, count=4)
    assert totals(bank)[1] == 34_000


def test_what_an_earlier_boot_had_kept_is_counted_once():
    bank = new_bank()
    bank.begin_boot(7)
    second(bank, 100, count=30, charge=WH)
    before = totals(bank)
    bank = reborn(bank)
    bank.begin_boot(9)
    assert bank.take_earlier(7, make_pulses(count=33, t_us=140_000_000))  # the bridge was away for the last three
    assert bank.take_earlier(7, make_window(charge=2 * WH, rms_lsb=100, t_us=141_000_000))
    assert bank.take_earlier(8, make_pulses(count=5, t_us=9_000_000))  # a boot that it never saw
    bank = reborn(bank)
    assert bank.take_earlier(8, make_pulses(count=5, t_us=9_000_000))  # once more, after a restart
    assert not bank.take_earlier(7, make_pulses(count=33, t_us=140_000_000))
    points = second(bank, 2, count=2, began_s=2000)
    assert totals(bank)[1] == (33 + 5 + 2) * 1000
    assert totals(bank)[0] > 1.9 * before[0]
    assert [point.milli for point in points if point.sensor_id == "4" * 32 and point.kind == "counter"] == [40_000]


def test_what_another_board_had_kept_is_nobodys():
    bank = new_bank()
    assert not bank.take_earlier(6, make_pulses(count=33))
    bank.begin_boot(7)
    second(bank, 1, count=3)
    bank.begin_boot(9, uid=1)
    assert not bank.take_earlier(8, make_pulses(count=33)) and not bank.take_earlier(7, make_pulses(count=33))
    second(bank, 2, count=2)
    assert totals(bank)[1] == 5000


def test_pairs_of_an_earlier_boot_need_their_clamps():
    sensors = [CLAMP, VOLTS]
    assert pairs_mask(sensors)
    bank = SensorBank(sensors)
    bank.begin_boot(7)
    bank.begin_boot(8)
    lone = make_pair(t_us=5, import_total=10**12, product=10**8, lagged=10**8)
    assert bank.take_earlier(7, lone) and bank.metered[0].meter.total.uwh == 0
    for port in (1, 2):
        bank.take_earlier(7, make_window(port=port, rms_lsb=500, t_us=5))
    bank.take_earlier(7, lone)
    once = bank.metered[0].meter.total.uwh
    bank.take_earlier(7, lone)
    assert bank.metered[0].meter.total.uwh == once > 0


def test_a_deliberate_reset_begins_a_series():
    bank = new_bank()
    bank.begin_boot(7)
    second(bank, 1, count=30)
    assert bank.begin_series("4" * 32) and not bank.begin_series("5" * 32)
    points = second(bank, 2, count=31)
    (total,) = [point for point in points if point.sensor_id == "4" * 32 and point.kind == "counter"]
    assert (total.series, total.milli) == (1, 1000) and bank.series["4" * 32] == 1
    assert reborn(bank).series["4" * 32] == 1


def test_a_moment_is_whole_when_all_its_records_came():
    bank = SensorBank([CLAMP, VOLTS])
    assert bank.whole(3)
    for port in (1, 2, 3):
        assert bank.whole(0) == (port == 1)
        bank.take_window(make_window(port=port, t_us=9), 1000.0)
    assert bank.whole(0) and not bank.whole(1)
    bank.take_pair(make_pair(t_us=9), 1000.0)
    assert bank.whole(1)


def told(**given):
    fields = {"sensor_class": "uart", "kind": "electricity", "function": "import", "unit": "Wh", "counts": True}
    return ToldSensor(sensor_id="7" * 32, **fields | given)


def test_told_totals_survive_and_do_not_fall():
    book = ToldBook()
    book.take(told(), 5_000_000, 1000.0)
    other = ToldBook()
    other.restore(json.loads(json.dumps(book.state())))
    assert other.take(told(), 4_000_000, 1001.0) == [] and other.refused["7" * 32] == 1
    assert [point.milli for point in other.take(told(), 5_000_000, 1002.0)] == [5_000_000]
    assert other.take(told(), 5_000_001, 999.0) == []  # a second that was used


def test_another_device_in_the_same_place_begins_a_series():
    book, meter = ToldBook(), told(replaceable=True)
    book.take(meter, 5_000_000, 1000.0)
    for k in range(1, ANEW_AFTER):
        assert book.take(meter, 3000 + k, 1000.0 + k) == []
    assert book.take(meter, 2000, 2000.0) == []  # it fell once more: a fault, no device
    for k in range(1, ANEW_AFTER):
        points = book.take(meter, 3000 + k, 2000.0 + k)
    assert [(point.series, point.milli) for point in points] == [(1, 3000 + ANEW_AFTER - 1)]
    (section,) = book.sections()
    assert section["rid"] == 1


def test_after_a_restart_a_pulse_total_that_is_the_same_takes_no_second():
    bank = new_bank()
    bank.begin_boot(7)
    assert second(bank, 1, count=30)
    pulses = make_pulses(count=30, edge_us=1_000_000)
    # The record passes, and does not come again: its second would be another reading's after a kill.
    assert reborn(bank).take_pulses(pulses, 1001.5, 1002.5) == []
