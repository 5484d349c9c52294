# Takes samples out of the ring often enough that it never laps itself, and hands closed windows on.
# poll() runs from a timer, between any two bytecodes of the rest: it only folds and puts windows on a short list.
import struct

import metering
from shared._compat import const
from shared.records import CLAMP, PAIR

_CLAMP_HEAD, _CLAMP_HEAD_BYTES = "<BBIQI", const(18)  # the fields before the window that the core writes
_PAIR_HEAD, _PAIR_HEAD_BYTES = "<BBQ", const(10)
_PENDING_MAX = const(24)  # closed records not yet taken: four seconds of three clamps and three pairs
_FOLD_EVERY_US = const(40000)
PAIRS = ((1, 2), (1, 3), (2, 3))  # bit n of a mask of pairs is PAIRS[n]


class Sampler:
    """ring: AdcRing or its like; inputs: {port: converter channel}; on_window: called by poll() when records wait."""

    def __init__(self, ring, inputs, calibration, clock, ticks_us, ticks_diff):
        self._ring = ring
        self.inputs = inputs
        self._calibration = calibration
        self._clock = clock
        self._ticks_us = ticks_us
        self._ticks_diff = ticks_diff
        self.on_window = None
        self._state = bytearray(metering.STATE_BYTES)
        self._table = calibration.table
        self._closed = []  # windows, each a list of its records
        self._totals = {}  # by port or pair: running totals since boot, as last reported
        self._base = {}  # of them, what was counted before the last start
        self._running = False
        self._capture = None
        self.ports = ()
        self.pairs = ()
        self.rate_hz = 0
        self.gap_samples = 0  # of each clamp, since boot
        self.stalls = 0  # times since boot that the converter had stopped by itself, and was started anew
        self.windows_dropped = 0  # their records
        self.busy_us = 0
        self.backlog_samples = 0
        self.ring_us = 0  # what the interpreter may pause without a gap

    @property
    def ring_samples(self):
        """What the ring holds."""
        return self._ring.samples

    def start(self, ports, rate_hz, voltage_port=0, pairs=()):
        """Sample these ports from now on and multiply these pairs of them; counts of lost samples go on."""
        self.stop()
        self._capture = None
        self.ports = tuple(sorted(ports))
        self.pairs = tuple([pair for pair in pairs if pair[0] in ports and pair[1] in ports])
        self.rate_hz = rate_hz
        self._base = dict(self._totals)
        self._table = self._calibration.table
        if not self.ports:
            return
        self._ring.fit(rate_hz * len(self.ports))
        metering.init(self._state, len(self.ports), rate_hz)
        if voltage_port in self.ports:
            metering.watch(self._state, self.ports.index(voltage_port))
        self._calibrate()
        self._begin()

    def calibrate(self):
        """Use what the calibration says now; its table from the next window on."""
        if self._running:
            self._calibrate()

    def _calibrate(self):
        for channel, port in enumerate(self.ports):
            metering.noise(self._state, channel, self._calibration.floor_q20[port - 1])
        for pair in self.pairs:
            c0, c1 = self._calibration.compensation[PAIRS.index(pair)]
            metering.multiply(self._state, self.ports.index(pair[0]), self.ports.index(pair[1]), c0, c1)

    def _begin(self):
        self._ring.start([self.inputs[port] for port in self.ports], self.rate_hz)
        self.ring_us = self._ring.samples // len(self.ports) * 1000000 // self.rate_hz
        self._late_us = self.ring_us - self.ring_us // 16
        self._fold_us = min(_FOLD_EVERY_US, self.ring_us // 4)
        self._tail = 0
        self._sets = 0  # since this start: the time of a set is counted in samples, not read from a clock
        self._start_us = self._clock.now_us()
        self._polled_ticks = self._ticks_us()
        self._windows_seen = metering.windows(self._state)
        self._running = True

    def stop(self):
        """No window after this."""
        self._running = False
        self._ring.stop()

    def poll(self):
        """Look after the ring and the clock, at least every 20 ms; folds every 40 ms. Later than the ring is long: a gap."""
        if not self._running:
            self._clock.tick()
            return
        began = self._ticks_us()
        since_us = self._ticks_diff(began, self._polled_ticks)
        if since_us > self._late_us or self._ring.overrun():
            self._clock.tick()
            self._lose()
        elif since_us >= self._fold_us:
            self._clock.tick()
            self._polled_ticks = began
            if not self._fold():
                self.stalls += 1
                self._lose()
            elif self._capture:
                self._take_capture()
            self.busy_us += self._ticks_diff(self._ticks_us(), began)

    def _fold(self):  # how many sets there were; at the slowest rate nine come in the time between two folds
        ring, channels, state = self._ring, len(self.ports), self._state
        backlog = (ring.position() - self._tail) % ring.samples
        if backlog > self.backlog_samples:
            self.backlog_samples = backlog
        sets = came = backlog // channels
        while sets:
            straight = (ring.samples - self._tail) // channels
            used = metering.fold(state, self._table, ring.ring, self._tail, min(sets, straight))
            self._tail = (self._tail + used * channels) % ring.samples
            self._sets += used
            sets -= used
            if metering.windows(state) != self._windows_seen:
                self._windows_seen = metering.windows(state)
                self._table = self._calibration.table
                self._close()
        return came

    def _lose(self):
        # How many are missing is known from the time alone; the window goes on behind the gap, marked.
        start_us, sets = self._start_us, self._sets
        self._ring.stop()
        metering.gap(self._state)
        self._begin()
        self.gap_samples += max(self._ring.sets_in(self._start_us - start_us) - sets, 0)

    def _close(self):
        t_us = self._start_us + self._ring.us_of(self._sets)
        mask = sum([1 << (port - 1) for port in self.ports])
        records = []
        for channel, port in enumerate(self.ports):
            payload = bytearray(CLAMP.size)
            struct.pack_into(_CLAMP_HEAD, payload, 0, port, mask, self.rate_hz, t_us, self.gap_samples & 0xFFFFFFFF)
            metering.take(self._state, channel, payload, _CLAMP_HEAD_BYTES)
            self._run_on(port, "<q", payload, _CLAMP_HEAD_BYTES)
            records.append((CLAMP.kind, payload))
        for pair in self.pairs:
            payload = bytearray(PAIR.size)
            struct.pack_into(_PAIR_HEAD, payload, 0, pair[0], pair[1], t_us)
            channels = self.ports.index(pair[0]) + self.ports.index(pair[1])
            metering.take_pair(self._state, channels - 1, payload, _PAIR_HEAD_BYTES)
            self._run_on(pair, "<qq", payload, _PAIR_HEAD_BYTES)
            records.append((PAIR.kind, payload))
        self._closed.append(records)
        while sum([len(window) for window in self._closed]) > _PENDING_MAX:
            self.windows_dropped += len(self._closed.pop(0))
        self.on_window()

    def _run_on(self, key, form, payload, at):
        # The core counts from its own start; the record's running totals count from the board's.
        totals = struct.unpack_from(form, payload, at)
        if key in self._base:
            totals = tuple([own + base for own, base in zip(totals, self._base[key])])
            struct.pack_into(form, payload, at, *totals)
        self._totals[key] = totals

    def take(self):
        """[(kind, payload)] of the oldest closed window: its clamps, then its pairs. Or None."""
        return self._closed.pop(0) if self._closed else None

    def capture(self, capture):
        """Fill this Capture with the samples that come in from now on."""
        capture.wait_from(self._sets)
        self._capture = capture

    def _take_capture(self):
        start_us, sets = self._start_us, self._sets
        if self._capture.take(self._ring, self.ports, self.rate_hz, self._tail, sets, start_us):
            self._capture = None
            self.on_window()
