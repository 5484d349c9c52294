from array import array

from sampling import POLL_MS, SamplerRig, product_of, steps_of

from meter.capture import Capture
from meter.sampler import PAIRS
from shared.records import CLIPPED, GAP, NO_MAINS, NO_SIGNAL


def square_at(rate_hz, height=100):
    """A code() for rigs: 50 Hz, so that the rms is the height."""
    return lambda index, channel: 2048 + (height if index * 1000 // rate_hz % 20 < 10 else -height)


SQUARE = square_at(1000)


def shifted(table, steps):
    return array("h", [min(max(value + steps, -16383), 16383) for value in table])


def test_windows_hold_exact_sums_of_each_channel():
    rig = SamplerRig()
    rig.run(3100)
    begin, windows = 0, rig.records("clamp")
    assert [window["port"] for window in windows] == [1, 2, 3] * 3 and rig.woken == 3
    for number, window in enumerate(windows):
        end = begin + window["samples"]
        xs = steps_of(rig.fed[begin:end], number % 3)
        assert window["sum_sq"] == sum([x * x for x in xs]) and window["sum_"] == sum(xs)
        assert (window["low"], window["high"]) == (min(xs), max(xs))
        assert (window["t_us"], window["flags"], window["gap_samples"]) == (end * 1000, 0, 0)
        assert window["cycles"] == 50 and abs(window["frequency_mhz"] - 50000) < 30
        if number % 3 == 2:
            begin = end


def test_no_sample_is_lost_over_many_rings():
    rig = SamplerRig(ring_samples=300)
    rig.run(6100)
    windows = [window for window in rig.records("clamp") if window["port"] == 1]
    assert rig.sampler.gap_samples == 0
    assert [window["t_us"] for window in windows] == [1000000 * second for second in range(1, 7)]


def test_pairs_are_multiplied_whatever_ports_are_sampled():
    for ports, pairs in (((1, 2, 3), PAIRS), ((1, 3), ((1, 3),)), ((2, 3), ((2, 3),)), ((1, 2), ((1, 2),))):
        rig = SamplerRig(ports=ports, pairs=pairs)
        rig.run(1100)
        found = rig.records("pair")
        assert [(pair["a_port"], pair["b_port"]) for pair in found] == list(pairs)
        for pair in found:
            n = pair["samples"]
            a = steps_of(rig.fed[:n], ports.index(pair["a_port"]))
            b = steps_of(rig.fed[:n], ports.index(pair["b_port"]))
            assert (pair["product"], pair["flags"], pair["t_us"]) == (product_of(a, b), 0, n * 1000)
            # The sample before the first one is taken to be the first one: it can tell nothing else.
            lagged = product_of([a[0]] + a[:-1], b)
            assert abs(pair["lagged"] - lagged) <= 16 * abs(a[-1] - a[0]) * abs(sum(b)) // (n * n) + 16
            assert pair["import_total"] - pair["export_total"] == pair["product"] * n // 64


def test_pairs_of_ports_that_are_not_sampled_are_left_out():
    rig = SamplerRig(ports=(2, 3), pairs=PAIRS)
    rig.run(1100)
    assert [(pair["a_port"], pair["b_port"]) for pair in rig.records("pair")] == [(2, 3)]


def test_the_mains_is_found_on_the_voltage_port():
    # Port 1 swings most, with 60 Hz and something; port 2 is small and has 50 Hz.
    def code(index, channel):
        return 2048 + ((40, 7, 1)[channel] * ((index * (6, 5, 5)[channel]) % 100 - 50)) // 10

    for voltage_port, wanted in ((0, 60), (2, 50)):
        rig = SamplerRig(voltage_port=voltage_port)
        rig.run(2100, code=code)
        assert [window["cycles"] for window in rig.records("clamp")][-3:] == [wanted] * 3


def test_a_poll_that_comes_too_late_counts_what_is_missing_and_marks_the_window():
    rig = SamplerRig(ring_samples=900)
    rig.run(512)
    rig.run(450, poll_every=100000)  # one and a half rings without a poll
    rig.poll()
    assert rig.sampler.gap_samples == 450 + 512 % 48
    mark, before = len(rig.fed), 512 - 512 % 48
    rig.run(1100)
    window = rig.records("clamp")[0]
    after = window["samples"] - before
    assert window["flags"] & GAP and window["gap_samples"] == 450 + 512 % 48
    assert window["sum_"] == sum(steps_of(rig.fed[:before] + rig.fed[mark : mark + after], 0))
    assert window["t_us"] == (mark + after) * 1000


def test_an_overrun_of_the_queue_is_seen_at_the_next_poll_and_begins_again_with_the_first_channel():
    rig = SamplerRig()
    rig.run(480)
    rig.ring.at += 1  # one code too many: all that follow would go to the wrong channel
    rig.ring.over = True
    rig.run(POLL_MS)
    assert len(rig.ring.starts) == 2 and rig.ring.position() == 0 and not rig.ring.over
    assert rig.sampler.gap_samples == POLL_MS
    mark = len(rig.fed)
    rig.run(1100)
    for window in rig.records("clamp"):
        channel, after = window["port"] - 1, window["samples"] - 480
        assert window["flags"] & GAP
        assert window["sum_"] == sum(steps_of(rig.fed[:480] + rig.fed[mark : mark + after], channel))


def test_only_every_third_poll_folds():
    rig = SamplerRig()
    waited = []
    for _ in range(6):
        rig.run(POLL_MS)
        waited.append(rig.sampler.backlog_samples)
        rig.sampler.backlog_samples = 0
    assert waited == [0, 0, 3 * 3 * POLL_MS] * 2


def test_lost_samples_and_measured_ones_are_all_there_were():
    rig = SamplerRig(ring_samples=900)
    for turn in range(6):
        rig.run(700)
        rig.run(500 if turn % 2 else 10, poll_every=100000)
        rig.ring.over = not turn % 2
        rig.poll()
    rig.run(1100)
    windows = [window for window in rig.records("clamp") if window["port"] == 1]
    measured = sum([window["samples"] for window in windows])
    assert measured + windows[-1]["gap_samples"] == windows[-1]["t_us"] // 1000


def test_time_is_that_of_the_samples_as_the_converter_takes_them():
    rig = SamplerRig(ring_samples=900)
    rig.ring.late_us = 8  # far more than the divider's last step
    rig.start((1, 2, 3))
    began_us = rig.clock.now_us()
    rig.run(80 * 3 * POLL_MS)
    ends_us = [window["t_us"] - began_us for window in rig.records("clamp") if window["port"] == 1]
    assert ends_us == [1008 * 1000, 1008 * 2000, 1008 * 3000]
    rig.ring.over = True
    rig.run(POLL_MS)
    assert rig.sampler.gap_samples == POLL_MS
    capture = Capture((1,), 100)
    rig.sampler.capture(capture)
    rig.run(9 * POLL_MS)
    assert capture._t_us == rig.clock.now_us() - 1008 * 100


def test_clipping_and_a_dead_input_are_told():
    rig = SamplerRig()
    rig.run(1100, code=lambda index, channel: (0, 4095, 2048)[channel] if index == 3 else 2048)
    assert [window["flags"] for window in rig.records("clamp")] == [
        CLIPPED | NO_MAINS,
        CLIPPED | NO_MAINS,
        NO_SIGNAL | NO_MAINS,
    ]


def test_ports_and_rate_change_at_run_time():
    rig = SamplerRig()
    rig.run(300)
    rig.start((2,), 2000)
    assert rig.ring.starts[-1] == ([1], 2000)
    rig.run(2100)
    assert [(window["port"], window["samples"]) for window in rig.records()] == [(2, 2000)]
    rig.start(())
    rig.poll()
    assert rig.records() == []


def test_windows_nobody_takes_are_bounded_and_counted():
    rig = SamplerRig(pairs=PAIRS)
    rig.run(6100)
    records = rig.records()
    assert len(records) == 24 and records[-1]["t_us"] == 6000000
    assert rig.sampler.windows_dropped == 6 * 6 - 24


def test_charge_runs_over_all_windows_and_without_the_noise():
    small = square_at(1000, 5)
    rig = SamplerRig(ports=(1,))
    rig.run(5100, code=small)
    assert rig.records()[-1]["charge"] == 5 * 40 * 1000 * 1024
    rig.calibration.floor_q20 = ((40 * 40 - 32 * 32) << 20, 0, 0)
    rig.sampler.calibrate()  # counts for the window that is open
    rig.run(1000, code=small)
    assert rig.records()[-1]["charge"] == (5 * 40 + 32) * 1000 * 1024


def test_totals_stay_with_their_port_or_pair_and_never_fall_when_settings_change():
    rig = SamplerRig(ports=(1, 2), pairs=((1, 2),))
    rig.run(3100, code=SQUARE)
    rig.records()
    pairs = {}
    for ports, rate_hz in (((2,), 2000), ((1, 3), 800), ((1, 2, 3), 1000)):
        rig.start(ports, rate_hz, 0, PAIRS)
        rig.run(rate_hz + rate_hz // 10, code=square_at(rate_hz))
        records = rig.records()
        for pair in [fields for fields in records if fields["name"] == "pair"]:
            pairs[pair["a_port"], pair["b_port"]] = pair["import_total"] // (100 * 100 * 16 * 1000)
    charges = {each["port"]: each["charge"] // (800 * 1000 * 1024) for each in records if each["name"] == "clamp"}
    assert charges == {1: 5, 2: 5, 3: 2}  # seconds of 100 LSB
    assert pairs == {(1, 2): 4, (1, 3): 2, (2, 3): 1}


def test_compensation_turns_import_into_export_at_run_time():
    rig = SamplerRig(ports=(1, 3), pairs=((1, 3),))
    rig.run(1100, code=SQUARE)
    rig.calibration.compensation = ((1 << 14, 0), (-(1 << 14), 0), (1 << 14, 0))
    rig.sampler.calibrate()
    rig.run(2000, code=SQUARE)
    first, *_, last = rig.records("pair")
    second = 100 * 100 * 16 * 1000  # of 100 LSB times 100 LSB
    assert (first["import_total"], first["export_total"]) == (second, 0)
    assert (last["import_total"], last["export_total"]) == (second, 2 * second)


def test_a_table_counts_from_the_end_of_a_window_on_or_from_a_start():
    rig = SamplerRig(ports=(1,))
    rig.run(500)
    rig.calibration.table = shifted(rig.calibration.table, 3)
    rig.sampler.calibrate()
    rig.run(1600)
    sums = [window["sum_"] for window in rig.records()]
    assert sums == [sum(steps_of(rig.fed[:1000], 0)), sum(steps_of(rig.fed[1000:2000], 0, 3))]
    rig.calibration.table = shifted(rig.calibration.table, 2)
    rig.start((1,))
    rig.run(1100)
    assert rig.records()[0]["sum_"] == sum(steps_of(rig.fed[:1000], 0, 5))


def test_a_converter_that_stops_by_itself_is_started_anew_and_what_is_missing_counts():
    rig = SamplerRig()
    rig.run(480)
    for _ in range(3):
        rig.ticks.now += POLL_MS * 1000
        rig.poll()
    assert (rig.sampler.stalls, rig.sampler.gap_samples) == (1, 3 * POLL_MS)
    rig.run(1000)
    window = rig.records("clamp")[0]
    assert window["flags"] & GAP and window["gap_samples"] == 3 * POLL_MS
    assert rig.sampler.stalls == 1
