"""The bridge at work: the link's bytes become readings, readings become messages. One loop, one TaskGroup."""

import asyncio
import contextlib
import signal
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

import structlog

from fluksometer import __version__
from fluksometer.adapters.broker import EmbeddedBroker
from fluksometer.adapters.clock import host_time
from fluksometer.adapters.event_log import EventLog
from fluksometer.adapters.mqtt_sink import BrokerDown, BrokerNews, BrokerUp, MqttSink, Received
from fluksometer.adapters.serial_link import Chunk, LinkDown, LinkNews, LinkUp, SerialLink
from fluksometer.calibrator import Calibrator
from fluksometer.capture_desk import CaptureDesk
from fluksometer.config import Config
from fluksometer.domain.board_clock import CLOCK_SET_S, BoardClock, HostTime
from fluksometer.domain.captures import RING_SAMPLES
from fluksometer.domain.desk import Desk
from fluksometer.domain.link_events import (
    BoardLogged,
    BoardSaidHello,
    Event,
    HealthReported,
    PairClosed,
    PulsesCounted,
    RawCame,
    TerminalSpoke,
    WindowClosed,
)
from fluksometer.domain.readings import Hello, RawCodes
from fluksometer.domain.sensor_bank import SensorBank
from fluksometer.domain.sensors import Sensor, SensorClass
from fluksometer.domain.told import ToldBook
from fluksometer.domain.topics import Message, decimal, sensor_config
from fluksometer.domain.units import plain
from fluksometer.errors import Failure
from fluksometer.link_session import LinkSession
from fluksometer.shared.records import CAPTURE

SUMMARY_EVERY_S = 60.0
_BROKER_CHECK_S = 0.5
_BROKER_RETRY_S = 5.0
_log = structlog.get_logger("fluksometer")


@dataclass(frozen=True, slots=True)
class Woken:
    """A desk has something to do."""


News = LinkNews | BrokerNews | Woken


@dataclass(slots=True)
class Latency:
    """From the end of a window (by the board's clock) to its publication, in seconds."""

    count: int = 0
    sum_s: float = 0.0
    max_s: float = 0.0

    def add(self, seconds: float) -> None:
        """One more window."""
        self.count += 1
        self.sum_s += seconds
        self.max_s = max(self.max_s, seconds)

    @property
    def mean_s(self) -> float:
        """Mean, 0 without any."""
        return self.sum_s / self.count if self.count else 0.0


