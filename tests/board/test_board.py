import asyncio
from array import array
from binascii import crc32

from fakes import Console, PulseLines, Ring, Ticks
from sampling import fields_of, settings_values

from meter.board import Board
from meter.calibration import Calibration
from meter.clock import BoardClock
from meter.host_link import HostLink
from meter.kept import Kept
from meter.pulses import PulseInput
from meter.sampler import Sampler
from meter.settings import Settings
from shared.deframer import Deframer
from shared.frame import seal, to_board
from shared.records import ACK, CALIBRATION, CAPTURE, GREET, PAIR_1_3, PULSE, RAW, SETTINGS, TABLE

_IDENTITY = {
    "firmware": (0, 1, 0),
    "micropython": (1, 25, 0),
    "chip": 1,
    "reset_cause": 1,
    "boot_id": 4711,
    "uid": 0x1122334455667788,
    "model": "test",
}
_SHIFTED = array("h", [min(8 * (code - 2048) + 1, 16383) for code in range(4096)])
_SHIFTED[0] = -16383


class _Rig:
    def __init__(self, ring_samples=3000, pulse_ports=0b11000):
        self.ticks = ticks = Ticks()
        self.clock = BoardClock(ticks.ticks, ticks.diff)
        self.ring = Ring(ring_samples)
        self.calibration = Calibration()
        channels = {1: 0, 2: 1, 3: 2}
        self.sampler = Sampler(self.ring, channels, self.calibration, self.clock, ticks.ticks, ticks.diff)
        self.lines = PulseLines(ticks)
        inputs = {port: PulseInput(port, index) for port, index in self.lines.index.items()}
        settings = Settings(rate_hz=1000, pulse_ports=pulse_ports)
        self.board = Board(_IDENTITY, settings, self.calibration, self.clock, self.sampler, inputs)
        self.console = Console()
        self.input = []
        self.asked = 0
        console, self.kept = self.console, Kept(16384)
        self.link = HostLink(console.write, console.writable, self.wait_input, ticks.ticks, ticks.diff, self.kept)

    async def wait_input(self):
        while not self.input:
            await asyncio.sleep_ms(1)
        return self.input.pop(0)

    def ask(self, layout, *values):
        self.input.append(to_board(seal(layout.kind, self.asked, layout.pack(*values))))
        self.asked += 1

    def run(self, ms, meanwhile=None):
        """What the board has said after so many ms of its tasks; a list of records by the names of their fields."""

        async def bounded():
            task = asyncio.create_task(self.board.run(self.link))
            if meanwhile:
                await asyncio.sleep_ms(20)  # what was asked before is done first
                await meanwhile()
            await asyncio.sleep_ms(ms)
            task.cancel()

        asyncio.run(bounded())
        return [fields_of(kind, payload) for kind, _seq, _prev, payload in Deframer().push(bytes(self.console.out))]

    async def sample(self, sets):
        """Lets the converter go on; a sample is its number."""
        for index in range(sets):
            self.ring.feed([(3 * index + channel) % 4096 for channel in range(len(self.sampler.ports))])
            self.ticks.now += 1000000 // self.sampler.rate_hz
            if index % 16 == 15:
                self.clock.tick()
                self.sampler.poll()
                await asyncio.sleep_ms(1)


def of(records, name):
    return [fields for fields in records if fields["name"] == name]


def said(records):
    return [fields["text"] for fields in of(records, "log")]


def test_the_first_record_is_the_hello():
    hello = _Rig().run(50)[0]
    assert (hello["name"], hello["wire_version"], hello["boot_id"], hello["model"]) == ("hello", 4, 4711, "test")
    assert (hello["rate_hz"], hello["clamp_ports"], hello["pulse_ports"]) == (1000, 7, 24)
    assert (hello["voltage_port"], hello["pairs"], hello["table_crc"], hello["calibration_crc"]) == (0, 0, 0, 0)


