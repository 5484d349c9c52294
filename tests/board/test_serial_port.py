import asyncio

from fakes import Dma, Registers, Ticks

from meter.clock import BoardClock
from meter.line_driver import LineDriver
from meter.serial_port import SerialPort
from meter.settings import Settings, settings_from
from shared.layout import RangeError
from shared.records import SETTINGS
from shared.terminal_records import SERIAL_IN, SERIAL_OUT, SERIAL_STATUS

_TIMER = 0x50000420


class _Uart:
    """machine.UART with nothing on its line: bytes written stay in the line until gone() is called."""

    def __init__(self):
        self.set_up = []
        self.sent = []
        self.line = b""
        self.input = b""
        self.on_write = None

    def init(self, **set_up):
        self.set_up.append(set_up)

    def write(self, data):
        self.line += data
        self.sent.append(bytes(data))
        if self.on_write:
            self.on_write()

    def txdone(self):
        return not self.line

    def any(self):
        return len(self.input)

    def read(self, count):
        data, self.input = self.input[:count], self.input[count:]
        return data


class _IrqDma(Dma):
    made = []

    def irq(self, handler, hard):
        self.handler, self.hard = handler, hard


class _Rig:
    def __init__(self):
        self.uart = _Uart()
        self.enabled = []
        self.registers = Registers(())
        _IrqDma.made = []
        self.driver = LineDriver(
            self.registers, _IrqDma, _TIMER, 125000000, self.enabled.append, self.uart.txdone, self.uart.any
        )
        self.dma = _IrqDma.made[0]
        ticks = Ticks()
        self.ticks = ticks
        self.port = SerialPort(self.uart, self.driver, self.wait_input, BoardClock(ticks.ticks, ticks.diff))
        self.said = []

    async def wait_input(self):
        while not self.uart.input:
            await asyncio.sleep_ms(1)

    def send(self, layout, *values):
        self.said.append((layout.name,) + values)

    def run(self, meanwhile, baud=115200, form=0):
        async def main():
            self.port.apply(Settings(serial_baud=baud, serial_format=form))
            task = asyncio.create_task(self.port.run(self.send, None))
            await asyncio.sleep_ms(10)
            await meanwhile()
            task.cancel()
            try:
                await task
            except asyncio.CancelledError:
                pass

        asyncio.run(main())

    def out(self, data):
        self.port.handlers[SERIAL_OUT.kind](data)

    def gone(self, echo=b""):
        """The last stop bit has gone, and what came back of it is there."""
        self.uart.line = b""
        self.uart.input += echo
        self.dma.handler(self.dma)


def test_formats_and_speeds_are_set_up_with_room_for_an_echo():
    wanted = {0: (None, 1), 1: (0, 1), 2: (1, 1), 3: (None, 2)}
    for form, (parity, stop) in wanted.items():
        rig = _Rig()

        async def nothing():
            pass

        rig.run(nothing, 9600, form)
        assert len(rig.uart.set_up) == 1
        given = rig.uart.set_up[0]
        assert (given["baudrate"], given["bits"], given["parity"], given["stop"]) == (9600, 8, parity, stop)
        assert given["txbuf"] >= 1000 and given["rxbuf"] >= 1000


def test_the_timer_ticks_at_most_each_bit_and_its_register_holds_the_cycles():
    for baud in (300, 1200, 9600, 115200, 1000000):
        rig = _Rig()
        rig.driver.set_speed(baud, 11)
        value = rig.registers.values[_TIMER]
        cycles = value & 0xFFFF
        assert value >> 16 == 1 and cycles
        rig.driver.send(rig.uart.write, bytes(100))
        ticks = rig.registers.written[-1][1]
        seconds = ticks * cycles / 125000000
        assert abs(seconds - 1100 / baud) < 0.002 * 1100 / baud