class Bridge:
    """Owns every part of one running bridge."""

    def __init__(
        self,
        config: Config,
        *,
        device_id: str,
        sensors: list[Sensor],
        calibrator: Calibrator,
        told: ToldBook,
        desks: Sequence[Desk] = (),
        login: tuple[str, str | None] | None = None,
    ) -> None:
        """``desks``: one for each further terminal in use; they put what they are told into ``told``."""
        self._name = config.device.name
        self._device_id = device_id
        self._sensors = sensors
        self._bank = SensorBank(sensors)
        self._calibrator = calibrator
        self._session = LinkSession(config.board_settings(device_id), calibrator.for_board)
        self._desk = CaptureDesk(device_id, sensors)
        self._told, self._desks = told, desks
        self._clock = BoardClock()
        self._event_log = EventLog(_log)
        self._latency = Latency()
        self._gap_samples: dict[int, int] = {}  # by port: samples lost since the board's boot
        self._clock_set, self._acknowledge_at_s = True, 0.0
        self._received: HostTime = host_time()  # when the bytes of the present events came
        self._news: asyncio.Queue[News] = asyncio.Queue()
        self._link = SerialLink(config.board.port, clock=host_time, tell=self._news.put_nowait)
        mqtt = config.mqtt
        self._broker = EmbeddedBroker(mqtt.listen_host, mqtt.port) if mqtt.embedded else None
        self._broker_address = f"{mqtt.client_host}:{mqtt.port}"
        self._sink = MqttSink(
            host=mqtt.client_host,
            port=mqtt.port,
            client_id=f"fluksometer-{device_id[:12]}",
            tell=self._tell_from_thread,
            login=login,
            listen=(self._desk.topics, *chain.from_iterable(desk.topics for desk in desks)),
        )
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop_asked = asyncio.Event()
        self._death: str | None = None  # which thread died, and of what

    async def run(self) -> None:
        """Work until SIGINT, SIGTERM or SIGHUP, then leave in good order.

        Failure when the embedded broker can't start, or when a thread of the bridge dies: better no bridge, which whoever
        started it sees, than half of one.
        """
        self._loop = asyncio.get_running_loop()
        stop = self._stop_asked
        for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(signum) is not signal.SIG_IGN:  # as under nohup
                self._loop.add_signal_handler(signum, stop.set)
        threading.excepthook = self._thread_died
        try:
            await self._start()
            async with asyncio.TaskGroup() as group:
                works = [self._converse(), self._watch_broker(), self._sum_up()]
                works += [desk.serve(lambda: self._tell_from_thread(Woken())) for desk in self._desks]
                tasks = [group.create_task(work) for work in works]
                await stop.wait()
                _log.info("stopping")
                for task in tasks:
                    task.cancel()
        finally:
            await self._stop()
            threading.excepthook = threading.__excepthook__
        if self._death:
            raise Failure(self._death)

    def _thread_died(self, fault: threading.ExceptHookArgs) -> None:
        threading.__excepthook__(fault)
        name = fault.thread.name if fault.thread else "unknown"
        self._death = f"the thread {name} died of {fault.exc_type.__name__}: {fault.exc_value}"
        assert self._loop is not None
        with contextlib.suppress(RuntimeError):  # the loop has ended
            self._loop.call_soon_threadsafe(self._stop_asked.set)

    async def _start(self) -> None:
        for sensor in self._sensors:
            _log.info("sensor", **_describe(sensor))
        if self._broker:
            await asyncio.to_thread(self._broker.start)
            _log.info("broker_started", address=self._broker.address)
        self._publish(self._config_message(None))
        self._sink.start()
        self._link.start()

    async def _stop(self) -> None:
        await asyncio.to_thread(self._link.stop)
        await asyncio.to_thread(self._sink.stop)
        if self._broker:
            await asyncio.to_thread(self._broker.stop)
        self._show_summary()
        _log.info("stopped")

    # --- tasks ---

    async def _converse(self) -> None:
        while True:
            for event in await self._next_events():
                self._take(event)
            self._serve_captures()
            self._serve_terminals()
            if self._told.changed:
                self._told.changed = False
                self._publish(self._config_message(self._session.hello))
            if self._session.position and host_time().mono_s >= self._acknowledge_at_s:
                self._acknowledge_at_s = host_time().mono_s + 1.0
                self._session.acknowledge(self._session.position)
            self._link.write(self._session.data_to_send())

    async def _watch_broker(self) -> None:
        while self._broker:
            await asyncio.sleep(_BROKER_CHECK_S)
            if self._broker.running:
                continue
            _log.warning("broker_died", note="starting it again")
            await self._revive(self._broker)

    async def _revive(self, broker: EmbeddedBroker) -> None:
        reason = ""
        while not broker.running:
            try:
                await asyncio.to_thread(broker.start)
                _log.info("broker_started", address=broker.address)
            except Failure as failure:
                if str(failure) != reason:
                    _log.error("broker_start_failed", reason=(reason := str(failure)), note="trying again")
                await asyncio.sleep(_BROKER_RETRY_S)

    async def _sum_up(self) -> None:
        while True:
            await asyncio.sleep(SUMMARY_EVERY_S)
            self._show_summary()
            self._latency = Latency()
            self._event_log.begin_period()
            if self._calibrator.reread():
                self._recalibrate()

    # --- the link ---

    async def _next_events(self) -> list[Event]:
        # Waits for news or for the next deadline of session or desk, whichever is first; a second at most.
        timed: tuple[LinkSession | CaptureDesk | Desk, ...] = (self._session, self._desk, *self._desks)
        deadlines_s = [one for one in (part.next_deadline_s() for part in timed) if one is not None]
        timeout_s = max(0.0, min([1.0, *(one - host_time().mono_s for one in deadlines_s)]))
        try:
            async with asyncio.timeout(timeout_s):
                news = await self._news.get()
        except TimeoutError:
            return self._session.tick(host_time().mono_s)
        match news:
            case Chunk(data=data, time=time):
                self._received = time
                return self._session.feed(data, time.mono_s) + self._session.tick(time.mono_s)
            case LinkUp(port=port, time=time):
                _log.info("link_up", port=port)
                self._session.open(time.mono_s)
            case LinkDown(reason=reason):
                _log.warning("link_down", reason=reason)
                self._session.close()
            case BrokerUp():
                _log.info("mqtt_up", broker=self._broker_address)
                for desk in self._desks:
                    desk.broker(True)
            case Received(topic=topic, payload=payload):
                self._desk.want(topic, payload)
                for desk in self._desks:
                    desk.want(topic, payload)
            case Woken():
                pass
            case BrokerDown():
                _log.warning("mqtt_down", broker=self._broker_address, reason=news.reason)
                for desk in self._desks:
                    desk.broker(False)
        return []

    def _take(self, event: Event) -> None:
        self._event_log.show(event)
        match event:
            case BoardSaidHello(hello=hello, new_boot=new_boot):
                self._link.prefer(hello.usb_serial)
                if new_boot:
                    self._clock.begin_boot()
                self._observe(hello.t_us)
                if new_boot:
                    self._bank.begin_boot()
                self._bank.calibrations = self._calibrator.known(hello)
                self._desk.ring_samples = RING_SAMPLES
                self._publish(self._config_message(hello))
            case WindowClosed(hello=hello, window=window):
                self._observe(window.t_us)
                self._gap_samples[window.port] = window.gap_samples
                now_s = host_time().mono_s
                self._bank.told_v = {line: v for desk in self._desks for line, v in desk.voltages(now_s).items()}
                end_s = self._clock.utc_s(window.t_us)
                self._publish_all(self._bank.take_window(window, end_s))
                if end_s is not None:
                    self._latency.add(max(0.0, host_time().wall_s - end_s))
                if self._calibrator.learn(hello, window):
                    self._recalibrate()
            case PairClosed(hello=hello, pair=pair):
                self._publish_all(self._bank.take_pair(pair, self._clock.utc_s(pair.t_us)))
            case RawCame(hello=hello, raw=raw):
                self._take_raw(hello, raw)
            case PulsesCounted(pulses=pulses):
                self._observe(pulses.t_us)
                edge_s = self._clock.utc_s(pulses.edge_us)
                self._publish_all(self._bank.take_pulses(pulses, edge_s, self._clock.utc_s(pulses.t_us)))
            case HealthReported(health=health):
                self._observe(health.t_us)
                self._desk.ring_samples = max(RING_SAMPLES, health.ring_samples)
            case BoardLogged(log=log):
                self._observe(log.t_us)
            case TerminalSpoke(hello=hello, reading=reading):
                self._observe(reading.t_us)
                time_s, now_s = self._clock.utc_s(reading.t_us), host_time().mono_s
                for desk in self._desks:
                    self._publish_all(desk.take(hello, reading, time_s, now_s))

    def _observe(self, t_us: int) -> None:
        step_s = self._clock.observe(t_us, self._received)
        if step_s:
            _log.warning("host_clock_stepped", seconds=round(step_s, 3))
        if step_s < 0:
            self._bank.clock_set_back()
            self._told.clock_set_back()
        clock_set = self._received.wall_s >= CLOCK_SET_S
        if self._clock_set and not clock_set:
            _log.warning("host_clock_not_set", note="readings are counted, and published once it is")
        self._clock_set = clock_set

    def _recalibrate(self) -> None:
        if self._session.hello:
            self._bank.calibrations = self._calibrator.known(self._session.hello)
        for event in self._session.recalibrate(host_time().mono_s):
            self._take(event)

    # --- captures ---

    def _serve_captures(self) -> None:
        messages, ask = self._desk.step(self._session.hello, host_time().mono_s)
        self._publish_all(messages)
        if ask:
            self._session.send((CAPTURE, ask))

    def _serve_terminals(self) -> None:
        for desk in self._desks:
            messages, asks = desk.step(self._session.hello, host_time().mono_s)
            self._publish_all(messages)
            for one in asks:
                self._session.send(one)
            for event, fields in desk.warnings():
                self._event_log.warn(event, fields)

    def _take_raw(self, hello: Hello, raw: RawCodes) -> None:
        table = self._calibrator.table(hello)
        message = self._desk.take(raw, self._bank.calibrations, table)
        if message:
            self._publish(message)

    # --- MQTT ---

    def _publish_all(self, messages: list[Message]) -> None:
        for message in messages:
            self._publish(message)

    def _publish(self, message: Message) -> None:
        self._sink.publish(message)

    def _config_message(self, hello: Hello | None) -> Message:
        told = [sensor.section() for sensor in self._told.sensors.values()]
        return sensor_config(self._device_id, self._name, __version__, self._sensors, hello, told)

    def _tell_from_thread(self, news: BrokerNews | Woken) -> None:
        assert self._loop is not None
        with contextlib.suppress(RuntimeError):  # the loop has ended
            self._loop.call_soon_threadsafe(self._news.put_nowait, news)

    def _show_summary(self) -> None:
        counts = self._session.counts
        _log.info(
            "summary",
            records=counts.records,
            resumed=counts.resumed,
            dropped=counts.dropped,
            refused=counts.refused + self._bank.refused,
            duplicates=counts.duplicates,
            unknown=counts.unknown,
            held_out=counts.held_out,
            gap_samples=sum(self._gap_samples.values()),
            published=self._sink.published,
            latency_mean_ms=round(self._latency.mean_s * 1000, 1),
            latency_max_ms=round(self._latency.max_s * 1000, 1),
            **self._event_log.pulse_counts,
            **{key: value for desk in self._desks for key, value in desk.summary().items()},
        )


def _describe(sensor: Sensor) -> dict[str, object]:
    fields: dict[str, object] = {
        "function": sensor.function,
        "port": sensor.port,
        "kind": sensor.sensor_class.value,
        "type": sensor.medium.value,
        "id": sensor.sensor_id,
    }
    if not sensor.enabled:
        return fields | {"enabled": False}
    if sensor.sensor_class is SensorClass.VOLTAGE:
        return fields | {"adapter_v": plain(sensor.adapter_v)}
    if sensor.sensor_class is SensorClass.ANALOG:
        clamp = {"clamp_a": plain(sensor.clamp_a), "voltage_v": sensor.voltage_v}
        clamp |= {"p1_phase": sensor.p1_phase} if sensor.p1_phase else {}
        return fields | clamp | ({"phases": sensor.phases} if sensor.phases != "1p" else {})
    return fields | {"constant": f"{decimal(sensor.constant_milli)} {sensor.medium.counter_unit}"}
