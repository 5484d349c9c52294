"""Readings to messages: what is published when."""

import json
from dataclasses import replace

import pytest
from host.core_board import CoreBoard, polar
from host.making import make_pair, make_pulse_sensor, make_pulses, make_sensor, make_window
from hypothesis import given
from hypothesis import strategies as st

from fluksometer.domain.meters import pairs_mask
from fluksometer.domain.readings import BoardSettings, ClampWindow
from fluksometer.domain.sensor_bank import SensorBank
from fluksometer.domain.sensors import SensorClass
from fluksometer.domain.units import uwh_per_charge

WH = 1_000_000 / uwh_per_charge(clamp_a=50, voltage_v=230)  # charge of a watt-hour


def payloads(messages):
    return [message.topic.rpartition("/")[2] + message.payload for message in messages]


class Second:
    """Windows of one clamp, a microsecond apart on the board's clock."""

    def __init__(self, bank):
        self.bank = bank
        self.t_us = 0

    def __call__(self, end_s, *, wh=0.0, rms_lsb=0):
        self.t_us += 1
        window = make_window(charge=int(wh * WH) + 1, rms_lsb=rms_lsb, t_us=self.t_us)
        return payloads(self.bank.take_window(window, end_s))


def test_a_clamp_tells_power_every_second_and_energy_when_it_changes():
    take = Second(SensorBank([make_sensor()]))
    assert take(1000.5) == ['gauge[1000,0,"W"]', 'counter[1000,0,"Wh"]']  # the first value is told too
    assert take(1001.5, rms_lsb=248) == ['gauge[1001,2298,"W"]']
    assert take(1002.5, wh=1.2) == ['gauge[1002,0,"W"]', 'counter[1002,1,"Wh"]']
    assert take(1003.5, wh=1.9) == ['gauge[1003,0,"W"]']
    assert take(1003.6, wh=2.1) == ['counter[1003,2,"Wh"]']  # each topic has its own seconds
    assert take(1003.7, wh=3.1) == []
    assert take(1004.7, wh=3.2) == ['gauge[1004,0,"W"]', 'counter[1004,3,"Wh"]']


def test_nothing_is_told_without_a_clock_but_all_is_counted():
    take = Second(SensorBank([make_sensor()]))
    assert take(None, wh=5) == []
    assert take(1000.0, wh=6) == ['gauge[1000,0,"W"]', 'counter[1000,6,"Wh"]']


def test_totals_go_on_over_a_boot():
    bank = SensorBank([make_sensor()])
    take = Second(bank)
    take(1000.0, wh=5)
    assert len(take(1001.0, wh=5)) == 1
    bank.begin_boot()
    assert take(1002.0, wh=2)[1] == 'counter[1002,7,"Wh"]'


def test_a_charge_that_falls_makes_no_counter_fall():
    take = Second(SensorBank([make_sensor()]))
    take(1000.0, wh=5)
    assert take(1001.0, wh=4) == ['gauge[1001,0,"W"]']
    assert take(1002.0, wh=4.9) == ['gauge[1002,0,"W"]']
    assert take(1003.0, wh=6.1) == ['gauge[1003,0,"W"]', 'counter[1003,6,"Wh"]']


def test_a_clock_set_back_does_not_silence_the_sensors():
    bank = SensorBank([make_sensor(), make_pulse_sensor()])
    take = Second(bank)
    take(5000.0)
    assert take(1000.0) == []
    bank.clock_set_back()
    assert take(1001.0) == ['gauge[1001,0,"W"]']


def test_disabled_and_unknown_ports_are_silent():
    bank = SensorBank([make_sensor(enabled=False)])
    assert Second(bank)(1000.0) == []
    assert bank.take_pulses(make_pulses(count=1), 1000.0, 1000.0) == []


def test_numbers_that_no_board_measures_are_counted_and_end_nothing():
    bank = SensorBank([make_sensor(clamp_a=10_000, voltage_v=999)])
    take = Second(bank)
    for _ in range(4):
        bank.begin_boot()
        bank.take_window(make_window(charge=(1 << 63) - 1, t_us=take.t_us), 1000.0)
        take.t_us += 1
    assert bank.refused == 1
    real = SensorBank([make_sensor(), VOLTS])
    for port in (1, 2):
        real.take_window(make_window(port=port, rate_hz=99), 1000.0)  # one cycle is less than two samples
    assert payloads(real.take_pair(make_pair(), 1000.0)) == []
    assert real.refused == 1


# Moments: the windows of several ports and their products

VOLTS = make_sensor(port=2, sensor_class=SensorClass.VOLTAGE, adapter_v=400, function="mains", sensor_id="2" * 32)
SENSORS = [
    make_sensor(sensor_id="1" * 32),
    make_sensor(sensor_id="e" * 32, direction="export", function="out"),
    VOLTS,
    make_sensor(port=3, sensor_id="3" * 32, phases="3p-n", further_ports=(1,), function="lines"),
]
SETTINGS = BoardSettings(rate_hz=4000, clamp_ports=7, pulse_ports=0, voltage_port=2, pairs=pairs_mask(SENSORS))
BOARD = CoreBoard(SETTINGS)
AWAY = {1: {1: polar(200, 150)}, 2: {1: polar(700)}, 3: {1: polar(100, 20)}}
TOWARDS = AWAY | {1: {1: polar(200, 30)}}
MOMENTS = BOARD.run(TOWARDS, 3.1) + BOARD.run(AWAY, 3.1)
RECORDS = [[*moment.windows.values(), *moment.pairs.values()] for moment in MOMENTS]


