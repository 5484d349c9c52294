import asyncio

from fakes import Console, Ring, Ticks

from meter.board import Board
from meter.clock import BoardClock
from meter.host_link import HostLink
from meter.pulses import PulseInput
from meter.sampler import Sampler
from meter.settings import Settings
from shared.deframer import Deframer
from shared.frame import seal, to_board
from shared.records import GREET, HELLO, LOG, PULSE, SETTINGS, TO_HOST

_IDENTITY = {
    "firmware": (0, 1, 0),
    "micropython": (1, 25, 0),
    "chip": 1,
    "reset_cause": 1,
    "boot_id": 4711,
    "uid": 0x1122334455667788,
    "model": "test",
}


class _Rig:
    def __init__(self):
        ticks = Ticks()
        clock = BoardClock(ticks.ticks, ticks.diff)
        self.sampler = Sampler(Ring(300), {1: 0, 2: 1, 3: 2}, clock, ticks.ticks, ticks.diff)
        inputs = {
            port: PulseInput(port, lambda: 1, ticks.ticks, ticks.diff, lambda: 0, lambda irq: None)
            for port in (2, 3, 4, 5)
        }
        self.board = Board(_IDENTITY, Settings(), clock, self.sampler, inputs, 300)
        self.console = Console()
        self.input = []
        self.link = HostLink(self.console.write, self.console.writable, self.wait_input, ticks.ticks, ticks.diff)

    async def wait_input(self):
        while not self.input:
            await asyncio.sleep_ms(1)
        return self.input.pop(0)

    def run(self, ms):
        async def bounded():
            task = asyncio.create_task(self.board.run(self.link))
            await asyncio.sleep_ms(ms)
            task.cancel()

        asyncio.run(bounded())
        return [
            (kind, TO_HOST[kind].unpack(payload)) for kind, _seq, payload in Deframer().push(bytes(self.console.out))
        ]


def test_the_first_record_is_the_hello():
    kind, values = _Rig().run(50)[0]
    assert kind == HELLO.kind
    named = dict(zip([field[0] for field in HELLO.fields] + ["model"], values))
    assert (named["boot_id"], named["rate_hz"], named["clamp_ports"], named["pulse_ports"]) == (4711, 20000, 7, 24)


def test_settings_are_applied_and_answered():
    rig = _Rig()
    rig.input = [to_board(seal(SETTINGS.kind, 0, SETTINGS.pack(4000, 0b001, 0b01010, 2000)))]
    hellos = [values for kind, values in rig.run(50) if kind == HELLO.kind]
    assert len(hellos) == 2 and hellos[1][9:11] == (1, 10) and hellos[1][13] == 4000
    assert rig.sampler.ports == (1,)


def test_settings_out_of_range_change_nothing_and_say_why():
    rig = _Rig()
    rig.input = [
        to_board(seal(SETTINGS.kind, 0, SETTINGS.pack(4000, 0b010, 0b00010, 2000))),
        to_board(seal(SETTINGS.kind, 1, b"short")),
        to_board(seal(GREET.kind, 2, b"")),
        to_board(seal(0x99, 3, b"unknown kind")),
    ]
    records = rig.run(50)
    said = [values[-1] for kind, values in records if kind == LOG.kind]
    assert len(said) == 2 and "pulse_ports" in said[0]
    assert [values[13] for kind, values in records if kind == HELLO.kind] == [20000, 20000]


def test_ports_that_are_not_there_are_refused_and_nothing_stops():
    rig = _Rig()
    del rig.board._pulse_inputs[5]
    rig.input = [to_board(seal(SETTINGS.kind, 0, SETTINGS.pack(4000, 0b001, 0b11000, 2000)))]
    records = rig.run(1200)
    assert [values[-1] for kind, values in records if kind == LOG.kind] == [
        "refused: settings.pulse_ports: this board has no pulse input there"
    ]
    assert [values[0] for kind, values in records if kind == PULSE.kind] == [4]


def test_ports_that_do_not_report_are_polled_all_the_same():
    rig = _Rig()
    polled = []
    rig.board._pulse_inputs[2].poll = lambda clock: polled.append(2)
    rig.run(2200)
    assert polled == [2, 2]


def test_each_pulse_port_reports_once_a_second():
    ports = [values[0] for kind, values in _Rig().run(2200) if kind == PULSE.kind]
    assert ports == [4, 5, 4, 5]
