"""Every way to measure, over known waves through the board's own core: power, direction, and energy without any loss."""

from dataclasses import replace
from fractions import Fraction
from math import sqrt

import numpy as np
import pytest
from host.core_board import RATE_HZ, CoreBoard, hello_of, lsb_of, polar
from host.making import make_sensor
from hypothesis import given, settings
from hypothesis import strategies as st

from fluksometer.domain.board_calibration import BoardCalibration
from fluksometer.domain.calibration import board_calibration
from fluksometer.domain.meters import (
    ApparentMeter,
    InputCalibration,
    Moment,
    RealMeter,
    StarlessMeter,
    VoltageMeter,
    meter_of,
    pairs_mask,
)
from fluksometer.domain.phases import MANUAL_RULES
from fluksometer.domain.readings import BoardSettings
from fluksometer.domain.sensors import SensorClass
from fluksometer.domain.units import STEP2_Q20_PER_LSB2, uwh_per_charge, uwh_per_energy

VOLTS = 230.0
FREQUENCY_HZ = 49.9


def adapter(port, **given):
    return make_sensor(port=port, sensor_class=SensorClass.VOLTAGE, adapter_v=400, clamp_a=50, **given)


def board(sensors, calibrations, *, rate_hz=RATE_HZ, **given):
    """A board as the bridge sets it up for these sensors, and what it is to be given."""
    voltage = next((one.port for one in sensors if one.sensor_class is SensorClass.VOLTAGE), 0)
    mask = sum({1 << (port - 1) for one in sensors for port in one.ports})
    wanted = BoardSettings(
        rate_hz=rate_hz,
        clamp_ports=mask,
        pulse_ports=0,
        voltage_port=voltage,
        pairs=pairs_mask(sensors),
    )
    table = BoardCalibration().table
    calibration = board_calibration(hello_of(wanted), calibrations, table, mains_hz=50)
    return CoreBoard(wanted, calibration, frequency_hz=FREQUENCY_HZ, **given)


def plain(sensors, **known):
    return {port: InputCalibration(phase_deg=one.phase_deg, **known) for one in sensors for port in one.ports}


def play(meter, moments, calibrations):
    """The values shown."""
    return [meter.take(moment, calibrations) for moment in moments]


def exact_uwh(meter):
    return meter.total.uwh + meter.total.rest_uwh


def seconds_of(moments):
    return Fraction(sum(next(iter(one.windows.values())).samples for one in moments), RATE_HZ)


# Real power


@pytest.mark.parametrize("voltage_port", [1, 2, 3])
@pytest.mark.parametrize("angle_deg", [0, 60, -60, 120, 180])
@pytest.mark.parametrize("lead_deg", [0.0, 2.7])
def test_real_power_of_two_clamps_beside_a_voltage_on_any_port(voltage_port, angle_deg, lead_deg):
    """The lead of the clamps and the time between conversions are compensated; 5 % of fifth harmonic adds no power."""
    ports = [port for port in (1, 2, 3) if port != voltage_port]
    volts = adapter(voltage_port)
    clamps = [make_sensor(port=port, clamp_a=50 * port, phase_deg=lead_deg) for port in ports]
    sensors = [*clamps, volts]
    known = plain(sensors)
    amps = {clamp.port: 4.0 * clamp.port for clamp in clamps}
    inputs = {volts.port: {1: lsb_of(volts, polar(VOLTS, 25))}}
    for clamp in clamps:
        inputs[clamp.port] = {1: lsb_of(clamp, polar(amps[clamp.port], 25 - angle_deg)), 5: 5.0}
    moments = board(sensors, known).run(inputs, 5.5)
    assert len(moments) == 5
    for clamp in clamps:
        meter = RealMeter(clamp, volts)
        out = RealMeter(
            make_sensor(port=clamp.port, clamp_a=clamp.clamp_a, phase_deg=lead_deg, direction="export"), volts
        )
        shown, exported = play(meter, moments, known), play(out, moments, known)
        apparent_w = VOLTS * amps[clamp.port]
        expected_w = apparent_w * np.cos(np.radians(angle_deg))
        # 50 A clamp at 4 A: 100 LSB; noise and rounding leave 0.85 LSB / sqrt(4000) of it, 0.02 %, in each window.
        assert shown == pytest.approx([expected_w] * 5, abs=0.001 * apparent_w)
        assert exported == [max(0.0, -one) for one in shown]
        counted = meter.total if expected_w > 0 else out.total
        other = out.total if expected_w > 0 else meter.total
        worth_uwh = abs(expected_w) * float(seconds_of(moments)) / 3.6e-3
        assert counted.uwh == pytest.approx(worth_uwh, abs=0.001 * apparent_w * 5 / 3.6e-3)
        assert other.uwh == 0


