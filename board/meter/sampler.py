# Takes samples out of the ring often enough that it never laps itself, and hands closed windows on.
# poll() runs from a timer, between any two bytecodes of the rest: it only folds and puts windows on a short list.
import struct

import metering
from shared._compat import const
from shared.records import CLAMP, CLIPPED, GAP, NO_SIGNAL

_HEAD = "<BBQI"  # the fields of CLAMP before the window that the core writes
_HEAD_BYTES = const(14)
_CHARGE = "<Q"  # the first field of the window
_LOW, _HIGH = const(-2048), const(2047)
_PENDING_MAX = const(12)  # closed windows not yet taken: four seconds of three clamps


class Sampler:
    """ring: AdcRing or its like; inputs: {port: converter channel}; on_window: called by poll() when windows wait."""

    def __init__(self, ring, inputs, clock, ticks_us, ticks_diff):
        self._ring = ring
        self.inputs = inputs
        self._clock = clock
        self._ticks_us = ticks_us
        self._ticks_diff = ticks_diff
        self.on_window = None
        self._state = bytearray(metering.STATE_BYTES)
        self._windows = []
        self._charge = {port: 0 for port in inputs}  # since boot, as last reported
        self._base = {}  # of it, what was counted before the last start
        self._running = False
        self.ports = ()
        self.rate_hz = 0
        self.window_samples = 0
        self.gap_samples = 0  # of each clamp, since boot
        self.windows_dropped = 0
        self.busy_us = 0
        self.backlog_samples = 0

    def start(self, ports, rate_hz):
        """Sample the clamps on these ports from now on; counts of lost samples go on."""
        self.stop()
        self.ports = tuple(sorted(ports))
        self.rate_hz = rate_hz
        self.window_samples = rate_hz
        self._base = dict(self._charge)
        if self.ports:
            metering.init(self._state, len(self.ports), self.window_samples, rate_hz)
            self._begin()

    def _begin(self):
        self._ring.start([self.inputs[port] for port in self.ports], self.rate_hz)
        self._tail = 0
        self._sets = 0  # since this start: the time of a set is counted in samples, not read from a clock
        self._start_us = self._clock.now_us()
        self._polled_ticks = self._ticks_us()
        self._gap = False
        self._windows_seen = metering.windows(self._state)
        self._running = True

    def stop(self):
        """No window after this."""
        self._running = False
        self._ring.stop()

    def poll(self):
        """Fold what came in since the last call. Call at least once per ring; a later call counts a gap."""
        if not self._running:
            return
        began = self._ticks_us()
        size, channels = self._ring.samples, len(self.ports)
        since_us = self._ticks_diff(began, self._polled_ticks)
        ring_us = size // channels * 1000000 // self.rate_hz
        if since_us > ring_us - ring_us // 16 or self._ring.overrun():
            self._lose()
            return
        self._polled_ticks = began
        backlog = (self._ring.position() - self._tail) % size
        if backlog > self.backlog_samples:
            self.backlog_samples = backlog
        self._fold(backlog // channels)
        self.busy_us += self._ticks_diff(self._ticks_us(), began)

    def _fold(self, sets):
        ring, channels = self._ring, len(self.ports)
        while sets:
            used = metering.fold(self._state, ring.ring, self._tail, min(sets, (ring.samples - self._tail) // channels))
            self._tail = (self._tail + used * channels) % ring.samples
            self._sets += used
            sets -= used
            if metering.windows(self._state) != self._windows_seen:
                self._windows_seen = metering.windows(self._state)
                self._close()

    def _lose(self):
        # How many are missing is known from the time alone; the window goes on behind the gap, marked.
        elapsed_us = self._clock.now_us() - self._start_us
        expected = elapsed_us * self.rate_hz // 1000000
        self.gap_samples += max(expected - self._sets, 0)
        self._ring.stop()
        self._begin()
        self._gap = True

    def _close(self):
        t_us = self._start_us + self._sets * 1000000 // self.rate_hz
        for channel, port in enumerate(self.ports):
            payload = bytearray(CLAMP.size)
            metering.take(self._state, channel, payload, _HEAD_BYTES)
            charge = self._base[port] + struct.unpack_from(_CHARGE, payload, _HEAD_BYTES)[0]
            struct.pack_into(_CHARGE, payload, _HEAD_BYTES, charge)
            self._charge[port] = charge
            low, high = struct.unpack_from("<hh", payload, CLAMP.size - 4)
            flags = GAP if self._gap else 0
            if low == _LOW or high == _HIGH:
                flags |= CLIPPED
            if low == high:
                flags |= NO_SIGNAL
            struct.pack_into(_HEAD, payload, 0, port, flags, t_us, self.gap_samples & 0xFFFFFFFF)
            self._windows.append(payload)
        self._gap = False
        while len(self._windows) > _PENDING_MAX:
            self._windows.pop(0)
            self.windows_dropped += 1
        self.on_window()

    def take(self):
        """Payload of the oldest closed window, or None."""
        return self._windows.pop(0) if self._windows else None