def test_the_driver_is_on_while_a_piece_is_sent_and_looks_again_when_it_has_not_gone():
    rig = _Rig()
    rig.driver.set_speed(115200, 10)
    rig.uart.on_write = lambda: rig.enabled.append("written")
    rig.driver.send(rig.uart.write, b"12345678")
    assert rig.enabled == [0, 1, "written"] and rig.driver.busy and rig.dma.hard
    count = len(rig.registers.written)
    rig.dma.handler(rig.dma)  # too early
    assert rig.enabled == [0, 1, "written"] and rig.driver.busy
    assert len(rig.registers.written) == count + 1 and rig.registers.written[-1][1] > 0
    rig.gone()
    assert rig.enabled == [0, 1, "written", 0] and not rig.driver.busy


def test_the_echo_is_dropped_and_the_answer_is_not():
    rig = _Rig()

    async def talk():
        rig.out(b"question")
        await asyncio.sleep_ms(20)
        rig.uart.input += b"ques"
        await asyncio.sleep_ms(20)
        rig.gone(b"tion")
        await asyncio.sleep_ms(1)
        rig.uart.input += b"answer"
        await asyncio.sleep_ms(40)

    rig.run(talk)
    assert [record[2] for record in rig.said] == [b"answer"]
    rig.port.report(rig.send)
    assert rig.said[-1][0] == SERIAL_STATUS.name and rig.said[-1][2:] == (6, 8, 0)


def test_what_came_before_a_piece_is_no_echo():
    rig = _Rig()

    async def talk():
        rig.uart.input = b"late"
        rig.out(b"question")
        await asyncio.sleep_ms(20)
        rig.gone(b"question")
        await asyncio.sleep_ms(40)

    rig.run(talk)
    assert [record[2] for record in rig.said] == [b"late"]


def test_bytes_are_dated_when_the_first_of_them_began_and_go_in_pieces_of_a_thousand():
    rig = _Rig()

    async def talk():
        rig.ticks.now += 1000000
        rig.uart.input += bytes(2500)
        await asyncio.sleep_ms(100)

    rig.run(talk)
    assert [(record[0], len(record[2])) for record in rig.said] == [(SERIAL_IN.name, n) for n in (1000, 1000, 500)]
    assert rig.said[0][1] == 1000000 - 2500 * 87


def test_pieces_wait_their_turn_and_what_does_not_fit_is_refused_whole():
    rig = _Rig()

    async def talk():
        for size in (1000, 600, 500, 400):
            rig.out(bytes([size // 100]) * size)
            await asyncio.sleep_ms(5)
        rig.port.report(rig.send)
        await asyncio.sleep_ms(60)
        rig.gone()
        for _ in range(2):
            await asyncio.sleep_ms(60)
            rig.gone()

    rig.run(talk, 1000000)
    assert [len(piece) for piece in rig.uart.sent] == [1000, 600, 400]
    assert rig.said[-1][2:] == (0, 1000, 500)
    try:
        rig.out(bytes(1001))
        raise AssertionError("taken")
    except RangeError as error:
        assert "serial_out.data" in str(error)


def test_another_speed_is_in_force_behind_what_is_being_sent():
    rig = _Rig()

    async def talk():
        rig.out(b"old")
        await asyncio.sleep_ms(20)
        rig.port.apply(Settings(serial_baud=9600, serial_format=1))
        rig.out(b"new")
        await asyncio.sleep_ms(20)
        assert len(rig.uart.set_up) == 1
        rig.gone()
        await asyncio.sleep_ms(40)
        assert [one["baudrate"] for one in rig.uart.set_up] == [115200, 9600]
        rig.gone()
        rig.port.apply(Settings())
        await asyncio.sleep_ms(40)
        rig.out(b"off")
        rig.uart.input += b"noise"
        await asyncio.sleep_ms(40)

    rig.run(talk)
    assert rig.uart.sent == [b"old", b"new"] and rig.said == []
    rig.port.report(rig.send)
    assert rig.said == []


def test_a_speed_that_no_uart_makes_is_refused():
    values = dict([(field[0], 0) for field in SETTINGS.fields])
    values.update({"rate_hz": 1000, "radio_group": 212, "serial_baud": 299})
    payload = SETTINGS.pack(*[values[field[0]] for field in SETTINGS.fields])
    try:
        settings_from(payload, (1, 2, 3), (2, 3, 4, 5))
        raise AssertionError("taken")
    except RangeError as error:
        assert "serial_baud" in str(error)
