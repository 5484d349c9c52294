"""The RS-485 line of port 6: the chip's UART and its driver enable on one side, Modbus meters on the other.

What the chip sends with its driver off is lost; a meter that answers while the driver is still on makes garbage of both. Both are
counted: they are the truth about how well the firmware switches.
"""

from collections import deque
from typing import Any, Final

from rp2040py.gpio_pin import GPIOPinState

from house.housefile import House
from house.modbus_meters import ModbusMeter
from house.uart_line import Format, UartLine
from house.wiring import SERIAL_ENABLE_GPIO

_SILENCE_CHARS: Final = 3.5
_FAST_SILENCE_NS: Final = 1_750_000.0
"""Above 19200 baud the Modbus standard proposes 1.75 ms; fast meters keep to 3.5 characters, and so do these."""
_KEPT: Final = 10_000


class SerialBus:
    """Owns UART 0's line. ``releases``: for each piece, ns from its last stop bit to the driver's release."""

    def __init__(self, mcu: Any, house: House) -> None:
        self._clock = mcu.clock
        self._echo = house.rs485.echo if house.rs485 else False
        self.line = UartLine(mcu, 0, self._sent)
        self.meters = [ModbusMeter(house, one) for one in house.modbus]
        self._driver_on = False
        self._driver_since_ns = 0.0
        self._last_stop_ns: float | None = None  # of the piece that is on the line
        self._heard = bytearray()  # since the last silence
        self._answers: deque[tuple[int, Format]] = deque()  # bytes of a meter that are on the line
        self._silence = self._clock.create_alarm(self._frame_ended)
        self._next_byte = self._clock.create_alarm(self._byte_came)
        self._turnaround = self._clock.create_alarm(self._begin_answer)
        self._answer: tuple[bytes, Format] = (b"", Format(115_200, 8, "N", 1))
        self.releases: deque[float] = deque(maxlen=_KEPT)
        self.gaps: deque[float] = deque(maxlen=_KEPT)
        """ns between two bytes of one piece."""
        self.frames: deque[bytes] = deque(maxlen=_KEPT)
        """What the chip sent with its driver on, by silences."""
        self.unheard = 0
        """Bytes that the chip sent while its driver was not on all the time."""
        self.collisions = 0
        """Bytes of meters that came while the chip's driver was on."""
        mcu.gpio[SERIAL_ENABLE_GPIO].add_listener(self._enable_changed)

    # --- the chip sends ---

    def _enable_changed(self, state: GPIOPinState, _before: GPIOPinState) -> None:
        on = state == GPIOPinState.HIGH
        if on == self._driver_on:
            return
        now_ns = float(self._clock.nanos)
        self._driver_on, self._driver_since_ns = on, now_ns
        if not on and self._last_stop_ns is not None:
            self.releases.append(now_ns - self._last_stop_ns)
            self._last_stop_ns = None

    def _sent(self, byte: int, began_ns: float) -> None:
        now_ns = float(self._clock.nanos)
        if self._last_stop_ns is not None:
            self.gaps.append(began_ns - self._last_stop_ns)
        self._last_stop_ns = now_ns
        if not self._driver_on or self._driver_since_ns > began_ns:
            self.unheard += 1
            return
        self._hear(byte, self.line.format)
        if self._echo:
            self.line.receive(byte)

    def _hear(self, byte: int, form: Format) -> None:
        self._heard.append(byte)
        self._silence.cancel()
        self._silence.schedule(_SILENCE_CHARS * form.byte_ns)

    # --- meters answer ---

    def _frame_ended(self) -> None:
        if self.line.sending:  # its start bit came in time: no silence yet
            return
        frame, self._heard = bytes(self._heard), bytearray()
        self.frames.append(frame)
        form, now_s = self.line.format, float(self._clock.nanos) / 1e9
        for meter in self.meters:
            own = Format.of(meter.meter.baud, meter.meter.format)
            if not own.understands(form):
                continue
            answer = meter.answer(frame, now_s)
            if answer:
                self._answer = answer, own
                wait_ns = meter.meter.turnaround_us * 1000 - _SILENCE_CHARS * form.byte_ns
                self._turnaround.schedule(max(0.0, wait_ns))
                return

    def _begin_answer(self) -> None:
        data, form = self._answer
        self._answers = deque((byte, form) for byte in data)
        self._next_byte.schedule(form.byte_ns)

    def _byte_came(self) -> None:
        byte, form = self._answers.popleft()
        began_ns = float(self._clock.nanos) - form.byte_ns
        if self._driver_on or self._driver_since_ns > began_ns:
            self.collisions += 1
            byte ^= 0x55
        if not self._driver_on or self._echo:
            self.line.receive(byte)
        if self._answers:
            self._next_byte.schedule(form.byte_ns)
