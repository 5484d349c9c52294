# The tasks' side of the pulse inputs on the very module of the board, with registers that stand in memory here.
import micropython
from fakes import PERIOD, PulseLines, Ticks

import pulses
from meter.clock import BoardClock
from meter.pulses import PulseInput
from shared.records import PULSE

_STORM_EDGES = 64  # as pulses.h
_POLL_US = 16000  # as wiring.py


class _Line:
    """A meter's contact on one of four inputs; pin and port have the same number."""

    def __init__(self, start=0, width_us=5000, gap_us=0, port=4):
        self.ticks = Ticks(start)
        self.lines = PulseLines(self.ticks)
        self.clock = BoardClock(self.ticks.ticks, self.ticks.diff)
        self.port = port
        self.inputs = {each: PulseInput(each, index) for each, index in self.lines.index.items()}
        for each in self.inputs.values():
            each.apply(width_us, gap_us)
        self.input = self.inputs[port]

    def wait(self, us):
        # The board's timer polls each 16 ms, its task reads each second.
        while us > 0:
            step = min(us, _POLL_US)
            us -= step
            self.lines.wait(step)
            if step == _POLL_US:
                self.poll()

    def silence(self, us):
        """A long time, without polling so often as the board: the result is the same, and the test is short."""
        while us > 0:
            step = min(us, 400000000)
            us -= step
            self.lines.wait(step)
            self.poll()

    def poll(self):
        self.clock.tick()
        pulses.poll()
        for each in self.inputs.values():
            each.poll(self.clock)
        return self.input.count

    def edge(self, level, after_us):
        self.wait(after_us)
        self.lines.edge(self.port, level)

    def record(self, port=0):
        names = ("port", "t_us", "count", "edge_us", "interval_us", "rejected", "storms")
        payload = self.inputs[port or self.port].payload(self.clock.now_us())
        return dict(zip(names, PULSE.unpack(payload)))


def test_clean_pulses_are_counted_and_timed():
    line = _Line()
    for _ in range(10):
        line.edge(0, 1970000)
        line.edge(1, 30000)
    line.wait(10000)
    assert line.poll() == 10
    record = line.record()
    assert record["edge_us"] == 10 * 2000000 - 30000 and record["interval_us"] == 2000000
    assert (record["rejected"], record["storms"]) == (0, 0)


def test_bounce_on_both_edges_counts_once_and_is_dated_at_the_first_edge():
    line = _Line()
    for _ in range(5):
        line.edge(0, 100000)
        for _ in range(6):
            line.edge(1, 300)
            line.edge(0, 200)
        line.edge(1, 30000)
        for _ in range(3):
            line.edge(0, 300)
            line.edge(1, 200)
    line.wait(10000)
    assert line.poll() == 5
    period_us = 100000 + 6 * 500 + 30000 + 3 * 500
    assert line.record()["edge_us"] == 100000 + 4 * period_us
    assert line.record()["rejected"] == 5 * 18


def test_a_pulse_as_long_as_the_limit_counts_and_a_shorter_one_does_not():
    line = _Line()
    for width in (5000, 4999):
        line.edge(0, 100000)
        line.edge(1, width)
    line.wait(10000)
    assert line.poll() == 1
    assert line.record()["rejected"] == 2


def test_short_pulses_right_after_each_other_are_all_counted():
    # The original loses every second pulse shorter than its dead time.
    line = _Line(width_us=2000)
    for _ in range(20):
        line.edge(0, 3000)
        line.edge(1, 3000)
    line.wait(10000)
    assert line.poll() == 20


def test_edges_there_and_back_before_the_interrupt_are_rejected_and_interrupt_a_level():
    line = _Line()
    line.lines.interrupt(4)  # high, low, high again
    line.edge(0, 100000)
    line.wait(4000)
    line.lines.interrupt(4)  # low, high, low again: it has not held for 5 ms
    line.edge(1, 4000)
    line.wait(20000)
    assert line.poll() == 0
    assert line.record()["rejected"] == 2 + 2 + 2


def test_chatter_that_begins_there_and_back_ends_the_level_before_it_and_dates_the_pulse():
    line = _Line(width_us=12000)
    line.edge(0, 100000)
    line.edge(1, 30000)
    line.lines.wait(14000)  # it has held, and no poll came
    line.lines.interrupt(4)  # high, low, high again
    line.lines.wait(2000)
    line.lines.edge(4, 0)
    line.wait(13000)
    assert line.poll() == 2
    assert line.record()["edge_us"] == 144000 and line.record()["rejected"] == 2


