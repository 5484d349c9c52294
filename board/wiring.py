# Builds the sensor board from its parts: the only file that touches machine and rp2. Which pin is which is in pins.py.
# Ctrl-C ends it and gives the prompt; a reset or power-up starts it again.
import asyncio
import gc
import os
import select
import struct
import sys
import time

import machine
import micropython
import rp2
import uctypes

import pulses
from meter.adc_ring import AdcRing
from meter.board import Board
from meter.calibration import Calibration
from meter.clock import BoardClock
from meter.host_link import HostLink
from meter.keeper import Keeper
from meter.kept import Kept, room_now
from meter.panel import Panel
from meter.pulses import PulseInput
from meter.sampler import Sampler
from meter.state import Slots
from meter.watchdog import ENDED, FAULTED, RUNNING, Watchdog, cause_of
from pins import BUTTON_GPIO, CLAMP_GPIO, LED_GPIO, PULSE_GPIO, RADIO_IRQ_GPIO
from shared.records import CHIP_RP2040, CHIP_RP2350

FIRMWARE_VERSION = (0, 1, 0)
POLL_MS = 16  # samples lost between converter and ring are noticed, and their order is right again, within 20 ms

IS_RP2350 = "RP2350" in sys.implementation._machine
# For the pulse inputs: TIMERAWL, SIO's GPIO_IN, and of the pins' bank INTR0 and PROC0_INTE0.
PULSE_REGISTERS = (
    (0x400B0028, 0xD0000004, 0x40028230, 0x40028248) if IS_RP2350 else (0x40054028, 0xD0000004, 0x400140F0, 0x40014100)
)
IO_BANK0 = 0x40028000 if IS_RP2350 else 0x40014000
UART1_IFLS = 0x40078034 if IS_RP2350 else 0x40038034
ADC_BASE, ADC_DREQ = (0x400A0000, 48) if IS_RP2350 else (0x4004C000, 36)
DMA_TIMER0 = 0x50000440 if IS_RP2350 else 0x50000420
# The watchdog's CTRL as its atomic clear (bit 30: ENABLE), REASON and SCRATCH0: RP2040 data sheet 4.7.6, RP2350 12.9.7.
WATCHDOG = 0x400D8000 if IS_RP2350 else 0x40058000
WATCHDOG_OFF, WATCHDOG_REASON, NOTE = WATCHDOG + 0x3000, WATCHDOG + 0x08, WATCHDOG + 0x0C
WATCHDOG_MS = 8000  # the longest that an RP2040 can: a save to a worn flash may take seconds
CTRL_C = 3

STATE_FOLDER = "/state"
SETUP_FILES = (STATE_FOLDER + "/setup.0", STATE_FOLDER + "/setup.1")
COUNTER_FILES = (STATE_FOLDER + "/counters.0", STATE_FOLDER + "/counters.1")
STATE_MOST_BYTES = 12288  # more is none of ours


def read_file(name):
    """All of a file; None: there is none."""
    try:
        count = min(os.stat(name)[6], STATE_MOST_BYTES)
        gc.collect()  # one after the other, in the same place
        with open(name, "rb") as file:
            return file.read(count)
    except OSError:
        return None


def write_file(name, pieces):
    """Replaces a file. Ctrl-C would be thrown right through the file system here: it comes as a character, a moment later."""
    micropython.kbd_intr(-1)
    try:
        with open(name, "wb") as file:
            for piece in pieces:
                file.write(piece)
    finally:
        micropython.kbd_intr(CTRL_C)


def keeper(boot_id):
    """What survives a power cut."""
    try:
        os.mkdir(STATE_FOLDER)
    except OSError:  # it is there already; or the file system is full, which is said when something is to be written
        pass
    return Keeper(Slots(SETUP_FILES, read_file, write_file), Slots(COUNTER_FILES, read_file, write_file), boot_id)


def console(watchdog):
    """(write, writable, wait_input) of the console that this program shares with the prompt."""
    out, keyboard = sys.stdout.buffer, sys.stdin.buffer
    stream, one = asyncio.StreamReader(keyboard), bytearray(1)
    can_write, can_read = select.poll(), select.poll()
    can_write.register(out, select.POLLOUT)
    can_read.register(keyboard, select.POLLIN)

    async def wait_input():
        watchdog.rest("reader")
        received = bytearray(await stream.read(1))
        watchdog.alive("reader")
        while len(received) < 64 and any(can_read.ipoll(0)):  # poll() would use up memory for each byte
            keyboard.readinto(one)  # asking for more than one would wait until all of it is there
            received += one
        if CTRL_C in bytes(received):  # while a file was written; the host's lines have none
            raise KeyboardInterrupt
        return received

    def writable():
        watchdog.alive("writer")
        return bool(can_write.poll(0))

    return out.write, writable, wait_input