@pytest.mark.parametrize("amps", [0.0, 0.02])
def test_noise_beside_a_voltage_is_not_counted_and_the_smallest_load_is(amps):
    """4.6 W are 26 standard errors of 0.18 W (1.2 LSB of noise, 4000 samples a window)."""
    volts, clamp = adapter(1), make_sensor(port=2)
    sensors, floor_lsb2 = [clamp, volts], 1.2**2 + 1 / 12
    known = plain(sensors, floor_lsb2=floor_lsb2)
    inputs = {1: {1: lsb_of(volts, polar(VOLTS, 0))}, 2: {1: lsb_of(clamp, polar(amps, 0))}}
    moments = board(sensors, known, noise_lsb=1.2).run(inputs, 60.5)
    for direction in ("import", "export"):
        meter = RealMeter(make_sensor(port=2, direction=direction), volts)
        shown = play(meter, moments, known)
        flows = amps > 0 and direction == "import"
        worth_uwh = VOLTS * amps * float(seconds_of(moments)) / 3.6e-3 if flows else 0
        # Beyond three standard errors noise gets once in 370 windows, with 0.5 W or so: 150 uWh.
        assert exact_uwh(meter) == pytest.approx(worth_uwh, abs=1000)
        assert sum(one != 0 for one in shown) <= (len(shown) if flows else 3)


@pytest.mark.parametrize("floor_share", [0.99, 0.998, 1.0, 1.01])
def test_an_idle_clamp_counts_nothing_though_its_floor_is_a_little_off(floor_share):
    clamp = make_sensor(port=1)
    known = plain([clamp], floor_lsb2=floor_share * (1.2**2 + 1 / 12))
    moments = board([clamp], known, noise_lsb=1.2).run({1: {1: 0.0}}, 100.5)
    meter = meter_of(clamp, None)
    shown = play(meter, moments, known)
    # 4000 samples scatter by 2.2 %, so a floor 1 % low shows something in 0.5 % of windows: 7 W, 2000 uWh each.
    assert sum(one > 0 for one in shown) <= 3
    assert exact_uwh(meter) <= 3 * 4000


def test_energy_is_the_boards_total_times_exact_gains():
    clamp, volts = make_sensor(port=1, clamp_a=Fraction("46.512")), adapter(2)
    known = {1: InputCalibration(gain=Fraction("1.0093")), 2: InputCalibration(gain=Fraction("0.987"))}
    run = board([clamp, volts], known)
    meter = RealMeter(clamp, volts)
    inputs = {1: {1: lsb_of(clamp, 10.0)}, 2: {1: lsb_of(volts, VOLTS)}}
    moments = run.run(inputs, 3.2)
    shown = play(meter, moments, known)
    total = moments[-1].pairs[(1, 2)].import_total
    unit = uwh_per_energy(clamp_a=Fraction("46.512"), adapter_v=400)
    assert exact_uwh(meter) == total * unit * Fraction("1.0093") * Fraction("0.987")
    assert shown[0] == pytest.approx(2300 * 1.0093 * 0.987, rel=1e-3)


def test_a_clamp_turned_round_has_exactly_the_opposite_power_and_energy():
    clamp, back, volts = make_sensor(port=1), make_sensor(port=1, direction="export"), adapter(2)
    known = plain([clamp, volts])
    inputs = {1: {1: lsb_of(clamp, polar(10, 40)), 3: 30.0}, 2: {1: lsb_of(volts, VOLTS)}}
    found = []
    for sensor, mirrored in ((clamp, ()), (back, (1,)), (clamp, (1, 2))):
        moments = board([clamp, volts], known).run(inputs, 4.2, mirrored=mirrored)
        meter = RealMeter(sensor, volts)
        shown = play(meter, moments, known)
        found.append((shown, exact_uwh(meter), abs(moments[-1].pairs[(1, 2)].product)))
    assert found[0] == found[1] == found[2]
    assert found[0][1] > 0