def test_in_the_gap_no_pulse_begins_and_the_pulse_behind_it_is_not_lost():
    line = _Line(width_us=5000, gap_us=100000)
    for _ in range(3):
        line.edge(0, 1000000)
        line.edge(1, 10000)
        line.edge(0, 30000)  # another 40 ms after the first: rejected
        line.edge(1, 10000)
        line.edge(0, 60000)  # 110 ms after the first
        line.edge(1, 10000)
    line.wait(10000)
    assert line.poll() == 6
    assert line.record()["interval_us"] == 110000 and line.record()["rejected"] == 3 * 2


def test_a_level_that_fell_in_the_gap_and_stays_counts_from_the_end_of_the_gap_without_an_edge():
    line = _Line(width_us=5000, gap_us=100000)
    line.edge(0, 1000000)
    line.edge(1, 10000)
    line.edge(0, 40000)
    line.wait(54000)
    assert line.poll() == 1  # 4 ms behind the gap: not held for 5 ms
    line.wait(2000)
    assert line.poll() == 2
    assert line.record()["edge_us"] == 1100000 and line.record()["interval_us"] == 100000
    line.edge(1, 100000)
    line.edge(0, 30000)
    line.wait(6000)
    assert line.poll() == 3


def test_a_pulse_after_an_hour_counts_and_does_not_fall_into_the_gap():
    # The module's counter wraps after 71.6 min, its half after 35.8; the gap began just one wrap ago.
    for hours_us in (1 << 31, (1 << 32) - 50000, 1 << 32, (1 << 32) + 50000, 3600000000, 3 << 32):
        line = _Line(PERIOD - 12345, width_us=5000, gap_us=10000000)
        line.edge(0, 1000000)
        line.edge(1, 30000)
        line.silence(hours_us - 30000)
        line.edge(0, 0)
        line.edge(1, 30000)
        line.wait(10000)
        assert line.poll() == 2, hours_us
        record = line.record()
        assert record["edge_us"] == 1000000 + hours_us and record["interval_us"] == hours_us
        assert record["rejected"] == 0


def test_times_are_right_while_the_chips_counter_wraps():
    for start in ((1 << 32) - 1060000, (1 << 31) - 1060000, PERIOD - 1060000):
        line = _Line(start)
        for _ in range(4):
            line.edge(0, 500000)
            line.edge(1, 30000)
        line.wait(10000)
        assert line.poll() == 4
        assert line.record()["edge_us"] == 4 * 530000 - 30000 and line.record()["interval_us"] == 530000


def test_several_pulses_between_two_looks_of_the_task_give_the_last_interval():
    line = _Line()
    for gap in (400000, 300000, 100000):
        line.lines.wait(gap - 30000)
        line.lines.edge(4, 0)
        line.lines.wait(30000)
        line.lines.edge(4, 1)
    line.lines.wait(6000)
    assert line.poll() == 3
    assert line.input.interval_us == 100000


def test_an_edge_that_the_chip_missed_is_found_by_the_poll():
    line = _Line()
    line.wait(100000)
    line.lines.put(4, 0)  # no interrupt came
    line.poll()
    line.wait(30000)
    assert line.poll() == 1
    line.edge(1, 30000)
    line.wait(30000)
    assert line.poll() == 1
    assert line.record()["rejected"] == 0


def test_edges_at_once_have_the_time_of_the_first_interrupt():
    line = _Line()
    line.wait(100000)
    for port in (2, 3, 4, 5):
        line.lines.put(port, 0)
    for port in (3, 2, 4, 5):
        line.lines.interrupt(port)
        line.lines.wait(9)
    line.wait(30000)
    for port in (2, 3, 4, 5):
        line.lines.put(port, 1)
    for port in (5, 4, 2, 3):
        line.lines.interrupt(port)
        line.lines.wait(9)
    line.wait(10000)
    line.poll()
    for port in (2, 3, 4, 5):
        record = line.record(port)
        assert (record["count"], record["edge_us"], record["rejected"]) == (1, 100000, 0)


