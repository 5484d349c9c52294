"""Each mend shown by what the defect would do: on the bare chip where possible, else with the firmware."""

import pytest
from rp2040py.peripherals.uart import UARTDR, UARTICR, UARTIMIS, UARTIMSC, UARTTXINTR
from rp2040py.rp2040 import RP2040

from house import mends
from house.converter import HouseSource
from house.rawrepl import execute

CHATTER = """
import time
from machine import Timer
ticks = 0
def tick(timer):
    global ticks
    ticks += 1
timer = Timer(period=10, callback=tick)
"""


@pytest.fixture
def mcu(house_from):
    chip = RP2040()
    mends.mend(chip, HouseSource(house_from("")))
    return chip


def test_another_version_is_refused(monkeypatch):
    monkeypatch.setattr(mends, "version", lambda _: "0.4.0")
    with pytest.raises(mends.WrongEmulator, match=r"0\.4\.0 is installed.*0\.3\.6"):
        mends.check_version()


def test_the_round_robin_reaches_every_input(mcu):
    for channel in (0, 1, 2, 3, 4):
        mcu.adc._active_channel = channel
        assert mcu.adc._active_channel == channel
    assert RP2040().adc.__class__ is not mcu.adc.__class__  # other chips keep their own


def test_a_write_in_a_free_run_starts_no_second_one(mcu):
    started = []
    mcu.adc.on_adc_read = started.append
    mcu.adc.cs = 1 | 1 << 3
    mcu.write_uint32(0x4004C000, 1 | 1 << 3)
    assert started == []
    mcu.adc.cs = 1
    mcu.write_uint32(0x4004C000, 1 | 1 << 3)
    assert started == [0]


def test_the_peripheral_clock_is_the_one_that_was_chosen(mcu):
    clk_peri_ctrl, of_usb, enable = 0x40008048, 2 << 5, 1 << 11
    assert mcu.clk_peri == 125_000_000
    mcu.write_uint32(clk_peri_ctrl, enable | of_usb)
    assert mcu.clk_peri == 48_000_000
    mcu.write_uint32(clk_peri_ctrl, enable)
    assert mcu.clk_peri == 125_000_000


def test_the_transmit_interrupt_comes_after_a_byte_and_can_be_acknowledged(mcu):
    uart, base = mcu.uart[1], 0x40038000
    mcu.write_uint32(base + UARTIMSC, UARTTXINTR)
    assert mcu.read_uint32(base + UARTIMIS) == 0
    mcu.write_uint32(base + UARTDR, 65)
    assert mcu.read_uint32(base + UARTIMIS) == UARTTXINTR
    mcu.write_uint32(base + UARTICR, UARTTXINTR)
    assert mcu.read_uint32(base + UARTIMIS) == 0
    assert uart.fifos_enabled is False


@pytest.mark.emulated
def test_a_uart_can_be_made_and_hears_a_telegram_at_line_speed(boot):
    board = boot()
    execute(board, "from machine import UART, Pin\nuart = UART(1, 115200, tx=Pin(8), rx=Pin(9), rxbuf=2048)")
    line = mends.SerialLine(board.mcu, 1, 115_200)
    telegram = bytes(range(32, 127)) * 10
    line.send(telegram[:400])
    line.send(telegram[400:])
    before = board.nanos
    board.run_for(10 * len(telegram) / 115_200 / 2)
    assert 400 < int(execute(board, "print(uart.any())")) < len(telegram)
    assert board.nanos > before
    board.run_for(0.1)
    assert execute(board, f"print(uart.read() == {telegram!r})") == "True\r\n" and line.lost == 0


def test_a_uart_that_nobody_reads_loses_what_does_not_fit(mcu):
    line = mends.SerialLine(mcu, 0, 9600)
    line.send(bytes(40))
    mcu.clock.tick(39.5 * 10e9 / 9600)
    assert (mcu.uart[0].rx_fifo.item_count, line.lost) == (32, 7)
    mcu.clock.tick(10e9 / 9600)
    assert line.lost == 8


@pytest.mark.emulated
def test_an_idle_board_sleeps(boot):
    board = boot()
    board.run_for(0.5)
    before = board.busy_cycles
    board.run_for(1)
    assert board.busy_cycles - before < 0.001 * 125_000_000


@pytest.mark.emulated
def test_what_was_printed_before_the_port_opened_is_not_lost(boot):
    board = boot()
    assert board.run_until(lambda: board.console.written.endswith(b">>> "), 1)
    assert board.console.written.startswith(b"MicroPython v")


