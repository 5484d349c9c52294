"""The line of a smart meter's port, as bits: what the chip's UART makes of them with the settings that it has at that moment.

A line rests at mark. Bits are looked for as a PL011 does (RP2040 data sheet 4.2): from the falling edge of a start bit on, in
the middle of each bit, at the receiver's own speed. With the meter's speed, format and polarity that gives its bytes; with others
the garbage that a real receiver would get, with framing errors and breaks.

Mended here, for one UART of one chip: rp2040py's has no thresholds (UARTIFLS), no receive timeout, no error bits.
"""

from typing import Any, Final, NamedTuple

from rp2040py.peripherals import uart as uart_model
from rp2040py.sio import GPIO_IN

_IFLS: Final = 0x34
_RX_LEVELS: Final = (4, 8, 16, 24, 28)
"""Bytes in the FIFO at which the receive interrupt comes, by UARTIFLS.RXIFLSEL."""
_RTINTR: Final = 1 << 6
_TIMEOUT_BITS: Final = 32
_FRAMING, _PARITY, _BREAK = 1 << 8, 1 << 9, 1 << 10
_PARITY_ON, _PARITY_EVEN = 1 << 1, 1 << 2
_STATUS_BYTES: Final = 8
_INVERT: Final = 1
_IO_BANK0: Final = 0x40014


class LineFormat(NamedTuple):
    """How a meter sends: ``parity`` is "N" or "E"; ``inverted``: mark is low."""

    baud: int
    bits: int
    parity: str
    inverted: bool


FAST_8N1: Final = LineFormat(115_200, 8, "N", True)
SLOW_7E1: Final = LineFormat(9600, 7, "E", True)


def bits_of(data: bytes, form: LineFormat) -> bytes:
    """The levels on the line, one byte a bit, mark being 1: start, data from the lowest bit on, parity, stop."""
    table = []
    for byte in range(256):
        bits = [byte >> n & 1 for n in range(form.bits)]
        parity = [sum(bits) & 1] if form.parity == "E" else []
        table.append(bytes([0, *bits, *parity, 1]))
    return b"".join(table[byte] for byte in data)


