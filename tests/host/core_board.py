"""A board without a board: known waves through the very metering core, out come the records that the bridge takes."""

import struct
from dataclasses import asdict
from math import pi, radians, sqrt

import numpy as np
from host.making import make_hello

from fluksometer.domain import wire
from fluksometer.domain.board_calibration import BoardCalibration
from fluksometer.domain.meters import Moment
from fluksometer.domain.readings import PAIRS
from fluksometer.domain.units import LSB_V
from fluksometer.metering import Core
from fluksometer.shared import records

RATE_HZ = 4_000


def polar(rms, angle_deg=0.0):
    """A complex rms."""
    return rms * np.exp(1j * radians(angle_deg))


def hello_of(settings, **given):
    """The hello of a board with these settings."""
    return make_hello(**asdict(settings) | given)


class CoreBoard:
    """Samples its ports in turn, as the board does. ``inputs``: by port a dict of order to complex rms, in LSB."""

    def __init__(self, settings, calibration=None, *, frequency_hz=50.0, noise_lsb=0.8, seed=1):
        calibration = calibration or BoardCalibration()
        self.hello = hello_of(settings)
        self.ports = tuple(port for port in (1, 2, 3) if settings.clamp_ports >> (port - 1) & 1)
        self.rate_hz, self.frequency_hz, self.noise_lsb = settings.rate_hz, frequency_hz, noise_lsb
        self._rng = np.random.default_rng(seed)
        self._core = Core(len(self.ports), settings.rate_hz, np.array(calibration.table, dtype=np.int16))
        if settings.voltage_port:
            self._core.watch(self.ports.index(settings.voltage_port))
        for port in self.ports:
            self._core.subtract_noise(self.ports.index(port), calibration.floor_q20[port - 1])
        for bit, (a, b) in enumerate(PAIRS):
            if settings.pairs >> bit & 1:
                self._core.multiply(self.ports.index(a), self.ports.index(b), *calibration.compensation[bit])
        self._sets = self._closed_sets = 0

    def run(self, inputs, seconds, *, mirrored=()):
        """The moments that close in so many seconds; ``mirrored``: ports whose wave is upside down, code for code."""
        count = round(seconds * self.rate_hz)
        n = np.arange(self._sets, self._sets + count)
        self._sets += count
        columns = []
        for place, port in enumerate(self.ports):
            angle = 2 * pi * self.frequency_hz * (n + place / len(self.ports)) / self.rate_hz
            lsb = self.noise_lsb * self._rng.standard_normal(count)
            for order, part in inputs.get(port, {}).items():
                lsb = lsb + sqrt(2) * abs(part) * np.cos(order * angle + np.angle(part))
            codes = np.clip(np.rint(2048 + lsb), 1, 4095).astype(np.uint16)
            columns.append(4096 - codes if port in mirrored else codes)
        return [self._moment(closed) for closed in self._core.fold(np.column_stack(columns))]

    def _moment(self, closed):
        self._closed_sets += closed.channels[0].samples
        t_us = self._closed_sets * 1_000_000 // self.rate_hz
        moment = Moment(t_us, self.rate_hz, self.ports)
        mask = sum(1 << (port - 1) for port in self.ports)
        for port, window in zip(self.ports, closed.channels, strict=True):
            payload = struct.pack("<BBIQI", port, mask, self.rate_hz, t_us, 0) + window.raw
            moment.windows[port] = wire.decode(records.CLAMP.kind, payload)
        for (a, b), pair in closed.pairs.items():
            ports = (self.ports[a], self.ports[b])
            moment.pairs[ports] = wire.decode(records.PAIR.kind, struct.pack("<BBQ", *ports, t_us) + pair.raw)
        if closed.channels[0].frequency_mhz:
            moment.frequency_hz = closed.channels[0].frequency_mhz / 1000
        return moment


def lsb_of(sensor, amount, *, gain=1.0):
    """LSB rms (complex as given) that ``amount`` V or A makes behind this clamp or adapter, whose phase leads."""
    per_lsb = float(LSB_V * (sensor.adapter_v or sensor.clamp_a)) * gain
    return amount / per_lsb * np.exp(1j * radians(sensor.phase_deg))
