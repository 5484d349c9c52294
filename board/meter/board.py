# The sensor board as a whole: what is sampled and counted goes to the host, what the host wants is applied.
import asyncio
import gc

from shared._compat import const
from shared.frame import WIRE_VERSION
from shared.records import (
    CLAMP,
    GREET,
    HEALTH,
    HELLO,
    LOG,
    LOG_WARNING,
    PULSE,
    SETTINGS,
    RangeError,
)

from .settings import mask_of, settings_from

_HEALTH_EVERY = const(10)  # rounds of a second


class Board:
    """identity: what the hello tells of the board itself; pulse_inputs: {port: PulseInput}, all that can count."""

    def __init__(self, identity, settings, clock, sampler, pulse_inputs, ring_samples):
        self._identity = identity
        self._settings = settings
        self._clock = clock
        self._sampler = sampler
        self._pulse_inputs = pulse_inputs
        self._ring_samples = ring_samples
        self._windows_wait = asyncio.ThreadSafeFlag()
        sampler.on_window = self._windows_wait.set  # poll() runs from a timer: all it may do is wake a task
        self._link = None

    async def run(self, link):
        """Sample, count and report until stopped."""
        self._link = link
        self._apply()
        self._send_hello()
        await asyncio.gather(
            link.write_forever(), link.read_forever(self._handle), self._report_windows(), self._report_each_second()
        )

    def _apply(self):
        settings = self._settings
        self._sampler.start(settings.clamp_ports, settings.rate_hz)
        for pulse_input in self._pulse_inputs.values():
            pulse_input.min_width_us = settings.min_width_us

    def _send_hello(self):
        settings, identity = self._settings, self._identity
        self._link.send(
            HELLO.kind,
            HELLO.pack(
                WIRE_VERSION,
                *identity["firmware"],
                *identity["micropython"],
                identity["chip"],
                identity["reset_cause"],
                mask_of(settings.clamp_ports),
                mask_of(settings.pulse_ports),
                identity["boot_id"],
                identity["uid"],
                settings.rate_hz,
                max(self._sampler.window_samples, 1),
                settings.min_width_us,
                self._clock.now_us(),
                identity["model"],
            ),
        )

    def _handle(self, kind, payload):
        if kind == GREET.kind:
            self._send_hello()
        elif kind == SETTINGS.kind:
            try:
                self._settings = settings_from(payload, self._sampler.inputs, self._pulse_inputs)
            except RangeError as error:
                self._link.send(LOG.kind, LOG.pack(LOG_WARNING, self._clock.now_us(), "refused: %s" % error))
                return
            self._apply()
            self._send_hello()

    async def _report_windows(self):
        while True:
            await self._windows_wait.wait()
            payload = self._sampler.take()
            while payload:
                self._link.send(CLAMP.kind, payload)
                payload = self._sampler.take()

    async def _report_each_second(self):
        rounds = 0
        while True:
            await asyncio.sleep_ms(1000)
            for port, pulse_input in self._pulse_inputs.items():
                pulse_input.poll(self._clock)  # every one, used or not: its ticks must not grow old
                if port in self._settings.pulse_ports:
                    self._link.send(PULSE.kind, pulse_input.payload(self._clock.now_us()))
            rounds += 1
            if rounds % _HEALTH_EVERY == 0:
                self._report_health()

    def _report_health(self):
        sampler = self._sampler
        gc.collect()
        payload = HEALTH.pack(
            self._clock.now_us(),
            gc.mem_free(),
            gc.mem_alloc(),
            sampler.busy_us,
            sampler.backlog_samples,
            self._ring_samples,
            self._link.records_dropped + sampler.windows_dropped,
            self._link.lines_dropped,
        )
        sampler.busy_us = sampler.backlog_samples = 0
        self._link.send(HEALTH.kind, payload)