losses = st.lists(st.booleans(), min_size=8, max_size=8)


@settings(max_examples=40, deadline=None)
@given(losses, st.integers(0, 8))
def test_lost_moments_and_a_boot_cost_no_energy(arrives, boot_at):
    """What was counted up to the last moment that came of each boot is counted, to the last micro-watt-hour."""
    clamp, volts = make_sensor(port=1), adapter(2)
    apparent = make_sensor(port=1, voltage_v=240)
    known = {1: InputCalibration(gain=Fraction("1.01")), 2: InputCalibration()}
    real, plainly = RealMeter(clamp, volts), ApparentMeter(apparent)
    worth = [Fraction(0), Fraction(0)]
    for moments in (EIGHT_MOMENTS[:boot_at], EIGHT_MOMENTS[: 8 - boot_at]):
        came = [moment for moment, there in zip(moments, arrives, strict=False) if there]
        for meter in (real, plainly):
            meter.seen = {}
            play(meter, came, known)
        if came:
            unit = uwh_per_energy(clamp_a=50, adapter_v=400)
            worth[0] += came[-1].pairs[(1, 2)].import_total * unit * Fraction("1.01")
            worth[1] += came[-1].windows[1].charge * uwh_per_charge(clamp_a=50, voltage_v=240) * Fraction("1.01")
    assert [exact_uwh(real), exact_uwh(plainly)] == worth
    assert real.refused == 0


EIGHT_MOMENTS = board([make_sensor(port=1), adapter(2)], plain([make_sensor(port=1), adapter(2)])).run(
    {1: {1: polar(200, 30)}, 2: {1: polar(700)}}, 8.1
)


def test_a_total_that_fell_without_a_boot_is_refused():
    meter = RealMeter(make_sensor(port=1), adapter(2))
    known = plain([make_sensor(port=1), adapter(2)])
    assert meter.take(EIGHT_MOMENTS[1], known) is not None
    assert meter.take(EIGHT_MOMENTS[0], known) is None
    assert meter.refused == 1


def test_an_adapter_that_is_unplugged_is_no_power_and_no_silence():
    clamp, volts = make_sensor(port=1), adapter(2)
    known = plain([clamp, volts])
    run = board([clamp, volts], known)
    meter, voltage = RealMeter(clamp, volts), VoltageMeter(volts)
    current = {1: {1: lsb_of(clamp, 10.0)}}
    run.run(current | {2: {1: lsb_of(volts, VOLTS)}}, 3.0)
    after = run.run(current, 5.0)[-3:]
    assert [moment.windows[1].frequency_mhz for moment in after] == [0, 0, 0]
    # 250 LSB x 0.85 LSB of noise / sqrt(4000) is 3.4 LSB^2 at one sigma, 0.04 W each.
    assert play(meter, after, known) == pytest.approx([0.0] * 3, abs=0.2)
    assert play(voltage, after, known) == pytest.approx([0.0] * 3, abs=0.5)


# Voltage


@pytest.mark.parametrize("port", [1, 2, 3])
def test_a_voltage_without_any_clamp(port):
    volts = adapter(port)
    known = {port: InputCalibration(gain=Fraction("1.02"))}
    meter = meter_of(volts, volts)
    assert isinstance(meter, VoltageMeter) and meter.total is None
    assert play(meter, board([volts], known).run({port: {1: lsb_of(volts, VOLTS)}}, 2.2), known) == pytest.approx(
        [VOLTS * 1.02] * 2, rel=5e-4
    )


# Apparent power, and three lines


def test_the_sum_of_three_phases_with_a_neutral():
    sensor = make_sensor(port=1, further_ports=(2, 3), phases="3p+n", clamp_a=100)
    known = plain([sensor])
    moments = board([sensor], known).run({k: {1: lsb_of(sensor, polar(5.0 * k, 120 * k))} for k in (1, 2, 3)}, 3.2)
    meter = meter_of(sensor, None)
    assert play(meter, moments, known) == pytest.approx([30 * 230] * 3, rel=1e-3)
    worth = sum(moments[-1].windows[port].charge for port in (1, 2, 3)) * uwh_per_charge(clamp_a=100, voltage_v=230)
    assert exact_uwh(meter) == worth
    assert worth == pytest.approx(30 * 230 * float(seconds_of(moments)) / 3.6e-3, rel=1e-3)


