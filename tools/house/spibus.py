"""A chip on the emulated SPI: it is selected by a pin, and each byte takes its time on the wire."""

from typing import Any, Final, Protocol

from rp2040py.gpio_pin import GPIOPinState

_WORD_BITS: Final = 8


class Slave(Protocol):
    """What hangs on the bus."""

    def select(self, selected: bool) -> None:
        """The select line went low (True) or high."""
        ...

    def exchange(self, byte: int, clock_hz: float) -> int:
        """The byte that goes out while this one comes in, eight bits at ``clock_hz``."""
        ...


class SpiBus:
    """Puts ``slave`` behind SPI ``number`` of the chip with its select line on a GPIO.

    Without a selected slave zeros are read: the pin's own pull-down.
    """

    def __init__(self, mcu: Any, number: int, select_gpio: int, slave: Slave | None) -> None:
        self._spi, self.slave = mcu.spi[number], slave
        self._selected = False
        self._clock_hz = 1e6
        self._answer = 0
        self._alarm = mcu.clock.create_alarm(self._complete)
        self._spi.on_transmit = self._transmit
        mcu.gpio[select_gpio].add_listener(self._select)

    def _select(self, state: GPIOPinState, _before: GPIOPinState) -> None:
        selected = state == GPIOPinState.LOW
        if selected != self._selected:
            self._selected = selected
            self._clock_hz = float(self._spi.clock_frequency) or 1e6
            if self.slave is not None:
                self.slave.select(selected)

    def _transmit(self, value: int) -> None:
        self._answer = 0
        if self._selected and self.slave is not None:
            self._answer = self.slave.exchange(value & 0xFF, self._clock_hz)
        self._alarm.schedule(_WORD_BITS * 1e9 / self._clock_hz)

    def _complete(self) -> None:
        self._spi.complete_transmit(self._answer)