def test_settings_are_applied_and_answered():
    rig = _Rig()
    wanted = settings_values(4000, 0b101, 0b01010, width_us_2=2000, voltage_port=3, pairs=PAIR_1_3)
    rig.ask(SETTINGS, *wanted)
    hellos = of(rig.run(50), "hello")
    assert len(hellos) == 2
    for field, value in zip(SETTINGS.fields, wanted):
        assert hellos[1][field[0]] == value
    assert rig.sampler.ports == (1, 3) and rig.sampler.pairs == ((1, 3),)


def test_windows_of_the_former_settings_are_kept_and_say_how_they_were_sampled():
    rig = _Rig()

    async def window_and_settings():
        await rig.sample(990)
        rig.ring.feed([0] * 90)
        rig.ticks.now += 40000
        rig.sampler.poll()  # closes a window, and nobody has taken it yet
        rig.board._handle(SETTINGS.kind, SETTINGS.pack(*settings_values(4000, 0b011, 0b11000, voltage_port=2)))

    records = rig.run(50, window_and_settings)
    assert [hello["clamp_ports"] for hello in of(records, "hello")] == [7, 3]
    assert [(clamp["port"], clamp["ports"], clamp["rate_hz"]) for clamp in of(records, "clamp")] == [
        (1, 7, 1000),
        (2, 7, 1000),
        (3, 7, 1000),
    ]


def test_settings_out_of_range_change_nothing_and_say_why():
    rig = _Rig()
    rig.ask(SETTINGS, *settings_values(4000, 0b010, 0b00010))
    rig.input.append(to_board(seal(SETTINGS.kind, 1, b"short")))
    rig.ask(GREET)
    rig.input.append(to_board(seal(0x99, 3, b"unknown kind")))
    records = rig.run(50)
    assert len(said(records)) == 2 and "pulse_ports" in said(records)[0]
    assert [hello["rate_hz"] for hello in of(records, "hello")] == [1000, 1000]


def test_ports_that_are_not_there_are_refused_and_nothing_stops():
    rig = _Rig()
    del rig.board._pulse_inputs[5]
    rig.ask(SETTINGS, *settings_values(4000, 0b001, 0b11000))
    records = rig.run(1200)
    assert said(records) == ["refused: settings.pulse_ports: this board has no pulse input there"]
    assert [pulse["port"] for pulse in of(records, "pulse")] == [4]


def test_settings_without_memory_for_their_ring_leave_the_former_in_force():
    rig = _Rig()
    rig.ring.most_hz = 30000
    rig.ask(SETTINGS, *settings_values(20000, 0b111, 0b11000))
    records = rig.run(100, lambda: rig.sample(1100))
    assert said(records) == ["refused: settings.rate_hz: no memory for a ring"]
    assert len(of(records, "hello")) == 1 and rig.sampler.rate_hz == 1000
    assert [clamp["port"] for clamp in of(records, "clamp")] == [1, 2, 3]


def test_a_board_that_can_sample_no_more_ends_instead_of_going_on_without():
    rig = _Rig()
    rig.run(20)
    rig.ring.most_hz = 0
    ended = ""
    try:
        rig.board._handle(SETTINGS.kind, SETTINGS.pack(*settings_values(20000, 0b111, 0b11000, voltage_port=0)))
    except RuntimeError as error:
        ended = str(error)
    assert ended == "no memory for any ring"