MIXES = [(8, 0, 0), (0, 8, 0), (0, 0, 8), (5, 5, 5), (10, 2, 0), (3, 0, 11)]
STAR = np.exp(2j * np.pi * np.arange(3) / 3)


def lines_of(mix):
    """Complex line currents of three resistive loads between the lines."""
    loads = np.array(mix) * STAR
    return [loads[k] - loads[k - 1] for k in range(3)]


@pytest.mark.parametrize("mix", MIXES)
@pytest.mark.parametrize("ports", [(1, 2), (2, 3), (3, 1), (1, 2, 3)])
def test_three_lines_without_a_neutral(ports, mix):
    sensor = make_sensor(port=ports[0], further_ports=ports[1:], phases="3p-n", phase_deg=2.0)
    known = plain([sensor], floor_lsb2=0.64 + 1 / 12)
    lines = lines_of(mix)
    run = board([sensor], known)
    moments = run.run({port: {1: lsb_of(sensor, line)} for port, line in zip(ports, lines, strict=False)}, 3.2)
    meter = meter_of(sensor, None)
    assert isinstance(meter, StarlessMeter)
    shown = play(meter, moments, known)
    assert shown == pytest.approx([230 * sum(mix)] * 3, rel=0.0045)  # as tests of phases.py
    exact = sum(
        Fraction(power_w) * moment.windows[ports[0]].samples / RATE_HZ * Fraction(2500, 9)
        for power_w, moment in zip(shown, moments, strict=True)
    )
    assert exact_uwh(meter) == exact


def test_three_lines_whose_loads_are_all_switched_off_show_zero():
    """Two quiet clamps tell no frequency: the last one known is as good."""
    sensor = make_sensor(port=1, further_ports=(2,), phases="3p-n")
    known = plain([sensor], floor_lsb2=0.64 + 1 / 12)
    run = board([sensor], known)
    meter = meter_of(sensor, None)
    lines = lines_of((5, 5, 5))
    on = run.run({1: {1: lsb_of(sensor, lines[0])}, 2: {1: lsb_of(sensor, lines[1])}}, 3.0)
    assert play(meter, on, known)[-1] == pytest.approx(3450, rel=0.005)
    off = run.run({}, 5.0)[-3:]
    assert off[0].windows[1].frequency_mhz == 0
    assert all(power_w < 3 for power_w in play(meter, off, known))


@pytest.mark.parametrize(("rule", "expected"), [("two-clamp", 2 / sqrt(3)), ("three-clamp", 133 * sqrt(3) / 230)])
def test_the_manuals_rules_by_name(rule, expected):
    """An even load: 15 % high with two clamps, 0.2 % with three."""
    clamps, volts = MANUAL_RULES[rule]
    sensor = make_sensor(port=1, further_ports=(2, 3)[: clamps - 1], phases="3p-n", rule=rule, voltage_v=int(volts))
    known = plain([sensor])
    moments = board([sensor], known).run(
        {k + 1: {1: lsb_of(sensor, line)} for k, line in enumerate(lines_of((10, 10, 10)))}, 2.2
    )
    meter = meter_of(sensor, None)
    assert isinstance(meter, ApparentMeter)
    assert play(meter, moments, known) == pytest.approx([6900 * expected] * 2, rel=1e-3)


def test_which_meter_a_sensor_gets():
    volts = adapter(3)
    assert isinstance(meter_of(make_sensor(port=1), volts), RealMeter)
    assert isinstance(meter_of(make_sensor(port=1), None), ApparentMeter)
    three = make_sensor(port=1, further_ports=(2, 3), phases="3p+n")
    assert isinstance(meter_of(three, None), ApparentMeter)
    two = make_sensor(port=1, further_ports=(2,), phases="3p-n")
    assert isinstance(meter_of(two, volts), StarlessMeter)
    ruled = make_sensor(port=1, further_ports=(2,), phases="3p-n", rule="two-clamp")
    assert isinstance(meter_of(ruled, volts), ApparentMeter)
    assert pairs_mask([make_sensor(port=1), make_sensor(port=2), volts]) == 0b110
    assert pairs_mask([two]) == 0b001
    assert pairs_mask([three]) == pairs_mask([volts]) == pairs_mask([ruled]) == 0


