"""The emulator's defects and what we do about them: all of it in this file, for exactly one version of rp2040py.

Each function says what it mends and how. They work on one chip: no class of the emulator is changed, except where a
property leaves no other way (input_selection).
"""

from importlib.metadata import version
from secrets import randbits
from typing import Any, Final, Protocol

import numpy as np
from rp2040py import sio as sio_model
from rp2040py.peripherals import adc as adc_model
from rp2040py.peripherals import uart as uart_model
from rp2040py.peripherals.usb import EP0_IN_BUFFER_CONTROL, INTE, INTR_DEV_SOF, SOF_RD, USB_BUF_CTRL_AVAILABLE
from rp2040py.usb.cdc import CDC_DTR, CDC_RTS, USBCDC

from house.clocks import peripheral_clock
from house.converter import Source

MENDED_VERSION: Final = "0.3.6"

_ROSC_PAGE: Final = 0x40060
_ROSC_RANDOMBIT: Final = 0x1C

_DIVIDER_DONE: Final = 0b11
"""CSR: ready, and written since the quotient was last read."""

_WATCHDOG_CTRL: Final = 0x00

_READ_UNIQUE_ID: Final = 0x4B
_UID_DELAY: Final = 6
"""The first byte of the id answers the sixth byte sent: command, four dummies, then one for each byte wanted."""

USB_FRAME_NS: Final = 1_000_000
"""A host begins a frame each millisecond."""

_FRAMES_SHOWN: Final = 32
_FRAMES_SKIPPED: Final = 16

USB_PACKET_US: Final = 50
"""A full-speed host moves about 20 packets of 64 bytes a millisecond."""


class WrongEmulator(Exception):
    """Another version of rp2040py than the one whose defects are mended here."""


def check_version() -> None:
    """Refuses any other version: a mend of another version would break it silently."""
    found = version("rp2040py")
    if found != MENDED_VERSION:
        raise WrongEmulator(f"rp2040py {found} is installed; tools/house/mends.py mends {MENDED_VERSION} only")


def mend(mcu: Any, source: Source) -> None:
    """All mends that concern the chip alone. The USB host's are in UsbHost."""
    check_version()
    input_selection(mcu.adc)
    free_run_restart(mcu.adc)
    conversions(mcu, source)
    frames(mcu)
    random_bits(mcu)
    divider(mcu.sio)
    peripheral_clock(mcu)
    for uart in mcu.uart:
        transmit_interrupt(uart)


def input_selection(adc: Any) -> None:
    """Defect 2: the round robin masks the next input with 12 instead of 7 and never reaches inputs 1 and 2. The property is
    replaced in a class of its own, so that other chips in the same process keep theirs."""

    def select(self: Any, channel: int) -> None:
        cleared = self.cs & ~(adc_model.CS_AINSEL_MASK << adc_model.CS_AINSEL_SHIFT)
        self.cs = cleared | (channel & adc_model.CS_AINSEL_MASK) << adc_model.CS_AINSEL_SHIFT

    selection = property(vars(adc_model.RPADC)["_active_channel"].fget, select)
    adc.__class__ = type("MendedADC", (adc_model.RPADC,), {"_active_channel": selection})


def free_run_restart(adc: Any) -> None:
    """Defect 7: any write to CS between two conversions of a free run starts another conversion at once and shifts all that
    follow. Such a write finds the converter busy here."""
    write = adc.write_uint32

    def write_uint32(offset: int, value: int) -> None:
        keeps_running = offset == adc_model.CS and adc.cs & value & adc_model.CS_START_MANY and value & adc_model.CS_EN
        if not keeps_running or adc.busy:
            write(offset, value)
            return
        adc.busy = True
        write(offset, value)
        adc.busy = False

    adc.write_uint32 = write_uint32


def conversions(mcu: Any, source: Source) -> None:
    """Not a defect but the socket for the house: each conversion of the per-sample model takes its code from ``source`` as it
    begins."""
    adc = mcu.adc
    complete_later = adc.on_adc_read

    def on_adc_read(channel: int) -> None:
        t_ns = np.array([round(mcu.clock.nanos)], dtype=np.int64)
        adc.channel_values[channel] = int(source.take(channel, t_ns)[0])
        complete_later(channel)

    adc.on_adc_read = on_adc_read


def transmit_interrupt(uart: Any) -> None:
    """Defect 3: every check of the interrupts raises TXINTR, so a driver that acknowledges it never returns. It is raised
    after a write to the data register only (the emulated line takes a byte in no time)."""
    write = uart.write_uint32

    def check_interrupts() -> None:
        uart.rp2040.set_interrupt(uart.irq, bool(uart._interrupt_status & uart._interrupt_mask))

    def write_uint32(offset: int, value: int) -> None:
        write(offset, value)
        if offset == uart_model.UARTDR:
            uart._interrupt_status |= uart_model.UARTTXINTR
            check_interrupts()

    uart.check_interrupts = check_interrupts
    uart.write_uint32 = write_uint32