class P1Line:
    """Between a meter and the chip. ``form`` is the meter's, and may change between telegrams; so may ``plugged``."""

    def __init__(self, mcu: Any, number: int, gpio: int, form: LineFormat) -> None:
        self._mcu, self._uart, self._pin = mcu, mcu.uart[number], mcu.gpio[gpio]
        self.form = form
        self.plugged = True
        self.overrun = 0
        """Bytes that found the FIFO full."""
        self._bits = b""
        self._began_ns = 0.0
        self._bit_ns = 1e9 / form.baud
        self._first_ns = 0.0  # the receiver has looked at all that was before
        self._start_ns: float | None = None
        self._levels = 0x12
        self._byte_alarm = mcu.clock.create_alarm(self._received)
        self._quiet_alarm = mcu.clock.create_alarm(self._quiet)
        self._intercept(8 * gpio)

    def send(self, data: bytes) -> None:
        """Puts bytes on the line, behind those that are still on it."""
        now = self._now()
        bits = bits_of(data, self.form)
        if now >= self._end_ns():
            self._bits, self._began_ns, self._bit_ns = bits, now, 1e9 / self.form.baud
        else:
            self._bits += bits
        if self._start_ns is None:
            self._find_start()

    @property
    def busy(self) -> bool:
        """Whether bytes are on the line."""
        return self._now() < self._end_ns()

    @property
    def listens_at(self) -> tuple[float, bool]:
        """The receiver's speed in baud, and whether it inverts."""
        return 1e9 / self._receiver_ns(), bool(self._flipped())

    def _now(self) -> float:
        return float(self._mcu.clock.nanos)

    def _end_ns(self) -> float:
        return self._began_ns + len(self._bits) * self._bit_ns

    def _wire(self, t_ns: float) -> int:
        """Level at the pin."""
        if not self.plugged:
            return 1  # the pull-up's
        at = int((t_ns - self._began_ns) / self._bit_ns)
        bit = self._bits[at] if 0 <= at < len(self._bits) and t_ns >= self._began_ns else 1
        return bit ^ self.form.inverted

    # --- what the receiver sees: the pin's level behind the chip's own inversion ---

    def _flipped(self) -> int:
        return int(self._pin.input_override == _INVERT)

    def _seen(self, t_ns: float) -> int:
        return self._wire(t_ns) ^ self._flipped()

    def _next(self, level: int, t_ns: float) -> float | None:
        """The first moment from ``t_ns`` on at which the receiver sees a level; None: not before something changes."""
        if self._seen(t_ns) == level:
            return t_ns
        if not self.plugged:
            return None
        bit = level ^ self._flipped() ^ self.form.inverted
        at = self._bits.find(bytes([bit]), max(0, int((t_ns - self._began_ns) / self._bit_ns)))
        if at >= 0:
            return max(t_ns, self._began_ns + at * self._bit_ns)
        end_ns = self._end_ns()
        return max(t_ns, end_ns) if bit == 1 else None

    def _find_start(self) -> None:
        """Waits for the falling edge of a start bit behind what has been looked at."""
        self._byte_alarm.cancel()
        self._start_ns = None
        high_ns = self._next(1, self._first_ns)
        low_ns = None if high_ns is None else self._next(0, high_ns)
        if low_ns is not None and self._uart.baud_divider > 0:
            self._start_ns = low_ns
            until = low_ns + (1.5 + self._symbols()) * self._receiver_ns() - self._now()
            self._byte_alarm.schedule(max(0.0, until))

    def _receiver_ns(self) -> float:
        return 16e9 * float(self._uart.baud_divider) / float(self._mcu.clk_peri)

    def _symbols(self) -> int:
        """Bits between start and stop."""
        return int(self._uart.word_length) + bool(self._uart._line_ctrl_register & _PARITY_ON)

    def _received(self) -> None:
        """In the middle of what should be the stop bit."""
        start_ns, bit_ns, symbols = self._start_ns, self._receiver_ns(), self._symbols()
        assert start_ns is not None
        if self._seen(start_ns + 0.5 * bit_ns):  # no start bit, only a spike
            self._first_ns = start_ns + 0.5 * bit_ns
        else:
            seen = [self._seen(start_ns + (1.5 + n) * bit_ns) for n in range(symbols + 1)]
            self._first_ns = start_ns + (1.5 + symbols) * bit_ns
            self._push(seen)
        self._find_start()

    def _push(self, seen: list[int]) -> None:
        uart = self._uart
        if not (uart.enabled and uart.rx_enabled):
            return
        value = sum(bit << n for n, bit in enumerate(seen[: uart.word_length]))
        control = uart._line_ctrl_register
        if not any(seen):
            value |= _BREAK | _FRAMING
        elif not seen[-1]:
            value |= _FRAMING
        if control & _PARITY_ON and sum(seen[:-1]) % 2 == bool(control & _PARITY_EVEN):
            value |= _PARITY
        if uart.rx_fifo.full:
            self.overrun += 1
            return
        uart.rx_fifo.push(value)
        if uart.rx_fifo.item_count >= self._level():
            uart._interrupt_status |= uart_model.UARTRXINTR
        self._quiet_alarm.cancel()
        self._quiet_alarm.schedule(_TIMEOUT_BITS * self._receiver_ns())
        self._tell()

    def _quiet(self) -> None:
        if not self._uart.rx_fifo.empty:
            self._uart._interrupt_status |= _RTINTR
            self._tell()

    def _level(self) -> int:
        return _RX_LEVELS[min(self._levels >> 3 & 7, len(_RX_LEVELS) - 1)]

    def _tell(self) -> None:
        uart = self._uart
        uart.rp2040.set_interrupt(uart.irq, bool(uart._interrupt_status & uart._interrupt_mask))

    # --- the chip's side ---

    def _intercept(self, status: int) -> None:
        uart, sio, pins = self._uart, self._mcu.sio, self._mcu.peripherals[_IO_BANK0]
        self._read, self._write, self._reset = uart.read_uint32, uart.write_uint32, uart.reset
        uart.read_uint32, uart.write_uint32, uart.reset = self._read_uint32, self._write_uint32, self._reset_all
        read_sio, read_pins, write_pins = sio.read_uint32, pins.read_uint32, pins.write_uint32

        def level_first(read: Any, register: int) -> Any:
            def read_uint32(offset: int) -> Any:
                if offset == register:
                    self._show_level()
                return read(offset)

            return read_uint32

        def write_control(offset: int, value: int) -> None:
            write_pins(offset, value)
            if offset == status + 4:
                self._changed()

        sio.read_uint32 = level_first(read_sio, GPIO_IN)
        pins.read_uint32 = level_first(read_pins, status)
        pins.write_uint32 = write_control

    def _show_level(self) -> None:
        """The pin's level is looked up when somebody looks: an alarm for each bit would cost too much."""
        if self.plugged:
            self._pin.set_input_value(bool(self._wire(self._now())))
        else:
            self._pin.release_input()

    def _changed(self) -> None:
        """The receiver was set up anew: it looks at the line from now on."""
        self._first_ns = self._now()
        self._find_start()

    def hang(self, form: LineFormat) -> None:
        """Another meter's line; what was on the way is gone."""
        self.form, self._bits = form, b""
        self._changed()

    def plug(self, plugged: bool) -> None:
        """Puts the cable in or takes it out."""
        self.plugged = plugged
        self._changed()

    def _read_uint32(self, offset: int) -> int:
        uart = self._uart
        if offset == _IFLS:
            return self._levels
        if offset != uart_model.UARTDR:
            return int(self._read(offset))
        value = int(uart.rx_fifo.pull())
        if uart.rx_fifo.item_count < self._level():
            uart._interrupt_status &= ~uart_model.UARTRXINTR
        if uart.rx_fifo.empty:
            uart._interrupt_status &= ~_RTINTR
            self._quiet_alarm.cancel()
        self._tell()
        return value

    def _write_uint32(self, offset: int, value: int) -> None:
        if offset == _IFLS:
            self._levels = value
            return
        self._write(offset, value)
        if offset in (uart_model.UARTLCR_H, uart_model.UARTCR):
            self._changed()

    def _reset_all(self) -> None:
        self._quiet_alarm.cancel()
        self._levels = 0x12
        self._reset()
        self._changed()
