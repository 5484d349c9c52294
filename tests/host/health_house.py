"""A healthy Fluksometer, second by second, as HealthWatch is told of it; tests break it."""

import json

from host.making import make_hello, make_pulse_sensor, make_sensor, make_window

from fluksometer.domain.health import HealthWatch
from fluksometer.domain.keeping_health import ClockState, LedgerState, SinkState
from fluksometer.domain.link_events import (
    BoardSaidHello,
    HealthReported,
    PulsesCounted,
    TerminalSpoke,
    WindowClosed,
)
from fluksometer.domain.readings import Health, PulseCount
from fluksometer.domain.sensors import SensorClass
from fluksometer.domain.terminal_readings import P1Status, RadioStatus
from fluksometer.domain.told import ToldSensor

DEVICE = "d" * 32
WALL_S = 1_700_000_000
VOLTAGE_PORT = 3
SENSORS = [
    make_sensor(sensor_id="1" * 32, port=1, function="kitchen"),
    make_sensor(sensor_id="2" * 32, port=2, function="oven"),
    make_sensor(sensor_id="3" * 32, port=3, function="mains", sensor_class=SensorClass.VOLTAGE, adapter_v=400),
    make_pulse_sensor(sensor_id="4" * 32, port=4, function="water"),
]
HELLO = make_hello(voltage_port=VOLTAGE_PORT, p1=1, radio=1)


def told_sensor(name, sensor_class, **given):
    more = {"cosem": (("meter", "M1"),), "kube": (("kid", 5),), "uart": (("port", (6,)), ("address", 7))}[sensor_class]
    fields = {"kind": "electricity", "unit": "W", "counts": False, "more": more, "function": name}
    return ToldSensor(sensor_id=name.encode().hex().ljust(32, "0"), sensor_class=sensor_class, **fields | given)


GAS = told_sensor("P1 gas", "cosem", kind="gas", counts=True, more=(("meter", "G1"),))
TOLD = [
    told_sensor("P1 power", "cosem"),
    GAS,
    told_sensor("attic t", "kube"),
    told_sensor("attic moves", "kube", counts=True, retain=False),
    told_sensor("meter W", "uart"),
]
EVERY_S = {"cosem": 1, "kube": 64, "uart": 10}


class House:
    """A healthy Fluksometer, second by second; ``change`` is what a test breaks."""

    def __init__(self, sensors=SENSORS, told=TOLD) -> None:
        self.told = {one.sensor_id: one for one in told}
        self.watch = HealthWatch(DEVICE, sensors, self.told)
        self.now_s = 1000
        self.news: list[tuple[int, str, str, dict]] = []
        self.messages: list[tuple[int, dict]] = []
        self.sizes: list[int] = []
        self.hello = HELLO
        self.flags: dict[int, int] = {}  # by port
        self.ports = {1, 2, 3, 4}  # that send
        self.talks = True
        self.silent: set[str] = set()  # classes that tell nothing
        self.health: dict[str, int] = {}
        self.p1: dict[str, int] = {}
        self.radio_chip = 1
        self.pulses: dict[str, int] = {}
        self.sink = SinkState(up=True)
        self.ledger = LedgerState()
        self.clock = ClockState()
        self.watch.link("")
        self.send(BoardSaidHello(self.hello, True))

    def send(self, *events) -> None:
        for event in events:
            self.watch.take(event, self.now_s)

    def second(self) -> None:
        self.now_s += 1
        now = self.now_s
        if self.talks:
            self._board(now)
        for one in self.told.values():
            every = 300 if one is GAS else EVERY_S[one.sensor_class]
            if one.sensor_class not in self.silent and now % every == 0 and one.retain:
                self.watch.sensor_told(one.sensor_id, float(WALL_S + now), now)
        self.watch.sink("mqtt", self.sink, now)
        self.watch.ledger(self.ledger, now)
        self.watch.clock(self.clock, now)
        message, news = self.watch.step(now, WALL_S + now)
        self.news += [(now, *one) for one in news]
        if message:
            assert message.topic == f"/device/{DEVICE}/health" and message.retain
            self.sizes.append(len(message.payload))
            self.messages.append((now, json.loads(message.payload)))

    def _board(self, now: int) -> None:
        t_us = now * 1_000_000
        for port in sorted(self.ports & {1, 2, 3}):
            self.send(WindowClosed(self.hello, make_window(port=port, t_us=t_us, flags=self.flags.get(port, 0))))
        if 4 in self.ports:
            pulse = {"port": 4, "t_us": t_us, "count": now, "edge_us": 0, "interval_us": 0, "rejected": 0}
            self.send(PulsesCounted(self.hello, PulseCount(**pulse | self.pulses)))
        if now % 10 == 0:
            self.send(HealthReported(self.hello, make_health(t_us=t_us, **self.health)))
            self.send(TerminalSpoke(self.hello, make_p1_status(t_us=t_us, **self.p1)))
            self.send(TerminalSpoke(self.hello, make_radio_status(t_us=t_us, chip=self.radio_chip)))

    def run(self, seconds: int) -> None:
        for _ in range(seconds):
            self.second()

    @property
    def last(self) -> dict:
        return self.messages[-1][1]

    def quality(self, name: str) -> tuple[str, str]:
        one = next(one for one in self.last["sensors"].values() if one["function"] == name)
        return one["quality"], one["reason"]


def make_health(**given):
    fields = {"t_us": 0, "heap_free": 60_000, "heap_used": 90_000, "busy_us": 1000, "backlog_samples": 900}
    fields |= {"ring_samples": 15_000, "records_dropped": 0, "lines_dropped": 0}
    return Health(**fields | given)


def make_p1_status(**given):
    fields = {"t_us": 0, "baud": 115200, "even_parity": 0, "inverted": 1, "bytes_in": 0, "telegrams": 9, "bad_crc": 0}
    return P1Status(**fields | {"bad_form": 0, "cut": 0, "bad_bytes": 0} | given)


def make_radio_status(**given):
    names = ("received", "bad_crc", "bad_length", "foreign", "sent", "acks", "not_sent", "resets")
    return RadioStatus(**{"t_us": 0, "chip": 1, "group": 212} | dict.fromkeys(names, 0) | given)