def test_a_ring_that_memory_keeps_short_is_told_of():
    rig = _Rig()
    rig.ask(SETTINGS, *settings_values(20000, 0b111, 0b11000))  # the ring of this rig holds less than 200 ms of that
    records = rig.run(100, lambda: rig.sample(1100))
    assert said(records) == ["ring: memory has room for %d ms only" % (rig.sampler.ring_us // 1000)]
    assert rig.sampler.ring_us < 195000 and len(of(records, "hello")) == 2


def test_what_memory_lacks_is_refused_and_nothing_stops():
    rig = _Rig()

    def no_memory(_payload):
        raise MemoryError("memory allocation failed")

    rig.calibration.take_table = no_memory
    rig.ask(TABLE, 1, 0, 0, b"")
    rig.ask(GREET)
    records = rig.run(50)
    assert said(records) == ["refused: memory allocation failed"]
    assert len(of(records, "hello")) == 2


def test_a_table_in_pieces_is_answered_once_and_in_force_from_the_next_window_on():
    rig = _Rig()
    crc = crc32(_SHIFTED)
    for first in range(0, 4096, 800):
        piece = _SHIFTED[first : first + 800]
        rests = bytes([(after - before - 8) & 255 for before, after in zip(piece, piece[1:])])
        rig.ask(TABLE, crc, first, piece[0], rests)
    records = rig.run(100, lambda: rig.sample(2100))
    assert [hello["table_crc"] for hello in of(records, "hello")] == [0, crc]
    first, second = [clamp for clamp in of(records, "clamp") if clamp["port"] == 1]
    ideal = [8 * (3 * index % 4096 - 2048) for index in range(2000)]
    assert first["sum_"] == sum([max(step, -16383) for step in ideal[:1000]])
    assert second["sum_"] == sum([max(step + 1, -16383) for step in ideal[1000:]])


def test_a_table_that_does_not_fit_is_refused_and_the_former_stays():
    rig = _Rig()
    rig.ask(TABLE, 1, 0, -16383, bytes(500))
    rig.ask(TABLE, 1, 500, 0, bytes(500))
    assert said(rig.run(50)) == ["refused: table: pieces do not fit together"]
    assert rig.calibration.table_crc == 0


def test_a_calibration_is_answered_and_counts_at_once():
    rig = _Rig()
    values = (1 << 20, 0, 0, 1 << 14, 0, -(1 << 14), 5, 1 << 14, 0)
    rig.ask(CALIBRATION, *values)
    rig.input.append(to_board(seal(CALIBRATION.kind, 1, bytes(35))))
    records = rig.run(50)
    assert [hello["calibration_crc"] for hello in of(records, "hello")] == [0, crc32(CALIBRATION.pack(*values))]
    assert rig.calibration.compensation[1] == (-(1 << 14), 5) and rig.calibration.floor_q20[0] == 1 << 20
    assert said(records) == ["refused: calibration: 36 bytes, not 35"]


def test_a_capture_is_reported_in_pieces():
    rig = _Rig()
    rig.ask(CAPTURE, 0b101, 700)
    raws = of(rig.run(100, lambda: rig.sample(900)), "raw")
    pieces = [(first, min(125, 700 - first)) for first in range(0, 700, 125)]
    assert [(raw["port"], raw["first"], raw["total"], len(raw["codes"])) for raw in raws] == [
        (port, first, 700, 2 * count) for port in (1, 3) for first, count in pieces
    ]
    first = raws[0]["t_us"] // 1000
    for port in (1, 3):
        codes = b"".join([raw["codes"] for raw in raws if raw["port"] == port])
        assert codes == bytes(array("H", [(3 * index + port - 1) % 4096 for index in range(first, first + 700)]))


def test_captures_that_cannot_be_done_are_refused():
    rig = _Rig()
    rig.ask(SETTINGS, *settings_values(1000, 0b011, 0b11000))
    rig.ask(CAPTURE, 0b100, 10)
    rig.ask(CAPTURE, 0b001, 1126)  # of 1500 sets in the ring a quarter stays free
    rig.ask(CAPTURE, 0b001, 8192)
    rig.input.append(to_board(seal(CAPTURE.kind, 9, b"\x01\x00\x00")))
    rig.ask(CAPTURE, 0b001, 1125)
    rig.ask(CAPTURE, 0b001, 10)
    assert said(rig.run(50)) == [
        "refused: capture.ports: not sampled",
        "refused: capture.sets: more than the board can hold",
        "refused: capture.sets: more than the board can hold",
        "refused: capture.sets: 1..8192, not 0",
        "refused: capture: the one before is not finished",
    ]


def test_more_codes_than_a_capture_may_have_are_refused():
    rig = _Rig(ring_samples=60000)
    rig.ask(CAPTURE, 0b111, 2731)
    assert said(rig.run(50)) == ["refused: capture.sets: more than the board can hold"]


def _captures(settings):
    """How many of two come back when settings arrive in the middle of the first."""
    rig = _Rig()

    async def and_another():
        await rig.sample(400)
        rig.ask(CAPTURE, 0b001, 100)
        await asyncio.sleep_ms(20)
        await rig.sample(400)

    rig.ask(CAPTURE, 0b001, 100)
    rig.ask(SETTINGS, *settings)
    return len(of(rig.run(50, and_another), "raw"))


def test_settings_that_are_refused_leave_a_capture_alone_and_others_end_it():
    assert _captures(settings_values(4000, 0b010, 0b00010)) == 2
    assert _captures(settings_values(1000, 0b111, 0b11000)) == 1


def test_a_capture_waits_for_the_link_while_windows_go_out():
    rig = _Rig(ring_samples=12000)
    rig.console.room = 0
    waiting, queue = [], rig.link.send

    def send(kind, payload):
        queue(kind, payload)
        if kind == RAW.kind:
            waiting.append(rig.link.waiting)

    rig.link.send = send

    async def slow_host():
        task = asyncio.create_task(rig.sample(4100))
        for _ in range(250):
            rig.console.room += 100  # bytes in 5 ms: the capture alone needs half a second
            await asyncio.sleep_ms(5)
        await task
        rig.console.room = 1 << 30

    rig.ask(CAPTURE, 0b111, 2000)
    records = rig.run(300, slow_host)
    raw = [number for number, fields in enumerate(records) if fields["name"] == "raw"]
    windows = [number for number, fields in enumerate(records) if fields["name"] == "clamp"]
    assert len(raw) == 48 and max(waiting) <= 12 and rig.link.records_dropped == 0
    assert len(windows) == 12 and [number for number in windows if raw[0] < number < raw[-1]]


def test_ports_that_do_not_report_are_polled_all_the_same():
    rig = _Rig()
    polled = []
    rig.board._pulse_inputs[2].poll = lambda clock: polled.append(2)
    rig.run(2200)
    assert polled == [2, 2]


def test_each_pulse_port_reports_once_a_second():
    ports = [pulse["port"] for pulse in of(_Rig().run(2200), "pulse")]
    assert ports == [4, 5, 4, 5]


def kept_numbers(rig, kind):
    """(number, port) of the records of this kind that went out, 0 for a passing one."""
    records = Deframer().push(bytes(rig.console.out))
    return [(seq, payload[0]) for found, seq, _prev, payload in records if found == kind]


def test_a_pulse_record_is_kept_when_its_totals_have_changed_and_passes_when_not():
    rig = _Rig()

    async def a_pulse_on_port_4():
        await asyncio.sleep_ms(2100)
        rig.lines.wait(50000)
        rig.lines.edge(4, 0)
        rig.lines.wait(50000)
        rig.lines.edge(4, 1)
        rig.lines.wait(50000)

    rig.run(1300, a_pulse_on_port_4)
    numbers = kept_numbers(rig, PULSE.kind)
    # The first of each port is kept, then those with news.
    assert [one for one in numbers if one[0]] == [(1, 4), (2, 5), (3, 4)]
    assert (0, 4) in numbers and numbers.count((0, 5)) >= 2


def test_acks_are_for_this_boot_alone():
    rig = _Rig(pulse_ports=0)

    async def windows_and_acks():
        await rig.sample(2100)
        waiting.append(rig.kept.bytes)
        rig.ask(ACK, 4712, 99, 0)
        await asyncio.sleep_ms(20)
        waiting.append(rig.kept.bytes)
        rig.ask(ACK, 4711, 4, 0)  # all of the first window, and a part of the second
        await asyncio.sleep_ms(20)
        waiting.append(rig.kept.bytes)
        rig.ask(ACK, 4711, 99, 0)

    waiting = []
    records = rig.run(50, windows_and_acks)
    assert waiting[0] == waiting[1] == 2 * waiting[2] > 0 and not rig.kept.waiting
    assert len(of(records, "clamp")) == 6 and said(records) == []


def test_a_resume_sends_again_what_is_not_acknowledged():
    rig = _Rig(pulse_ports=0)

    async def windows_and_acks():
        await rig.sample(2100)
        rig.ask(ACK, 4711, 2, 0)
        rig.ask(ACK, 4711, 4, 1)

    rig.run(50, windows_and_acks)
    assert [number for number, _port in kept_numbers(rig, 2)] == [1, 2, 3, 4, 5, 6, 5, 6]