@pytest.mark.emulated
def test_a_host_that_does_not_read_holds_the_data_and_not_the_board(boot):
    board = boot()
    execute(board, CHATTER)
    board.console.reading = False
    board.console.send(b"print('x' * 3000, ticks)\r")
    board.run_for(0.3)
    silent = bytes(board.console.written)
    assert board.usb.holding
    board.run_for(10)
    assert bytes(board.console.written) == silent
    board.console.reading = True
    board.run_for(0.2)
    assert not board.usb.holding and len(board.console.written) > len(silent)
    assert int(execute(board, "print(ticks)")) > 1000  # the board's own clockwork went on


@pytest.mark.emulated
def test_nothing_is_lost_in_a_short_silence(boot):
    board = boot()
    execute(board, "")
    board.console.written.clear()
    board.console.send(b"for i in range(300): print(i)\r\r\r")
    for _ in range(100):
        board.console.reading = not board.console.reading
        board.run_for(0.01)
    board.console.reading = True
    board.run_for(0.1)
    numbers = [int(line) for line in board.console.written.decode().splitlines() if line.isdecimal()]
    assert numbers == list(range(300))


@pytest.mark.emulated
def test_dtr_follows_the_port(boot):
    board = boot()
    execute(board, "")
    board.console.connected = False
    board.run_for(0.1)
    assert not board.usb._cdc.dtr
    board.console.written.clear()
    board.console.send(b"print(6 * 7)\r")
    board.run_for(0.5)
    assert board.console.written == b""  # a host without an open port asks for nothing
    board.console.connected = True
    board.run_for(0.1)
    assert board.usb._cdc.dtr and b"42" in board.console.written


@pytest.mark.emulated
def test_long_input_arrives_whole_and_in_order(boot):
    board = boot()
    data = bytes(range(32, 127)) * 60
    assert (
        execute(board, f"data = {data!r}\nprint(len(data), hash(data) == hash(bytes(range(32, 127)) * 60))")
        == "5700 True\r\n"
    )


@pytest.mark.emulated
def test_a_reset_forgets_what_was_held(boot):
    board = boot()
    execute(board, "")
    board.console.reading = False
    board.console.send(b"print('x' * 3000)\r")
    board.run_for(0.1)
    assert board.usb.holding
    board.press_reset()
    assert not board.usb.holding and not board.usb.enumerated
    board.console.reading = True
    assert board.run_until(lambda: board.usb.enumerated, 2)
    assert execute(board, "print(1 + 1)") == "2\r\n"


@pytest.mark.emulated
def test_each_boot_draws_other_random_numbers(boot):
    draw = "import os; print(os.urandom(8))"
    first, second = boot(), boot()
    drawn = {execute(first, draw), execute(second, draw)}
    first.power_cycle()
    first.run_until(lambda: first.usb.enumerated, 2)
    assert len(drawn | {execute(first, draw)}) == 3


@pytest.mark.emulated
def test_a_board_has_an_id_of_its_own_and_keeps_it(boot):
    look = "import machine; print(machine.unique_id().hex())"
    first, same, other = (execute(boot(f"[converter]\nseed = {seed}"), look).strip() for seed in (1, 1, 2))
    assert first == same != other and len(first) == 16


@pytest.mark.parametrize(
    ("dividend", "divisor"), [(100, 7), (0xFFFFFFFF, 3), (5, 9), (0x80000000, 0xFFFFFFFF), (42, 0)]
)
def test_the_divider_divides_and_costs_no_cycles(mcu, dividend, divisor):
    sio, plain = 0xD0000000, RP2040()
    for chip in (mcu, plain):
        chip.write_uint32(sio + 0x60, dividend)
        chip.write_uint32(sio + 0x64, divisor)
    for register in (0x74, 0x78, 0x70, 0x78):  # remainder, state, quotient (its read changes the state), state
        assert mcu.read_uint32(sio + register) == plain.read_uint32(sio + register)
    assert (mcu.core.cycles, plain.core.cycles) == (0, 16)


def test_the_signed_divider_is_as_before(mcu):
    sio = 0xD0000000
    mcu.write_uint32(sio + 0x68, -100 & 0xFFFFFFFF)
    mcu.write_uint32(sio + 0x6C, 7)
    assert [mcu.read_uint32(sio + register) for register in (0x70, 0x74)] == [-14 & 0xFFFFFFFF, -2 & 0xFFFFFFFF]
    assert mcu.core.cycles == 0


@pytest.mark.emulated
def test_a_closed_port_costs_the_board_next_to_nothing(boot):
    board = boot()
    board.console.connected = False
    board.console.send(b"print('x' * 100)\r")
    board.run_for(1)
    assert board.usb.holding
    before = board.busy_cycles
    board.run_for(1)
    assert board.busy_cycles - before < 0.002 * 125_000_000