def random_bits(mcu: Any) -> None:
    """Defect 9: the ring oscillator's RANDOMBIT is always one, so that each boot draws the same "random" numbers (a boot could
    not be told from the one before). Here the bits come from this machine's entropy, as on the chip they come from noise."""
    oscillator = mcu.peripherals[_ROSC_PAGE]
    read = oscillator.read_uint32

    def read_uint32(offset: int) -> int:
        return randbits(1) if offset & 0xFFF == _ROSC_RANDOMBIT else int(read(offset))

    oscillator.read_uint32 = read_uint32


def divider(sio: Any) -> None:
    """Defect 11: each operand written to the hardware divider adds eight cycles to the core's count, though no time passes (the
    program spends them itself while it waits), so that a count of busy cycles is some 4 % too high. The same divider without
    that, and ahead of a long chain of comparisons: MicroPython divides ten thousand times a second."""
    read, write, update = sio.read_uint32, sio.write_uint32, sio.update_hardware_divider

    def update_hardware_divider(signed: bool) -> None:
        cycles = sio.rp2040.core.cycles
        if sio.div_divisor == 0 or signed:
            update(signed)
            sio.rp2040.core.cycles = cycles
            return
        sio.div_quotient, sio.div_remainder = divmod(sio.div_dividend & 0xFFFFFFFF, sio.div_divisor & 0xFFFFFFFF)
        sio.div_csr = _DIVIDER_DONE

    def read_uint32(offset: int) -> int | float:
        if offset == sio_model.DIV_CSR:
            return int(sio.div_csr)
        if offset == sio_model.DIV_REMAINDER:
            return int(sio.div_remainder)
        result: int | float = read(offset)
        return result

    def write_uint32(offset: int, value: int) -> None:
        if offset == sio_model.DIV_UDIVIDEND:
            sio.div_dividend = value
            update_hardware_divider(False)
        elif offset == sio_model.DIV_UDIVISOR:
            sio.div_divisor = value
            update_hardware_divider(False)
        else:
            write(offset, value)

    sio.update_hardware_divider = update_hardware_divider
    sio.read_uint32, sio.write_uint32 = read_uint32, write_uint32


def unique_id(mcu: Any, uid: bytes) -> None:
    """Defect 10: the emulated flash chip has no unique id (all ones), so that all boards are the same one. Its command 0x4B
    takes four dummy bytes, then answers eight bytes of ``uid``."""
    ssi = mcu.ssi
    shift = ssi._shift_byte

    def shift_byte(byte_out: int) -> int:
        answer = int(shift(byte_out))
        position = len(ssi._tx_buffer) - _UID_DELAY
        if ssi._tx_buffer[0] == _READ_UNIQUE_ID and 0 <= position < len(uid):
            return uid[position]
        return answer

    ssi._shift_byte = shift_byte


class SerialLine:
    """Bytes into a UART at line speed. Defect 4: ``feed_byte`` forgets silently what does not fit into the 32-deep FIFO, and fed
    at once a telegram does not fit. Here each byte takes its time on the line (start, 8 data, stop); one that finds the FIFO
    full is lost as on the chip, and counted in ``lost``."""

    def __init__(self, mcu: Any, number: int, baud: int) -> None:
        self._uart = mcu.uart[number]
        self._byte_ns = 10e9 / baud
        self._waiting = bytearray()
        self._alarm = mcu.clock.create_alarm(self._arrive)
        self.lost = 0

    def send(self, data: bytes) -> None:
        """Puts bytes on the line, behind those that are still on it."""
        idle = not self._waiting
        self._waiting += data
        if idle and data:
            self._alarm.schedule(self._byte_ns)

    def _arrive(self) -> None:
        byte = self._waiting.pop(0)
        if self._uart.rx_fifo.full:
            self.lost += 1
        else:
            self._uart.feed_byte(byte)
        if self._waiting:
            self._alarm.schedule(self._byte_ns)


def frames(mcu: Any) -> None:
    """Defect 8: the emulated host sends no start of frame to a device, so MicroPython never flushes what it printed before a
    program opened the port (it waits for 16 frames). While the firmware has that interrupt enabled, one comes each millisecond;
    reading SOF_RD acknowledges it. TinyUSB keeps it enabled as long as a transfer is held: after 32 frames only each 16th is
    shown, so that a board whose host does not read costs this machine no third of a core."""
    usb = mcu.usb_ctrl
    read, write = usb.read_uint32, usb.write_uint32
    shown = 0

    def begin_frame() -> None:
        nonlocal shown
        if usb._int_enable & INTR_DEV_SOF:
            shown += 1
            frames_on = 1 if shown < _FRAMES_SHOWN else _FRAMES_SKIPPED
            usb._sof_frame_number = usb._sof_frame_number + frames_on & 0x7FF
            usb._int_raw |= INTR_DEV_SOF
            usb.check_interrupts()
            alarm.schedule(frames_on * USB_FRAME_NS)

    def write_uint32(offset: int, value: int) -> None:
        nonlocal shown
        enabled = usb._int_enable & INTR_DEV_SOF
        write(offset, value)
        if offset == INTE and usb._int_enable & INTR_DEV_SOF and not enabled:
            shown = 0
            alarm.schedule(USB_FRAME_NS)

    def read_uint32(offset: int) -> int:
        if offset == SOF_RD:
            usb._int_raw &= ~INTR_DEV_SOF
            usb.check_interrupts()
        return int(read(offset))

    alarm = mcu.clock.create_alarm(begin_frame)
    usb.read_uint32, usb.write_uint32 = read_uint32, write_uint32