def identity():
    """What the hello tells of this board, and never changes while it runs."""
    return {
        "firmware": FIRMWARE_VERSION,
        "micropython": tuple(sys.implementation.version[:3]),
        "chip": CHIP_RP2350 if IS_RP2350 else CHIP_RP2040,
        "reset_cause": cause_of(machine.mem32[WATCHDOG_REASON], machine.mem32[NOTE]),
        "boot_id": struct.unpack("<I", os.urandom(4))[0] | 1,
        "uid": struct.unpack("<Q", machine.unique_id())[0],
        "model": sys.implementation._machine,
    }


def pulse_inputs():
    """Every terminal that can count, with its interrupt on."""
    pulses.init(*PULSE_REGISTERS)
    inputs = {}
    for port, gpio in PULSE_GPIO.items():
        pin = machine.Pin(gpio, machine.Pin.IN, machine.Pin.PULL_UP)
        inputs[port] = PulseInput(port, pulses.add(gpio, pin))
        pin.irq(pulses.edge, machine.Pin.IRQ_FALLING | machine.Pin.IRQ_RISING, hard=True)
    return inputs


def p1_port(clock):
    """The smart meter's port. What only it needs is imported here: it takes memory."""
    from meter.p1_port import P1Port
    from pins import P1_REQUEST_GPIO, P1_RX_GPIO, P1_TX_GPIO

    receive = machine.Pin(P1_RX_GPIO, machine.Pin.IN, machine.Pin.PULL_UP)  # a port without a cable rests high
    # 2048 bytes are 178 ms of the fastest meter: longer than the collector, or anything else, keeps this program waiting.
    uart = machine.UART(1, tx=machine.Pin(P1_TX_GPIO), rx=receive, rxbuf=2048, txbuf=32)
    request = machine.Pin(P1_REQUEST_GPIO, machine.Pin.OUT, value=0)
    status = IO_BANK0 + 8 * P1_RX_GPIO  # GPIO_STATUS: bit 17 is the level at the pin, before any inversion

    def set_line(baud, inverted):
        uart.init(baudrate=baud, bits=8, parity=None, stop=1, invert=uart.INV_RX if inverted else 0)
        # UARTIFLS: an interrupt for each 24 bytes, not for each 4 as init() sets it: each one wakes the scheduler for 0.1 ms.
        machine.mem32[UART1_IFLS] = 0b011 << 3

    def level():
        return machine.mem32[status] >> 17 & 1

    return P1Port(uart, set_line, level, request.value, clock, time.ticks_ms, time.ticks_diff)


def panel(clock):
    """LEDs and button."""
    leds = {name: machine.Pin(gpio).value for name, gpio in LED_GPIO.items()}
    levels = {
        port: machine.Pin(gpio).value for port, gpio in PULSE_GPIO.items()
    }  # pins of the pulse inputs, as they are
    button = machine.Pin(BUTTON_GPIO, machine.Pin.IN, machine.Pin.PULL_UP)
    return Panel(leds, button.value, lambda port: levels[port](), time.ticks_ms, time.ticks_diff, clock)


def serial_port(clock):
    """Port 6, RS-485. What only it needs is imported here: it takes memory."""
    from meter.line_driver import LineDriver
    from meter.serial_port import SerialPort
    from pins import SERIAL_ENABLE_GPIO, SERIAL_RX_GPIO, SERIAL_TX_GPIO

    # Rests high while the transceiver's receiver is off.
    receive = machine.Pin(SERIAL_RX_GPIO, machine.Pin.IN, machine.Pin.PULL_UP)
    uart = machine.UART(0, tx=machine.Pin(SERIAL_TX_GPIO), rx=receive, txbuf=32, rxbuf=32)
    enable = machine.Pin(SERIAL_ENABLE_GPIO, machine.Pin.OUT, value=0)
    driver = LineDriver(machine.mem32, rp2.DMA, DMA_TIMER0, machine.freq(), enable.value, uart.txdone, uart.any)

    def wait_input():  # as StreamReader waits, without reading
        yield asyncio.core._io_queue.queue_read(uart)

    return SerialPort(uart, driver, wait_input, clock)