# Noise


FLOOR = 0.64 + 1 / 12


def quiet_board(floor_lsb2, **given):
    wanted = BoardSettings(rate_hz=RATE_HZ, clamp_ports=1, pulse_ports=0)
    floor_q20 = (round(floor_lsb2 * STEP2_Q20_PER_LSB2), 0, 0)
    return CoreBoard(wanted, BoardCalibration(floor_q20=floor_q20), frequency_hz=FREQUENCY_HZ, **given)


def test_noise_alone_shows_zero_and_counts_next_to_nothing():
    meter = ApparentMeter(make_sensor(port=1))
    known = {1: InputCalibration(floor_lsb2=FLOOR)}
    totals = []
    for moment in quiet_board(FLOOR).run({}, 600):
        shown = meter.take(moment, known)
        assert shown < 4  # 3 standard errors of the floor are 0.22 LSB, 2 W; one of 740 windows is beyond
        totals.append(meter.total.uwh)
    assert totals == sorted(totals)
    # Without the floor 0.85 LSB, 7.9 W: 1.3 Wh in ten minutes. With it a random walk of 1.4 W x sqrt(600) s.
    assert totals[-1] < 50_000


@pytest.mark.parametrize("load_lsb", [0.5, 2.0, 20.0])
def test_a_floor_hides_no_load(load_lsb):
    """12 to 500 mA of a 50 A clamp: counted as the wave that it is."""
    meter = ApparentMeter(make_sensor(port=1))
    known = {1: InputCalibration(floor_lsb2=FLOOR)}
    moments = quiet_board(FLOOR).run({1: {1: load_lsb}}, 120.5)
    shown = play(meter, moments, known)
    power_w = load_lsb * 50 * 3.3 / 4096 * 230
    # A window's mean square scatters by 0.016 LSB^2 from the floor alone: 3 % of 0.5 LSB, in 120 windows 0.3 %.
    assert np.mean(shown) == pytest.approx(power_w, rel=0.02)
    assert meter.total.uwh == pytest.approx(power_w * float(seconds_of(moments)) / 3.6e-3, rel=0.02)


def test_a_floor_that_is_too_high_costs_a_watt_hour_once_and_no_load_for_long():
    """The converter cooled down: the charge falls for twenty minutes. Then a kettle is switched on."""
    meter = ApparentMeter(make_sensor(port=1))
    known = {1: InputCalibration(floor_lsb2=1.2 * FLOOR)}
    run = quiet_board(1.2 * FLOOR)
    moments = run.run({}, 1200)
    assert moments[-1].windows[1].charge < -400 * 8 * 1024 * 1000  # 0.38 LSB each second
    play(meter, moments, known)
    assert (meter.total.uwh, exact_uwh(meter)) == (0, -1_000_000)
    kettle = run.run({1: {1: 200.0}}, 10.1)
    shown = play(meter, kettle, known)
    kettle_w = 200 * 50 * 3.3 / 4096 * 230
    assert shown[-1] == pytest.approx(kettle_w, rel=1e-3)
    assert meter.total.uwh == pytest.approx(kettle_w * float(seconds_of(kettle)) / 3.6e-3 - 1e6, rel=0.02)


def test_a_bridge_that_starts_beside_a_charge_far_below_zero_counts_from_there():
    """Charge that fell for days before the bridge was started is no reason to refuse what follows."""
    meter = ApparentMeter(make_sensor(port=1))
    known = {1: InputCalibration()}
    far = -100_000 * 8 * 1024 * 1000
    unit = uwh_per_charge(clamp_a=50, voltage_v=230)
    for grown in (0, 10**12, 2 * 10**12):
        moment = Moment(1_000_000 + grown, RATE_HZ, (1,), windows={1: at_charge(far + grown)})
        assert meter.take(moment, known) is not None
    assert exact_uwh(meter) == 2 * 10**12 * unit - 1_000_000
    assert meter.refused == 0


def at_charge(charge):
    return replace(EIGHT_MOMENTS[0].windows[1], charge=charge)