def feed(bank, records, end_s=None):
    messages = []
    for record in records:
        take = bank.take_window if isinstance(record, ClampWindow) else bank.take_pair
        messages += take(record, end_s)
    return messages


def totals(bank):
    return [one.meter.total and one.meter.total.uwh + one.meter.total.rest_uwh for one in bank.metered]


@given(st.lists(st.lists(st.sampled_from([0, 1, 1, 1, 2]), min_size=5, max_size=5), min_size=6, max_size=6))
def test_a_moment_counts_once_and_when_it_is_whole_whatever_is_lost(copies):
    """Each record comes never, once or twice: every sensor counts the moments of which it has all, each once."""
    bank, alone = SensorBank(SENSORS), [SensorBank(SENSORS).metered[k].meter for k in range(4)]
    for moment, records, times in zip(MOMENTS, RECORDS, copies, strict=True):
        assert len(records) == 5  # three clamps; 1-2 for the power, 1-3 for the lines
        feed(bank, [record for record, count in zip(records, times, strict=True) for _ in range(count)])
        came = {id(record) for record, count in zip(records, times, strict=True) if count}
        for meter in alone:
            parts = [moment.windows[port] for port in meter.ports] + [moment.pairs[pair] for pair in meter.pairs]
            if all(id(part) in came for part in parts):
                meter.take(moment, bank.calibrations)
    assert totals(bank) == [meter.total and meter.total.uwh + meter.total.rest_uwh for meter in alone]


def test_import_and_export_of_one_clamp_are_two_sensors():
    bank = SensorBank(SENSORS)
    for second, records in enumerate(RECORDS):
        found = payloads_by_id(feed(bank, records, 1000.5 + second))
        power_w, out_w = found["1", "gauge"], found["e", "gauge"]
        assert out_w == max(0, -power_w)
        assert (power_w > 0) == (second < 3)
        assert found["2", "gauge"] == 226  # 700 LSB x 3.3 V / 4096 x 400
    imported, exported, nothing, _lines = totals(bank)
    assert nothing is None
    assert imported > 0 and exported == pytest.approx(float(imported), rel=0.1)


def payloads_by_id(messages):
    found = {}
    for message in messages:
        _, _, sensor_id, what = message.topic.split("/")
        found[sensor_id[0], what] = json.loads(message.payload)[1]
    return found


def test_without_pairs_what_needs_none_goes_on():
    bank = SensorBank(SENSORS)
    windows = [record for record in RECORDS[0] if isinstance(record, ClampWindow)]
    assert [message.topic[8] for message in feed(bank, windows, 1000.0)] == ["2"]


def test_pairs_whose_windows_were_lost_wait_for_the_next_moment():
    bank = SensorBank(SENSORS)
    assert feed(bank, RECORDS[0][3:], 1000.0) == []
    assert feed(bank, RECORDS[1], 1001.0) != []
    whole = SensorBank(SENSORS)
    feed(whole, RECORDS[0] + RECORDS[1])
    assert totals(bank)[:2] == totals(whole)[:2]  # the board's totals hold what was lost


def test_without_an_enabled_adapter_a_clamp_has_apparent_power():
    bank = SensorBank([SENSORS[0], replace(VOLTS, enabled=False)])
    window = make_window(rms_lsb=248)
    assert payloads(bank.take_window(window, 1000.0)) == ['gauge[1000,2298,"W"]', 'counter[1000,0,"Wh"]']


def test_a_boot_forgets_the_open_moment():
    """Two boots may close a window at the same time of their own clocks."""
    bank = SensorBank(SENSORS)
    first, *rest = RECORDS[0]
    feed(bank, [first], 1000.0)
    bank.begin_boot()
    assert [message.topic[8] for message in feed(bank, rest, 1001.0)] == ["2"]


def test_pulses_are_told_under_the_second_of_the_last_one():
    bank = SensorBank([make_pulse_sensor(constant_milli=500)])

    def pulses(count, edge_s, made_s):
        record = make_pulses(count=count, edge_us=int(edge_s * 1e6), t_us=int(made_s * 1e6))
        return payloads(bank.take_pulses(record, 1000.0 + edge_s, 1000.0 + made_s))

    assert pulses(0, 0, 0.9) == ['counter[1000,0,"Wh"]']
    assert pulses(1, 1.2, 1.9) == ['counter[1001,0.5,"Wh"]']
    assert pulses(2, 2.7, 2.9) == ['gauge[1002,1200,"W"]', 'counter[1002,1,"Wh"]']
    assert pulses(2, 2.7, 3.9) == []
    assert pulses(2, 2.7, 4.9) == ['gauge[1004,818,"W"]']  # at most 0.5 Wh in 2.2 s
    # A pulse in the second of that fall: its own second is taken, so it is told under that of its record.
    assert pulses(3, 4.95, 5.9) == ['gauge[1005,800,"W"]', 'counter[1004,1.5,"Wh"]']


def test_a_flow_that_finds_no_second_waits_for_the_next_record():
    bank = SensorBank([make_pulse_sensor()])

    def pulses(count, edge_s, made_s):
        record = make_pulses(count=count, edge_us=int(edge_s * 1e6), t_us=int(made_s * 1e6))
        return payloads(bank.take_pulses(record, 1000.0 + edge_s, 1000.0 + made_s))

    pulses(1, 1.0, 1.1)
    pulses(2, 2.0, 2.1)
    assert pulses(3, 2.2, 2.3) == []
    assert pulses(3, 2.2, 3.3) == ['gauge[1003,3272,"W"]', 'counter[1003,3,"Wh"]']
