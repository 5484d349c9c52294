# Builds the sensor board from its parts. With pins.py the only file that touches machine and rp2.
# Ctrl-C ends it and gives the prompt; a reset or power-up starts it again.
import asyncio
import os
import select
import struct
import sys
import time

import machine
import micropython
import rp2
import uctypes

from meter.adc_ring import AdcRing
from meter.board import Board
from meter.calibration import Calibration
from meter.clock import BoardClock
from meter.host_link import HostLink
from meter.pulses import PulseInput
from meter.sampler import Sampler
from meter.settings import Settings
from pins import CLAMP_GPIO, PULSE_GPIO
from shared.records import CHIP_RP2040, CHIP_RP2350

FIRMWARE_VERSION = (0, 1, 0)
POLL_MS = 16  # samples lost between converter and ring are noticed, and their order is right again, within 20 ms

IS_RP2350 = "RP2350" in sys.implementation._machine
IO_BANK0 = 0x40028000 if IS_RP2350 else 0x40014000
UART1_IFLS = 0x40078034 if IS_RP2350 else 0x40038034
ADC_BASE, ADC_DREQ = (0x400A0000, 48) if IS_RP2350 else (0x4004C000, 36)


def console():
    """(write, writable, wait_input) of the console that this program shares with the prompt."""
    out, keyboard = sys.stdout.buffer, sys.stdin.buffer
    stream, one = asyncio.StreamReader(keyboard), bytearray(1)
    can_write, can_read = select.poll(), select.poll()
    can_write.register(out, select.POLLOUT)
    can_read.register(keyboard, select.POLLIN)

    async def wait_input():
        received = bytearray(await stream.read(1))
        while len(received) < 64 and any(can_read.ipoll(0)):  # poll() would use up memory for each byte
            keyboard.readinto(one)  # asking for more than one would wait until all of it is there
            received += one
        return received

    return out.write, lambda: bool(can_write.poll(0)), wait_input


def identity():
    """What the hello tells of this board, and never changes while it runs."""
    return {
        "firmware": FIRMWARE_VERSION,
        "micropython": tuple(sys.implementation.version[:3]),
        "chip": CHIP_RP2350 if IS_RP2350 else CHIP_RP2040,
        "reset_cause": machine.reset_cause(),
        "boot_id": struct.unpack("<I", os.urandom(4))[0] | 1,
        "uid": struct.unpack("<Q", machine.unique_id())[0],
        "model": sys.implementation._machine,
    }


def pulse_inputs():
    """Every terminal that can count, with its interrupt on."""
    inputs = {}
    for port, gpio in PULSE_GPIO.items():
        pin = machine.Pin(gpio, machine.Pin.IN, machine.Pin.PULL_UP)
        pulse_input = PulseInput(
            port, pin.value, time.ticks_us, time.ticks_diff, machine.disable_irq, machine.enable_irq
        )
        pin.irq(pulse_input.on_edge, machine.Pin.IRQ_FALLING | machine.Pin.IRQ_RISING, hard=True)
        inputs[port] = pulse_input
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


def main():
    clock = BoardClock(time.ticks_us, time.ticks_diff)
    channels = {port: gpio - 26 for port, gpio in CLAMP_GPIO.items()}
    for gpio in CLAMP_GPIO.values():
        machine.ADC(gpio)  # takes the converter out of reset and the pin off the digital side
    calibration = Calibration()  # before the ring: what stands behind it would limit how long it can become
    ring = AdcRing(machine.mem32, rp2.DMA, uctypes.addressof, ADC_BASE, ADC_DREQ)
    sampler = Sampler(ring, channels, calibration, clock, time.ticks_us, time.ticks_diff)
    inputs = pulse_inputs()
    terminals = [(lambda settings: settings.p1, lambda: p1_port(clock))]
    board = Board(identity(), Settings(), calibration, clock, sampler, inputs, terminals)

    # What goes wrong inside a timer callback would be printed and forgotten, Ctrl-C too: hand it to the tasks instead.
    caught, stop = [], asyncio.ThreadSafeFlag()

    def on_timer(_timer):
        try:
            sampler.poll()
        except BaseException as error:
            caught.append(error)
            stop.set()

    async def raise_what_was_caught():
        await stop.wait()
        raise caught[0]

    async def run():
        await asyncio.gather(raise_what_was_caught(), board.run(HostLink(*console(), time.ticks_ms, time.ticks_diff)))

    timer = machine.Timer(period=POLL_MS, mode=machine.Timer.PERIODIC, callback=on_timer)
    try:
        asyncio.run(run())
    finally:
        micropython.kbd_intr(-1)  # another Ctrl-C now would leave the DMA running; the prompt switches it on again
        timer.deinit()
        sampler.stop()
        for gpio in PULSE_GPIO.values():
            machine.Pin(gpio).irq(None)


try:
    main()
except Exception as error:  # Ctrl-C is none, and gives the prompt
    micropython.kbd_intr(3)
    sys.print_exception(error)
    time.sleep(2)  # for somebody who wants to read it, or to press Ctrl-C
    machine.reset()