def test_a_line_that_chatters_for_long_never_dates_a_pulse_wrongly():
    # 50 Hz hum: an edge each 4 ms, shorter than the 5 ms that count, for twenty minutes; then two real pulses.
    line = _Line((1 << 32) - 5000000)
    for step in range(300000):
        line.lines.wait(4000)
        line.lines.edge(4, step & 1)
        if step % 100 == 0:
            line.poll()
    line.edge(1, 4000)
    line.wait(1000000)
    for _ in range(2):
        line.edge(0, 100000)
        line.edge(1, 30000)
        line.wait(10000)
        line.poll()
    assert line.input.count == 2
    assert 0 < line.input.edge_us < line.clock.now_us() and line.input.interval_us == 140000
    assert line.record()["storms"] == 0


def test_a_storm_shuts_its_input_alone_until_the_next_poll():
    line = _Line(width_us=20)
    line.wait(100000)
    for step in range(1000):  # 100 kHz of edges
        line.lines.wait(10)
        line.lines.edge(4, step & 1 ^ 1)
        assert line.lines.is_open(4) == (step < _STORM_EDGES - 1)
    line.edge(1, 10)
    line.port = 5
    line.edge(0, 100)
    line.edge(1, 50)
    line.lines.wait(100)
    line.poll()
    assert line.lines.is_open(4) and line.lines.words[line.lines.PENDING] == line.lines.EDGES << 16
    assert line.inputs[5].count == 1
    assert line.record(4)["storms"] == 1 and line.record(5)["storms"] == 0
    assert line.record(4)["count"] == 0 and line.record(4)["rejected"] == _STORM_EDGES
    line.port = 4
    line.edge(0, 100000)
    line.edge(1, 50)
    line.wait(20000)
    assert line.record()["count"] == 1 and line.record()["edge_us"] == line.clock.now_us() - 20050


def test_what_a_storm_hid_is_no_pulse_and_a_level_that_it_leaves_counts_from_the_next_poll():
    line = _Line(width_us=5000)
    line.wait(100000)
    for step in range(_STORM_EDGES):
        line.lines.wait(10)
        line.lines.edge(4, step & 1 ^ 1)
    for level in (0, 1, 0):  # pulses, hidden; then the line stays low
        line.edge(level, 1000)
    line.poll()
    opened_us = line.clock.now_us()
    line.wait(4999)
    assert line.poll() == 0
    line.wait(1)
    assert line.poll() == 1 and line.record()["edge_us"] == opened_us


def test_two_thousand_pulses_a_second_are_no_storm_even_when_the_poll_is_late():
    line = _Line(width_us=20)
    for _ in range(400):  # 200 ms without a poll
        line.lines.wait(450)
        line.lines.edge(4, 0)
        line.lines.wait(50)
        line.lines.edge(4, 1)
    line.wait(100)
    assert line.poll() == 400
    assert line.record()["storms"] == 0 and line.record()["interval_us"] == 500


def test_counts_go_on_when_those_of_the_module_wrap():
    line = _Line()
    line.input._seen = line.input.count = 0xFFFFFFFF  # as if so many had been counted before
    line.input._told[0] = 0xFFFFFFFF
    line.edge(0, 100000)
    line.edge(1, 30000)
    line.wait(10000)
    assert line.poll() == 0xFFFFFFFF + 2  # the module is at 1: two more than 2^32 - 1
    assert line.record()["count"] == 0xFFFFFFFF + 2


def test_interrupt_and_poll_never_allocate():
    line = _Line(1 << 29)
    words, ticks = line.lines.words, line.ticks
    low, high = 0x2C, 0x3C
    micropython.heap_lock()
    now = ticks.now
    for step in range(40):
        now += 10000
        words[0] = now
        words[1] = high if step & 1 else low
        pulses.edge(4)  # a MemoryError here is the finding
        pulses.poll()
    micropython.heap_unlock()
    ticks.now = now
    assert line.poll() == 20


def test_what_would_read_or_write_elsewhere_is_refused():
    line = _Line()
    address = 4096
    for call in (
        lambda: pulses.init(0, address, address, address),
        lambda: pulses.init(address, address, address, address + 1),
        lambda: pulses.add(6, 6),  # a fifth input
        lambda: pulses.limits(4, 0, 0),
        lambda: pulses.limits(-1, 0, 0),
        lambda: pulses.limits(0, 1 << 30, 0),
        lambda: pulses.limits(0, 0, -1),
        lambda: pulses.take(4, line.input._told),
        lambda: pulses.take(0, bytearray(20)),
        lambda: pulses.take(0, memoryview(line.input._told)[1:]),
    ):
        try:
            call()
        except ValueError:
            continue
        raise AssertionError("taken")
    pulses.edge("nobody's pin")
    assert line.record()["rejected"] == 0
