# The sensor board as a whole: what is sampled and counted goes to the host, what the host wants is applied.
import asyncio
import gc

from shared._compat import const
from shared.frame import WIRE_VERSION
from shared.layout import RangeError
from shared.records import (
    ACK,
    CALIBRATION,
    CAPTURE,
    CAPTURE_CODES,
    GREET,
    HEALTH,
    HELLO,
    LOG,
    LOG_WARNING,
    PULSE,
    RAW,
    SETTINGS,
    TABLE,
)

from .capture import Capture, fits
from .settings import Settings, ports_of, settings_from

_HEALTH_EVERY = const(10)  # rounds of a second
_RING_US = const(195000)  # a little less than 200 ms: whole sets only
_RAW_WAITING = const(8)  # records of a capture go out only while no more than this are queued
# Collecting early keeps what lives at the bottom of the heap, so that a longer ring finds its memory in one piece.
_COLLECT_EVERY_BYTES = const(49152)


class Board:
    """identity: what the hello tells of the board itself; pulse_inputs: {port: PulseInput}, all that can count.

    terminals: (wanted(settings) -> bool, make() -> terminal) for each other one. It is made when settings first want it, so
    that what nobody uses takes no memory. A terminal has handlers {kind: function(payload)}, apply(settings), coroutine
    run(send, keep), and report(send), which tells how it fares. send(layout, *values) never waits, nor does keep(records), for
    (kind, payload) that belong together and must not get lost. t_us comes from the clock that it was made with. It may call
    on_round at each round of its loop: the watchdog wants to know. keeper: what survives a power cut; None, as without a
    watchdog: nothing.
    """

    def __init__(
        self, identity, settings, calibration, clock, sampler, pulse_inputs, terminals=(), keeper=None, watchdog=None
    ):
        self._identity = identity
        self._settings = settings
        self._calibration = calibration
        self._clock = clock
        self._sampler = sampler
        self._pulse_inputs = pulse_inputs
        self._windows_wait = asyncio.ThreadSafeFlag()
        sampler.on_window = self._windows_wait.set  # poll() runs from a timer: all it may do is wake a task
        self._capture = None
        self._stalls = 0  # of the converter, as told
        self._pulses_kept = {}  # by port: count, rejected and storms of the record that was kept last
        self._link = None
        self._keeper = keeper
        self._watchdog = watchdog
        self._waiting = list(terminals)  # not yet wanted
        self._terminals = []
        self._failures = []
        self._failed = asyncio.Event()
        self._handlers = {
            GREET.kind: lambda _payload: self._send_hello(),
            SETTINGS.kind: self._take_settings,
            CALIBRATION.kind: self._take_calibration,
            TABLE.kind: self._take_table,
            CAPTURE.kind: self._take_capture,
            ACK.kind: self._take_ack,
        }

    async def run(self, link):
        """Sample, count and report until stopped."""
        gc.threshold(_COLLECT_EVERY_BYTES)
        self._link = link
        said = self._keeper.begin(link) if self._keeper else ()
        self._begin()
        self._send_hello()
        for text in said:
            self._warn(text)
        gc.collect()  # the tasks live long: at the bottom of the heap they leave room for a longer ring
        await asyncio.gather(
            link.write_forever(),
            link.read_forever(self._handle),
            self._report_windows(),
            self._report_each_second(),
            self._raise_failures(),
        )

    def _begin(self):
        try:
            self._apply()
        except MemoryError:  # settings out of flash must not keep the board from running
            self._settings = Settings()
            self._apply()

    def _apply(self):
        settings = self._settings
        # Terminals before the ring: what stands behind it would limit how long it, and a capture, can become.
        for one in [one for one in self._waiting if one[0](settings)]:
            self._waiting.remove(one)
            terminal = one[1]()
            self._terminals.append(terminal)
            self._handlers.update(terminal.handlers)
            name = type(terminal).__name__
            terminal.on_round = lambda name=name: self._alive(name)
            asyncio.create_task(self._run_terminal(terminal))
        self._sampler.start(settings.clamp_ports, settings.rate_hz, settings.voltage_port, settings.pairs)
        for port, pulse_input in self._pulse_inputs.items():
            pulse_input.apply(settings.width_us(port), settings.gap_us(port))
        for terminal in self._terminals:
            terminal.apply(settings)
        self._alive("windows")
        if self._watchdog and not self._sampler.ports:
            self._watchdog.rest("windows")

    def _alive(self, task):
        if self._watchdog:
            self._watchdog.alive(task)

    def _warn(self, text):
        self._link.send(LOG.kind, LOG.pack(LOG_WARNING, self._clock.now_us(), text))

    async def _run_terminal(self, terminal):
        try:
            await terminal.run(self._tell, self._link.keep)
        except Exception as error:  # a task's own would be printed, and forgotten
            self._failures.append(error)
            self._failed.set()

    async def _raise_failures(self):
        await self._failed.wait()
        raise self._failures[0]

    def _tell(self, layout, *values):
        self._link.send(layout.kind, layout.pack(*values))

    def _send_hello(self):
        self._send_windows()  # what is closed was measured before
        self._link.send_hello(self._hello)

    def _hello(self):
        settings, identity = self._settings, self._identity
        return HELLO.pack(
            WIRE_VERSION,
            *identity["firmware"],
            *identity["micropython"],
            identity["chip"],
            identity["reset_cause"],
            identity["boot_id"],
            identity["uid"],
            *settings.values,
            self._calibration.table_crc,
            self._calibration.crc,
            self._clock.now_us(),
            identity["model"],
        )

    def _handle(self, kind, payload):
        handler = self._handlers.get(kind)
        if not handler:
            return
        try:
            handler(payload)
        except (RangeError, MemoryError) as error:
            self._warn("refused: %s" % error)

    def _take_settings(self, payload):
        wanted = settings_from(payload, self._sampler.inputs, self._pulse_inputs)
        before, self._settings, self._capture = self._settings, wanted, None
        try:
            self._apply()
        except MemoryError:  # not even for the shortest ring
            self._settings = before
            self._apply_again()
            raise RangeError("settings.rate_hz: no memory for a ring")
        if self._sampler.ports and self._sampler.ring_us < _RING_US:
            text = "ring: memory has room for %d ms only" % (self._sampler.ring_us // 1000)
            self._warn(text)
        self._send_hello()

    def _apply_again(self):
        try:
            self._apply()
        except MemoryError:  # nobody would measure any more: better to begin anew
            raise RuntimeError("no memory for any ring")

    def _take_calibration(self, payload):
        self._calibration.take(payload)
        self._sampler.calibrate()
        self._send_hello()

    def _take_table(self, payload):
        if self._calibration.take_table(payload):
            self._send_hello()

    def _take_capture(self, payload):
        mask, sets = CAPTURE.unpack(payload)
        ports, sampler = ports_of(mask), self._sampler
        if not all([port in sampler.ports for port in ports]):
            raise RangeError("capture.ports: not sampled")
        if sets * len(ports) > CAPTURE_CODES or not fits(sampler.ring_samples, len(sampler.ports), sets):
            raise RangeError("capture.sets: more than the board can hold")
        if self._capture:
            raise RangeError("capture: the one before is not finished")
        self._capture = Capture(ports, sets)
        sampler.capture(self._capture)

    def _take_ack(self, payload):
        boot_id, seq, resume = ACK.unpack(payload)
        if boot_id == self._identity["boot_id"]:
            self._link.acknowledge(seq, resume)

    async def _report_windows(self):
        while True:
            await self._windows_wait.wait()
            self._alive("windows")
            self._send_windows()
            if self._capture and self._capture.done:
                capture, self._capture = self._capture, None
                try:
                    await self._report_capture(capture)
                except MemoryError:
                    self._warn("capture: memory ran out, the rest is missing")

    def _send_windows(self):
        window = self._sampler.take()
        while window:
            self._link.keep(window)
            window = self._sampler.take()

    async def _report_capture(self, capture):
        for payload in capture.payloads():
            while self._link.waiting > _RAW_WAITING:
                await asyncio.sleep_ms(5)
                self._alive("windows")
                self._send_windows()
            self._link.send(RAW.kind, payload)

    async def _report_each_second(self):
        rounds = 0
        while True:
            await asyncio.sleep_ms(1000)
            for port, pulse_input in self._pulse_inputs.items():
                pulse_input.poll(self._clock)  # every one, used or not: its ticks must not grow old
                if port in self._settings.pulse_ports:
                    self._report_pulses(pulse_input)
            self._look_after_itself()
            rounds += 1
            if rounds % _HEALTH_EVERY == 0:
                self._report_health()

    def _look_after_itself(self):
        if self._keeper:
            for text in self._keeper.look(self._settings, self._calibration, self._link.kept):
                self._warn(text)
        stuck = self._watchdog and self._watchdog.look()
        if stuck:
            self._warn("watchdog: %s makes no progress, the board will be reset" % stuck)

    def _report_pulses(self, pulse_input):
        port, totals = pulse_input.port, pulse_input.totals
        payload = pulse_input.payload(self._clock.now_us())
        if totals == self._pulses_kept.get(port):
            self._link.send(PULSE.kind, payload)
        else:
            self._link.keep(((PULSE.kind, payload),))
            self._pulses_kept[port] = totals

    def _report_health(self):
        sampler = self._sampler
        gc.collect()
        payload = HEALTH.pack(
            self._clock.now_us(),
            gc.mem_free(),
            gc.mem_alloc(),
            sampler.busy_us,
            sampler.backlog_samples,
            sampler.ring_samples,
            self._link.records_dropped + sampler.windows_dropped,
            self._link.lines_dropped,
            self._link.kept.bytes,
            self._link.kept.merged,
        )
        sampler.busy_us = sampler.backlog_samples = 0
        if sampler.stalls != self._stalls:
            text = "converter: stopped by itself and was started anew, %d times since boot" % sampler.stalls
            self._warn(text)
            self._stalls = sampler.stalls
        self._link.send(HEALTH.kind, payload)
        for terminal in self._terminals:
            terminal.report(self._tell)
