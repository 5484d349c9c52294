from fakes import PERIOD, Ring, Ticks

from meter.clock import BoardClock
from meter.sampler import Sampler
from shared.records import CLAMP, CLIPPED, GAP, NO_SIGNAL


class _Rig:
    def __init__(self, ring_samples=300, ports=(1, 2, 3), rate_hz=100, start=PERIOD - 2000000):
        self.ticks = Ticks(start)
        self.ring = Ring(ring_samples)
        self.clock = BoardClock(self.ticks.ticks, self.ticks.diff)
        self.sampler = Sampler(self.ring, {1: 0, 2: 1, 3: 2}, self.clock, self.ticks.ticks, self.ticks.diff)
        self.woken = 0
        self.sampler.on_window = self._wake
        self.sampler.start(ports, rate_hz)
        self.made = 0

    def _wake(self):
        self.woken += 1

    def run(self, sets, poll_every=5, code=lambda index, channel: 2048 + (index % 7) * (channel + 1)):
        channels = len(self.sampler.ports)
        for _ in range(sets):
            self.ring.feed([code(self.made, channel) for channel in range(channels)])
            self.made += 1
            self.ticks.now += 1000000 // self.sampler.rate_hz
            if self.made % poll_every == 0:
                self.poll()

    def poll(self):
        self.clock.tick()
        self.sampler.poll()

    def windows(self):
        found = []
        payload = self.sampler.take()
        while payload:
            found.append(CLAMP.unpack(bytes(payload)))
            payload = self.sampler.take()
        return found


def test_windows_hold_exact_sums_of_each_channel():
    rig = _Rig()
    rig.run(100)
    assert rig.woken == 1
    windows = rig.windows()
    assert [window[0] for window in windows] == [1, 2, 3]
    for channel, window in enumerate(windows):
        xs = [(index % 7) * (channel + 1) for index in range(100)]
        _port, flags, t_us, gap, _charge, sum_sq, total, samples, low, high = window
        assert (flags, t_us, gap, samples) == (0, 1000000, 0, 100)
        assert (sum_sq, total, low, high) == (sum([x * x for x in xs]), sum(xs), min(xs), max(xs))


def test_no_sample_is_lost_over_many_rings_and_windows_are_one_second_apart():
    rig = _Rig(ring_samples=96)
    times = []
    for _ in range(20):
        rig.run(100)
        times += [window[2] for window in rig.windows() if window[0] == 1]
    assert times == [1000000 * second for second in range(1, 21)]
    assert rig.sampler.gap_samples == 0


def test_a_poll_that_comes_too_late_counts_what_is_missing_and_marks_the_window():
    rig = _Rig(ring_samples=300)
    rig.run(50)
    rig.run(150, poll_every=1000)  # one and a half rings without a poll
    rig.poll()
    assert rig.sampler.gap_samples == 150
    rig.ring.at = 0
    rig.run(100)
    first = rig.windows()[0]
    assert first[1] == GAP and first[3] == 150 and first[7] == 100


def test_an_overrun_of_the_queue_starts_again_with_the_first_channel():
    rig = _Rig()
    rig.run(10)
    rig.ring.over = True
    rig.poll()
    assert len(rig.ring.starts) == 2 and rig.ring.position() == 0
    assert rig.sampler._tail == 0


def test_clipping_and_a_dead_input_are_told():
    rig = _Rig()
    rig.run(100, code=lambda index, channel: (0, 4095, 2048)[channel] if index == 3 else 2048)
    assert [window[1] for window in rig.windows()] == [CLIPPED, CLIPPED, NO_SIGNAL]


def test_settings_change_at_run_time():
    rig = _Rig()
    rig.run(30)
    rig.sampler.start((2,), 50)
    assert rig.ring.starts[-1] == ([1], 50)
    rig.made = 0
    rig.run(50)
    windows = rig.windows()
    assert [window[0] for window in windows] == [2] and windows[0][7] == 50
    rig.sampler.start((), 50)
    rig.poll()
    assert rig.windows() == []


def test_windows_nobody_takes_are_bounded_and_counted():
    rig = _Rig()
    rig.run(2000)
    windows = rig.windows()
    assert len(windows) == 12 and windows[-1][2] == 20000000
    assert rig.sampler.windows_dropped == 60 - 12


def test_charge_runs_over_all_windows():
    rig = _Rig(ports=(1,))
    rig.run(1000, code=lambda index, channel: 2048 + (100 if index & 1 else -100))
    charges = [window[4] for window in rig.windows()]
    assert charges[-1] == 10 * 100 * 1000 * 1024


def test_charge_stays_with_its_port_and_never_falls_when_settings_change():
    rig = _Rig(ports=(1, 2))
    swing = lambda index, channel: 2048 + (100 if index & 1 else -100)  # noqa: E731
    rig.run(300, code=swing)
    rig.windows()
    for ports, rate_hz in (((2,), 50), ((1, 3), 200), ((1, 2, 3), 100)):
        rig.sampler.start(ports, rate_hz)
        rig.made = 0
        rig.run(rate_hz, code=swing)
    charges = {window[0]: window[4] // (100 * 1000 * 1024) for window in rig.windows()}
    assert charges == {1: 5, 2: 5, 3: 2}  # seconds of 100 LSB
