# Raw codes of some clamps over a moment, as the converter gave them: for waveforms, harmonics and the converter's table.
from array import array

import metering
from shared._compat import const
from shared.records import RAW, RAW_CODES

_RING_SHARE = const(4)  # a capture may fill all but one part in so many of the ring: the converter goes on meanwhile


class Capture:
    """sets: codes of each of these ports, all at the same moments."""

    def __init__(self, ports, sets):
        self.ports = ports
        self.sets = sets
        # In pieces of one record each: beside a long ring there is memory for all of them, but not in one place.
        self._codes = [
            [array("H", range(min(RAW_CODES, sets - first))) for first in range(0, sets, RAW_CODES)] for _ in ports
        ]
        self._from = 0
        self._t_us = 0
        self._rate_hz = 0
        self.done = False

    def wait_from(self, sets):
        """Only samples after this many sets since the start count."""
        self._from = sets

    def take(self, ring, ports, rate_hz, tail, sets, start_us):
        """Copy the newest sets out of the ring when there are enough; tail: place behind the newest. True when done."""
        if sets < self._from:  # the converter was started again
            self._from = 0
        if sets - self._from < self.sets:
            return False
        channels = len(ports)
        first = (tail - self.sets * channels) % ring.samples
        for port, pieces in zip(self.ports, self._codes):
            at = first
            for codes in pieces:
                straight = min(len(codes), (ring.samples - at) // channels)
                place, view = ports.index(port), memoryview(codes)
                metering.pick(ring.ring, at + place, channels, view[:straight])
                if straight < len(codes):
                    metering.pick(ring.ring, place, channels, view[straight:])
                at = (at + len(codes) * channels) % ring.samples
        self._t_us = start_us + ring.us_of(sets - self.sets)
        self._rate_hz = rate_hz
        self.done = True
        return True

    def payloads(self):
        """The payloads of its raw records, one after the other."""
        for port, pieces in zip(self.ports, self._codes):
            for index, codes in enumerate(pieces):
                head = (port, self._t_us, self._rate_hz, index * RAW_CODES, self.sets)
                yield RAW.pack(*head, memoryview(codes))


def fits(ring_samples, channels, sets):
    """Whether a ring can hold so many sets and still go on."""
    return sets * channels <= ring_samples - ring_samples // _RING_SHARE
