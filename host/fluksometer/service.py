"""The bridge at work: the link's bytes become readings, readings become messages. One loop, one TaskGroup."""

import asyncio
import contextlib
import signal
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

import structlog

from fluksometer import __version__
from fluksometer.adapters import broker
from fluksometer.adapters.broker import EmbeddedBroker
from fluksometer.adapters.clock import host_time
from fluksometer.adapters.event_log import EventLog
from fluksometer.adapters.mqtt_sink import BacklogUnread, BrokerDown, BrokerNews, BrokerUp, MqttSink, Received
from fluksometer.adapters.serial_link import Chunk, LinkDown, LinkNews, LinkUp, SerialLink
from fluksometer.calibrator import Calibrator
from fluksometer.capture_desk import CaptureDesk
from fluksometer.config import Config
from fluksometer.config_mqtt import MqttTable
from fluksometer.domain.board_clock import HostTime
from fluksometer.domain.captures import RING_SAMPLES
from fluksometer.domain.desk import Desk, Said
from fluksometer.domain.link_events import BoardSaidHello, Event, HealthReported, RawCame
from fluksometer.domain.points import Point
from fluksometer.domain.presence import presence
from fluksometer.domain.readings import Hello, RawCodes
from fluksometer.domain.sensors import Sensor
from fluksometer.domain.told import ToldBook
from fluksometer.domain.topics import Message, sensor_config, sensor_sections
from fluksometer.errors import Failure
from fluksometer.health_desk import HealthDesk, Surroundings
from fluksometer.intake import Intake, Latency
from fluksometer.keeper import Keeper
from fluksometer.link_session import LinkSession
from fluksometer.mqtt_tls import Tls
from fluksometer.shared.records import CAPTURE
from fluksometer.sinks import Seat, Sink, SinkChanged
from fluksometer.storage.ledger import Ledger

SUMMARY_EVERY_S = 60.0
_log = structlog.get_logger("fluksometer")


@dataclass(frozen=True, slots=True)
class Woken:
    """A desk has something to do."""


