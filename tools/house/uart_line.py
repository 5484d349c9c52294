"""A UART of the emulated chip with a line at its pins: bytes take their time in both directions.

rp2040py's UART takes a byte in no time and forgets the line behind it. Defects mended here, for one UART of one chip (PL011 as in
the RP2040 data sheet 4.2): there is no transmit FIFO, so BUSY, TXFF and TXFE never tell that bytes are on their way and
the transmit interrupt comes at once (mends.transmit_interrupt is enough where only the bytes count); IFLS does not exist.
And the DMA's pacing timers (data sheet 2.5.3.2) run at the inverse of their rate.
"""

from collections import deque
from collections.abc import Callable
from typing import Any, Final, NamedTuple

from rp2040py.peripherals import dma as dma_model
from rp2040py.peripherals import uart as uart_model

_IFLS: Final = 0x34
_BUSY, _TXFF = 1 << 3, 1 << 5
_FIFO_BYTES: Final = 32
_TX_LEVELS: Final = (4, 8, 16, 24, 28)
"""Bytes left in the FIFO at which the transmit interrupt comes, by IFLS.TXIFLSEL."""
_PARITY, _EVEN, _TWO_STOPS = 1 << 1, 1 << 2, 1 << 3


class Format(NamedTuple):
    """How bytes look on a line: ``parity`` is "N", "E" or "O"."""

    baud: int
    bits: int
    parity: str
    stops: int

    @classmethod
    def of(cls, baud: int, text: str) -> "Format":
        """From a speed and "8N1"."""
        return cls(baud, int(text[0]), text[1], int(text[2]))

    @property
    def byte_ns(self) -> float:
        """What a byte takes, start and stop included."""
        return (1 + self.bits + (self.parity != "N") + self.stops) * 1e9 / self.baud

    def understands(self, other: "Format") -> bool:
        """Whether one reads what the other sends: speeds within 3 %. More stop bits than wanted are a pause."""
        near = abs(self.baud - other.baud) <= 0.03 * self.baud
        return near and (self.bits, self.parity) == (other.bits, other.parity) and self.stops <= other.stops


class UartLine:
    """``on_sent(byte, began_ns)`` is called when the last stop bit of a byte has gone; receive() is the other direction."""

    def __init__(self, mcu: Any, number: int, on_sent: Callable[[int, float], None]) -> None:
        self._mcu, self._uart, self._on_sent = mcu, mcu.uart[number], on_sent
        self._waiting: deque[int] = deque()
        self._shifting: int | None = None
        self._began_ns = 0.0
        self._levels = 0x12  # both at half, as after a reset
        self._alarm = mcu.clock.create_alarm(self._gone)
        self.overrun = 0
        """Bytes that found the receive FIFO full, or the transmit FIFO."""
        self._intercept()
        dma_timers(mcu.dma)

    @property
    def format(self) -> Format:
        """As the chip has set it up."""
        uart, control = self._uart, self._uart._line_ctrl_register
        baud = round(self._mcu.clk_peri / (16 * uart.baud_divider)) if uart.baud_divider else 1
        parity = ("E" if control & _EVEN else "O") if control & _PARITY else "N"
        return Format(baud, uart.word_length, parity, 2 if control & _TWO_STOPS else 1)

    @property
    def sending(self) -> bool:
        """Whether a byte of the chip is on the line."""
        return self._shifting is not None

    def receive(self, byte: int) -> None:
        """A byte has come whole."""
        if self._uart.rx_fifo.full:
            self.overrun += 1
        else:
            self._uart.feed_byte(byte)

    def _intercept(self) -> None:
        uart = self._uart
        self._read, self._write, self._reset = uart.read_uint32, uart.write_uint32, uart.reset
        uart.read_uint32, uart.write_uint32, uart.reset = self._read_uint32, self._write_uint32, self._reset_all
        uart.check_interrupts = self._check_interrupts

    def _check_interrupts(self) -> None:
        uart = self._uart
        uart.rp2040.set_interrupt(uart.irq, bool(uart._interrupt_status & uart._interrupt_mask))

    def _read_uint32(self, offset: int) -> int:
        if offset == _IFLS:
            return self._levels
        value = int(self._read(offset))
        if offset != uart_model.UARTFR:
            return value
        busy = _BUSY if self._shifting is not None else 0
        empty = 0 if self._waiting else uart_model.TXFE
        full = _TXFF if len(self._waiting) >= _FIFO_BYTES else 0
        return value & ~uart_model.TXFE | busy | empty | full

    def _write_uint32(self, offset: int, value: int) -> None:
        if offset == _IFLS:
            self._levels = value
        elif offset != uart_model.UARTDR:
            self._write(offset, value)
        elif self._shifting is None:
            self._begin(value & 0xFF)
        elif len(self._waiting) < _FIFO_BYTES:
            self._waiting.append(value & 0xFF)
            if len(self._waiting) > self._tx_level():
                self._uart._interrupt_status &= ~uart_model.UARTTXINTR
                self._check_interrupts()
        else:
            self.overrun += 1

    def _reset_all(self) -> None:
        self._waiting.clear()
        self._shifting = None
        self._alarm.cancel()
        self._levels = 0x12
        self._reset()

    def _tx_level(self) -> int:
        return _TX_LEVELS[min(self._levels & 7, len(_TX_LEVELS) - 1)]

    def _begin(self, byte: int) -> None:
        self._shifting, self._began_ns = byte, float(self._mcu.clock.nanos)
        self._alarm.schedule(self.format.byte_ns)

    def _gone(self) -> None:
        byte, self._shifting = self._shifting, None
        assert byte is not None
        began_ns = self._began_ns
        if self._waiting:
            self._begin(self._waiting.popleft())
            if len(self._waiting) == self._tx_level():  # on its way down through the level
                self._uart._interrupt_status |= uart_model.UARTTXINTR
                self._check_interrupts()
        self._on_sent(byte, began_ns)


def dma_timers(dma: Any) -> None:
    """A pacing timer X/Y asks for a transfer each Y/X cycles of the system clock; rp2040py takes X/Y cycles."""
    registers = {dma_model.TREQ.TIMER0: "_timer0", dma_model.TREQ.TIMER1: "_timer1", dma_model.TREQ.TIMER2: "_timer2"}
    registers[dma_model.TREQ.TIMER3] = "_timer3"

    def get_timer(treq: int) -> float:
        value = getattr(dma, registers[treq]) if treq in registers else 0  # type: ignore[index]
        dividend, divisor = value >> 16, value & 0xFFFF
        if not dividend or not divisor:
            return 0.0
        return divisor / dividend * 1e6 / float(dma.rp2040.clk_sys)

    dma.get_timer = get_timer
