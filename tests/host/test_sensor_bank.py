"""Readings to messages: what is published when."""

from host.making import make_pulse_sensor, make_pulses, make_sensor, make_window

from fluksometer.domain.sensor_bank import SensorBank
from fluksometer.domain.units import uwh_per_charge

WH = 1_000_000 / uwh_per_charge(clamp_a=50, voltage_v=230)  # charge of a watt-hour


def payloads(messages):
    return [message.topic.rpartition("/")[2] + message.payload for message in messages]


def take(bank, end_s, *, wh=0.0, rms_lsb=0):
    return payloads(bank.take_window(make_window(charge=int(wh * WH) + 1, rms_lsb=rms_lsb), end_s))


def test_a_clamp_tells_power_every_second_and_energy_when_it_changes():
    bank = SensorBank([make_sensor()])
    assert take(bank, 1000.5) == ['gauge[1000,0,"W"]', 'counter[1000,0,"Wh"]']  # the first value is told too
    assert take(bank, 1001.5, rms_lsb=248) == ['gauge[1001,2298,"W"]']
    assert take(bank, 1002.5, wh=1.2) == ['gauge[1002,0,"W"]', 'counter[1002,1,"Wh"]']
    assert take(bank, 1003.5, wh=1.9) == ['gauge[1003,0,"W"]']
    assert take(bank, 1003.6, wh=2.1) == ['counter[1003,2,"Wh"]']  # each topic has its own seconds
    assert take(bank, 1003.7, wh=3.1) == []
    assert take(bank, 1004.7, wh=3.2) == ['gauge[1004,0,"W"]', 'counter[1004,3,"Wh"]']


def test_nothing_is_told_without_a_clock_but_all_is_counted():
    bank = SensorBank([make_sensor()])
    assert take(bank, None, wh=5) == []
    assert take(bank, 1000.0, wh=6) == ['gauge[1000,0,"W"]', 'counter[1000,6,"Wh"]']


def test_totals_go_on_over_a_boot():
    bank = SensorBank([make_sensor()])
    take(bank, 1000.0, wh=5)
    assert len(take(bank, 1001.0, wh=5)) == 1
    bank.begin_boot()
    assert take(bank, 1002.0, wh=2)[1] == 'counter[1002,7,"Wh"]'


def test_a_window_that_goes_back_is_refused_whole():
    bank = SensorBank([make_sensor()])
    take(bank, 1000.0, wh=5)
    assert take(bank, 1001.0, wh=4) == []
    assert bank.refused == 1


def test_a_clock_set_back_does_not_silence_the_sensors():
    bank = SensorBank([make_sensor(), make_pulse_sensor()])
    take(bank, 5000.0)
    assert take(bank, 1000.0) == []
    bank.clock_set_back()
    assert take(bank, 1001.0) == ['gauge[1001,0,"W"]']


def test_disabled_and_unknown_ports_are_silent():
    bank = SensorBank([make_sensor(enabled=False)])
    assert take(bank, 1000.0) == []
    assert bank.take_pulses(make_pulses(count=1), 1000.0, 1000.0) == []


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