class RadioPins:
    """SPI 0, and the lines of the radio beside it."""

    def __init__(self):
        from pins import RADIO_CLOCK_GPIO, RADIO_MISO_GPIO, RADIO_MOSI_GPIO, RADIO_RESET_GPIO, RADIO_SELECT_GPIO

        self.select = machine.Pin(RADIO_SELECT_GPIO, machine.Pin.OUT, value=1)
        self.reset = machine.Pin(RADIO_RESET_GPIO, machine.Pin.OUT, value=0)
        self.irq_level = self._irq_pin = machine.Pin(RADIO_IRQ_GPIO, machine.Pin.IN, machine.Pin.PULL_UP)
        clock, out, back = [machine.Pin(gpio) for gpio in (RADIO_CLOCK_GPIO, RADIO_MOSI_GPIO, RADIO_MISO_GPIO)]
        # An RFM12B allows 2.5 MHz at most where its FIFO is read.
        self.exchange = machine.SPI(0, 2000000, sck=clock, mosi=out, miso=back).write_readinto

    def irq(self, handler, rising):
        """Hard interrupt at one kind of edge; None: none. May be called by the handler itself."""
        self._irq_pin.irq(handler, machine.Pin.IRQ_RISING if rising else machine.Pin.IRQ_FALLING, hard=True)


def radio(clock):
    """The radio terminal; its modules take memory only where it is used."""
    from meter.radio import Radio

    return Radio(RadioPins(), clock, os.urandom, time.ticks_us, time.ticks_diff)


def terminals(clock):
    """The others beside clamps and pulses: with which settings each is wanted, and what makes it."""
    return (
        (lambda settings: True, lambda: panel(clock)),
        (lambda settings: settings.p1, lambda: p1_port(clock)),
        (lambda settings: settings.serial_baud, lambda: serial_port(clock)),
        (lambda settings: settings.radio, lambda: radio(clock)),
    )


def main():
    for name, gpio in LED_GPIO.items():
        machine.Pin(gpio, machine.Pin.OUT, value=name == "power")
    clock = BoardClock(time.ticks_us, time.ticks_diff)
    channels = {port: gpio - 26 for port, gpio in CLAMP_GPIO.items()}
    for gpio in CLAMP_GPIO.values():
        machine.ADC(gpio)  # takes the converter out of reset and the pin off the digital side
    board_identity, watchdog = identity(), Watchdog(feed_watchdog)
    # Before the ring: what stands behind it would limit how long it can become. The largest comes first: once something was
    # loaded, the heap has holes.
    kept = Kept(room_now())
    calibration, kept_in_flash = Calibration(), keeper(board_identity["boot_id"])
    settings = kept_in_flash.load(calibration, CLAMP_GPIO, PULSE_GPIO)
    gc.collect()
    ring = AdcRing(machine.mem32, rp2.DMA, uctypes.addressof, ADC_BASE, ADC_DREQ)
    sampler = Sampler(ring, channels, calibration, clock, time.ticks_us, time.ticks_diff)
    inputs = pulse_inputs()
    made = terminals(clock)
    board = Board(board_identity, settings, calibration, clock, sampler, inputs, made, kept_in_flash, watchdog)
    link = HostLink(*console(watchdog), time.ticks_ms, time.ticks_diff, kept)
    run(board, sampler, link, kept_in_flash)


def feed_watchdog():
    """Begins to count anew."""
    machine.WDT(timeout=WATCHDOG_MS)


def run(board, sampler, link, kept_in_flash):
    """Until Ctrl-C or a fault; afterwards nothing samples or interrupts any more, and the watchdog is off."""
    # What goes wrong inside a timer callback would be printed and forgotten, Ctrl-C too: hand it to the tasks instead.
    caught, stop = [], asyncio.ThreadSafeFlag()

    def on_timer(_timer):
        try:
            pulses.poll()
            sampler.poll()
        except BaseException as error:
            caught.append(error)
            stop.set()

    async def raise_what_was_caught():
        await stop.wait()
        raise caught[0]

    async def work():
        await asyncio.gather(raise_what_was_caught(), board.run(link))

    machine.mem32[NOTE] = RUNNING
    feed_watchdog()
    timer = machine.Timer(period=POLL_MS, mode=machine.Timer.PERIODIC, callback=on_timer)
    try:
        asyncio.run(work())
    finally:
        micropython.kbd_intr(-1)  # another Ctrl-C now would leave the DMA running; the prompt switches it on again
        machine.mem32[WATCHDOG_OFF] = 1 << 30
        machine.mem32[NOTE] = ENDED
        timer.deinit()
        sampler.stop()
        for gpio in list(PULSE_GPIO.values()) + [RADIO_IRQ_GPIO]:
            machine.Pin(gpio).irq(None)
        for name, gpio in LED_GPIO.items():
            machine.Pin(gpio).value(name == "power")
        kept_in_flash.last(link.kept)


def start():
    """What main.py does: the board until Ctrl-C; after a fault it says so, and begins anew."""
    try:
        main()
    except Exception as error:  # Ctrl-C is none, and gives the prompt
        micropython.kbd_intr(CTRL_C)
        sys.print_exception(error)
        time.sleep(2)  # for somebody who wants to read it, or to press Ctrl-C
        machine.mem32[NOTE] = FAULTED
        machine.reset()
