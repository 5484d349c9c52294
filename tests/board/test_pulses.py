import micropython
from fakes import PERIOD, Ticks

from meter.clock import BoardClock
from meter.pulses import PulseInput
from shared.records import PULSE


class _Line:
    """A meter's contact: edges call the interrupt as the chip would."""

    def __init__(self, start=0):
        self.ticks = Ticks(start)
        self.level = 1
        self.clock = BoardClock(self.ticks.ticks, self.ticks.diff)
        self.input = PulseInput(4, self.read, self.ticks.ticks, self.ticks.diff, lambda: 0, lambda state: None)

    def read(self):
        return self.level

    def edge(self, level, after_us):
        self.wait(after_us)
        self.level = level
        self.input.on_edge(None)

    def wait(self, us):
        # The board polls each second and ticks its clock more often; long waits do the same here.
        while us > 500000:
            self.ticks.now += 500000
            us -= 500000
            self.clock.tick()
            self.input.poll(self.clock)
        self.ticks.now += us

    def poll(self):
        self.clock.tick()
        self.input.poll(self.clock)
        return self.input.count


def test_clean_pulses_are_counted_and_timed():
    line = _Line()
    for _ in range(10):
        line.edge(0, 1970000)
        line.edge(1, 30000)
    line.wait(10000)
    assert line.poll() == 10
    assert line.input.interval_us == 2000000
    assert line.input.edge_us == 10 * 2000000 - 30000


def test_bounce_on_both_edges_counts_once():
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
    fields = PULSE.unpack(line.input.payload(0))
    assert fields[5] == 5 * 18


def test_a_pulse_just_longer_than_the_limit_counts_and_a_shorter_one_does_not():
    line = _Line()
    for width in (5001, 4900):
        line.edge(0, 100000)
        line.edge(1, width)
    line.wait(10000)
    assert line.poll() == 1


def test_short_pulses_right_after_each_other_are_all_counted():
    # The original loses every second pulse shorter than its dead time.
    line = _Line()
    line.input.apply(2000, 0)
    for _ in range(20):
        line.edge(0, 3000)
        line.edge(1, 3000)
    line.wait(10000)
    assert line.poll() == 20


def test_a_glitch_is_no_pulse():
    line = _Line()
    line.edge(0, 100000)
    line.edge(1, 50)
    line.wait(20000)
    assert line.poll() == 0


def test_pulses_hours_apart_keep_their_interval():
    line = _Line(PERIOD - 12345)
    line.edge(0, 1000000)
    line.edge(1, 30000)
    line.wait(3600000000 - 30000)
    line.edge(0, 0)
    line.edge(1, 30000)
    line.wait(10000)
    assert line.poll() == 2
    assert line.input.interval_us == 3600000000


def test_several_pulses_between_two_polls_give_the_last_interval():
    line = _Line()
    for gap in (400000, 300000, 100000):
        line.edge(0, gap - 30000)
        line.edge(1, 30000)
    line.wait(6000)
    assert line.poll() == 3
    assert line.input.interval_us == 100000


def test_an_edge_that_the_chip_missed_is_found_by_the_poll():
    line = _Line()
    line.wait(100000)
    line.level = 0  # no interrupt came
    line.poll()
    line.wait(30000)
    assert line.poll() == 1
    line.edge(1, 30000)
    line.wait(30000)
    assert line.poll() == 1


def test_a_line_that_chatters_for_long_never_dates_a_pulse_wrongly():
    # 50 Hz hum: an edge each 4 ms, shorter than the 5 ms that count, for twenty minutes; then two real pulses.
    line = _Line(PERIOD - 5000000)
    for step in range(300000):
        line.edge(step & 1, 4000)
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
    line.input.payload(line.clock.now_us())


def test_a_pulse_after_a_long_silence_on_a_port_that_nobody_asks_is_dated_right():
    line = _Line()
    line.edge(0, 100000)
    line.edge(1, 30000)
    line.wait(1200000000)
    line.edge(0, 0)
    line.edge(1, 30000)
    line.wait(10000)
    assert line.poll() == 2
    assert line.input.interval_us == 1200030000


def test_the_counter_goes_on_when_the_interrupts_counter_wraps():
    line = _Line()
    line.input._count = line.input._seen = 0x3FFFFFFF
    line.edge(0, 100000)
    line.edge(1, 30000)
    line.wait(10000)
    assert line.poll() == 1


def test_the_interrupt_never_allocates():
    line = _Line(1 << 20)
    fire = line.input.on_edge  # bound before the lock
    ticks = line.ticks
    micropython.heap_lock()
    for step in range(40):
        ticks.now += 10000
        line.level = step & 1
        fire(None)  # a MemoryError here is the finding
    micropython.heap_unlock()
    assert line.poll() == 20