def stop_watchdog(mcu: Any) -> None:
    """Defect 14: a chip reset leaves the watchdog running, so that it comes again in the midst of whatever runs then. Called at
    each reset: ENABLE is 0 then (RP2040 data sheet 4.7.6, CTRL)."""
    mcu.watchdog.write_uint32(_WATCHDOG_CTRL, 0)


class Console(Protocol):
    """The program at the host's end of the USB cable."""

    @property
    def connected(self) -> bool:
        """Whether a program has the port open (then the host asserts DTR and asks the board for data)."""
        ...

    @property
    def accepts(self) -> bool:
        """Whether there is room for data from the board."""
        ...

    def receive(self, data: bytes) -> None:
        """Data from the board."""
        ...

    def take(self, limit: int) -> bytes:
        """At most ``limit`` bytes for the board, and they are gone from here."""
        ...


class UsbHost:
    """The emulated USB host, mended: it answers like a host that may have nothing to say, nobody to listen, or both.

    Defect 1: rp2040py answers each armed OUT endpoint at once with an empty packet, so TinyUSB spins for ever and the chip
    never sleeps. Here the request waits (the latest only) until there are bytes, and is forgotten at a chip reset.
    Bytes are handed over packet by packet at the pace of the bus, so that no FIFO runs over.
    Defect 5: rp2040py swallows whatever the board sends. Here an IN transfer stays armed (what a NAK does) while nobody has the
    port open or the program's queue is full, so that the firmware sees a host that does not read.
    Defect 6: rp2040py asserts DTR once and for ever. Here DTR follows whether a program has the port open.
    """

    def __init__(self, mcu: Any, cdc: USBCDC, console: Console) -> None:
        self._mcu, self._usb, self._cdc, self._console = mcu, mcu.usb_ctrl, cdc, console
        self._wanted = 0  # bytes that the board is ready to take; 0 if it is not
        self._held: int | None = None  # DPRAM offset of the buffer control of a held IN transfer
        self._endpoint_read = self._usb.on_endpoint_read
        self._dpram_updated = self._usb.dpram_updated
        self._control_reset = self._usb.on_reset
        self._set_lines = cdc._cdc_set_control_line_state
        self._usb.on_endpoint_read = self._on_endpoint_read
        self._usb.dpram_updated = self._on_dpram
        self._usb.on_reset = self._on_reset
        cdc._cdc_set_control_line_state = self._on_enumerated  # type: ignore[method-assign]
        cdc.on_serial_data = lambda data: console.receive(bytes(data))

    @property
    def enumerated(self) -> bool:
        """Whether the board has come up on the bus."""
        return self._cdc._initialized

    @property
    def holding(self) -> bool:
        """Whether the board's data is being held back now."""
        return self._held is not None

    def poll(self) -> None:
        """Brings the bus up to date with the console: control lines, bytes for the board, bytes held back."""
        if not self.enumerated:
            return
        if self._cdc.dtr != self._console.connected:
            self._set_lines(self._lines())
        self._serve_out()
        if self._held is not None and self._open():
            self._release_in()

    def _lines(self) -> int:
        return CDC_DTR | CDC_RTS if self._console.connected else 0

    def _open(self) -> bool:
        return self._console.connected and self._console.accepts

    def _on_enumerated(self, value: int | None = None, interface_number: int | None = None) -> None:
        self._set_lines(self._lines() if value is None else value, interface_number)

    def _on_endpoint_read(self, endpoint: int, size: int) -> None:
        if endpoint != self._cdc._out_endpoint:
            assert self._endpoint_read is not None
            self._endpoint_read(endpoint, size)
            return
        self._wanted = size
        self._serve_out()

    def _serve_out(self) -> None:
        data = self._console.take(self._wanted) if self._wanted else b""
        if data:
            self._wanted = 0
            self._usb.endpoint_read_done(self._cdc._out_endpoint, data, USB_PACKET_US)

    def _on_dpram(self, offset: int, value: int) -> None:
        if offset == self._in_control() and value & USB_BUF_CTRL_AVAILABLE and not self._open():
            self._held = offset
            return
        self._dpram_updated(offset, value)

    def _in_control(self) -> int | None:
        endpoint = self._cdc._in_endpoint
        return EP0_IN_BUFFER_CONTROL + 8 * endpoint if endpoint > 0 else None

    def _release_in(self) -> None:
        """Carries out the held transfer as it stands in the chip's memory now."""
        offset, self._held = self._held, None
        assert offset is not None
        value = int.from_bytes(self._mcu.usb_dpram[offset : offset + 4], "little")
        if value & USB_BUF_CTRL_AVAILABLE:
            self._dpram_updated(offset, value)

    def _on_reset(self) -> None:
        self._wanted, self._held = 0, None
        if self._control_reset is not None:
            self._control_reset()