News = LinkNews | BrokerNews | SinkChanged | Woken


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
        ledger: Ledger,
        desks: Sequence[Desk] = (),
        sinks: Mapping[str, Callable[[Seat], Sink]] | None = None,
        login: tuple[str, str | None] | None = None,
        tls: Tls | None = None,
    ) -> None:
        """``desks``: one for each further terminal or sort of client; they put what they are told into ``told``. ``sinks``: by
        name in the ledger, what makes each one beside MQTT. What ``ledger`` has of an earlier run goes on."""
        self._name, self._device_id = config.device.name, device_id
        self._sensors = sensors
        self._calibrator = calibrator
        self._told = told
        apart = frozenset({"cosem", "foreign"} if config.p1 and not config.p1.on_board else {"foreign"})
        self._health = HealthDesk(device_id, sensors, told, look=self._look, clock=host_time, log=_log, apart=apart)
        self._desks = (*desks, self._health)
        wait = config.device.clock == "wait"
        self._intake = Intake(sensors, calibrator, told, self._desks, states=ledger.states, wait_for_clock=wait)
        self._session = LinkSession(config.board_settings(device_id), calibrator.for_board, ledger.position)
        self._desk = CaptureDesk(device_id, sensors)
        self._event_log = EventLog(_log)
        self._received: HostTime = host_time()  # when the bytes of the present events came
        self._news: asyncio.Queue[News] = asyncio.Queue()
        known = self._intake.bank.usb_serial
        self._link = SerialLink(config.board.port, clock=host_time, tell=self._news.put_nowait, known=known)
        state, stored = self._intake.state, self._session.acknowledge
        self._keeper = Keeper(
            ledger, state=state, cursors=self._cursors, saved=self._state_saved, wake=self._wake_sinks, stored=stored
        )
        self._broker, self._broker_address = _own_broker(config.mqtt), config.mqtt.address
        self._sink = self._new_sink(config, ledger, login, tls)
        self._sinks: list[Sink] = [self._sink]
        for name, make in (sinks or {}).items():
            cursor = ledger.cursors.get(name, ledger.last_id)
            self._sinks.append(make(Seat(self._keeper.outbox, cursor, self._tell_from_thread)))
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop_asked = asyncio.Event()
        self._death: str | None = None  # which thread died, and of what

    def _wake_sinks(self) -> None:
        for sink in self._sinks:
            sink.wake()

    def _cursors(self) -> dict[str, int]:
        return {sink.name: sink.cursor for sink in self._sinks}

    def _new_sink(
        self, config: Config, ledger: Ledger, login: tuple[str, str | None] | None, tls: Tls | None
    ) -> MqttSink:
        return MqttSink(
            host=config.mqtt.client_host,
            port=config.mqtt.port,
            client_id=f"fluksometer-{self._device_id[:12]}",
            tell=self._tell_from_thread,
            outbox=self._keeper.outbox,
            cursor=ledger.cursors.get(MqttSink.name, ledger.last_id),
            login=login,
            tls=tls,
            presence=presence(self._device_id),
            listen=(self._desk.topics, *chain.from_iterable(desk.topics for desk in self._desks)),
            own=lambda: [*self._intake.bank.series, *list(self._told.sensors)],
            foreign=frozenset(one.id for one in config.foreign),
        )

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
                works = [self._converse(), self._sum_up(), self._keeper.keep()]
                works += [broker.watch(self._broker)] if self._broker else []
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
            self._event_log.show_sensor(sensor)
        if self._broker:
            await asyncio.to_thread(self._broker.start)
            _log.info("broker_started", address=self._broker.address)
        self._tell_config(None)
        for sink in self._sinks:
            sink.start()
        self._link.start()

    async def _stop(self) -> None:
        await asyncio.to_thread(self._link.stop)
        await self._keeper.commit()  # the last totals are published too
        async with asyncio.TaskGroup() as group:  # they deliver what is queued, which the last commit then knows
            for sink in self._sinks:
                group.create_task(asyncio.to_thread(sink.stop))
        await self._keeper.commit()
        self._keeper.close()
        if self._broker:
            await asyncio.to_thread(self._broker.stop)
        self._show_summary()
        _log.info("stopped")

    # --- tasks ---

    async def _converse(self) -> None:
        while True:
            for event in await self._next_events():
                self._take(event)
            if self._intake.whole(self._session.hello):
                self._keeper.reached(self._session.position)
            self._hold()
            self._serve_captures()
            self._serve_terminals()
            if self._told.changed:
                self._told.changed = False
                self._tell_config(self._session.hello)
            if self._intake.recalibrated:
                self._intake.recalibrated = False
                self._recalibrate()
            self._link.write(self._session.data_to_send())

    def _hold(self) -> None:
        # No reading before its time is settled for good: the host's clock is right, and where the board's clock stands is stored.
        unsaved = not self._intake.clock_saved and self._keeper.fault is None
        if unsaved:
            self._keeper.hurry()
        unready = unsaved or self._session.hello is None  # a hello shows whether the time of its boot is known
        self._session.hold = unready or self._keeper.overfull or not self._intake.trusts_clock

    def _state_saved(self) -> None:
        self._intake.saved()
        if self._session.hold:
            self._news.put_nowait(Woken())

    async def _sum_up(self) -> None:
        while True:
            await asyncio.sleep(SUMMARY_EVERY_S)
            self._show_summary()
            self._intake.latency = Latency()
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
                self._health.link("")
                self._session.open(time.mono_s)
            case LinkDown(reason=reason):
                _log.warning("link_down", reason=reason)
                self._health.link(reason)
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
            case SinkChanged(name=name, reason=""):
                _log.info("sink_up", sink=name)
            case SinkChanged(name=name, reason=reason):
                _log.warning("sink_down", sink=name, reason=reason)
            case BacklogUnread(reason=reason):
                _log.error("mqtt_backlog", reason=reason or "can be read again")
            case BrokerDown():
                _log.warning("mqtt_down", broker=self._broker_address, reason=news.reason)
                for desk in self._desks:
                    desk.broker(False)
        return []

    def _take(self, event: Event) -> None:
        self._event_log.show(event)
        self._health.see(event)
        self._publish_all(self._intake.take(event, self._received))
        match event:
            case BoardSaidHello(hello=hello):
                self._link.prefer(hello.usb_serial)
                self._desk.ring_samples = RING_SAMPLES
                self._tell_config(hello)
            case RawCame(hello=hello, raw=raw):
                self._take_raw(hello, raw)
            case HealthReported(health=health):
                self._desk.ring_samples = max(RING_SAMPLES, health.ring_samples)

    def _look(self) -> Surroundings:
        return Surroundings(
            counts=self._session.counts,
            sinks={
                one.name: self._keeper.sink_state(one.name, one.cursor, one.down, host_time().wall_s)
                for one in self._sinks
            },
            ledger=self._keeper.ledger_state,
            clock=self._intake.clock_state,
        )

    def _recalibrate(self) -> None:
        if self._session.hello:
            self._intake.recalibrate(self._session.hello)
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
        message = self._desk.take(raw, self._intake.bank.calibrations, table)
        if message:
            self._publish(message)

    # --- MQTT ---

    def _publish_all(self, said: Iterable[Said]) -> None:
        points = []
        for one in said:
            if isinstance(one, Point):
                points.append(one)
            else:
                self._publish(one)
        if points:
            self._keeper.publish(points)
            for desk in self._desks:
                desk.published(points)

    def _publish(self, message: Message) -> None:
        self._sink.publish(message)
        for desk in self._desks:
            desk.said(message)

    def _tell_config(self, hello: Hello | None) -> None:
        told, series = self._told.sections(), self._intake.bank.series
        sections = sensor_sections(self._name, __version__, self._sensors, hello, told, series)
        self._publish(sensor_config(self._device_id, sections))
        for desk in self._desks:
            desk.configured(sections)

    def _tell_from_thread(self, news: BrokerNews | SinkChanged | Woken) -> None:
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
            refused=counts.refused + self._intake.bank.refused,
            duplicates=counts.duplicates,
            unknown=counts.unknown,
            held_out=counts.held_out,
            **self._intake.counts,
            published=self._sink.published,
            latency_mean_ms=round(self._intake.latency.mean_s * 1000, 1),
            latency_max_ms=round(self._intake.latency.max_s * 1000, 1),
            **self._event_log.pulse_counts,
            **{key: value for desk in self._desks for key, value in desk.summary().items()},
        )


def _own_broker(mqtt: MqttTable) -> EmbeddedBroker | None:
    return EmbeddedBroker(mqtt.listen_host, mqtt.port, mqtt.websocket_port) if mqtt.embedded else None
