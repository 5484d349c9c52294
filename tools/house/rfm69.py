"""An RFM69CW at the level of its registers, as far as an RF12 driver uses it: FSK packet mode of unlimited length (HopeRF,
"RFM69CW" data sheet: operating modes, FIFO, packet mode, DIO1, RSSI)."""

from collections.abc import Callable
from typing import Final

from house.air import Air, Receiver, Transmission, Tuning

FIFO_BYTES: Final = 66
VERSION: Final = 0x24
_CRYSTAL_HZ: Final = 32_000_000
_STEP_HZ: Final = _CRYSTAL_HZ / 2**19
_TX_DBM: Final = -40.0

_FIFO, _OP_MODE, _RSSI, _DIO_MAPPING, _IRQ_1, _IRQ_2 = 0x00, 0x01, 0x24, 0x25, 0x27, 0x28
SLEEP, STANDBY, SYNTHESIZER, TRANSMIT, RECEIVE = 0, 1, 2, 3, 4
# RegIrqFlags1 and RegIrqFlags2
_MODE_READY, _RX_READY, _TX_READY, _SYNC_MATCH = 0x80, 0x40, 0x20, 0x01
_FIFO_FULL, _NOT_EMPTY, _ABOVE_LEVEL, _OVERRUN, _SENT = 0x80, 0x40, 0x20, 0x10, 0x08

_RX_NS: Final = 400_000
_TX_NS: Final = 160_000
"""From standby until the receiver listens, and until the transmitter sends (TS_RE at these bandwidths, TS_TR)."""

_TABLE = {0x01: 0x04, 0x03: 0x1A, 0x04: 0x0B, 0x06: 0x52, 0x07: 0xE4, 0x08: 0xC0, 0x0A: 0x41, 0x10: VERSION}
_TABLE |= {0x11: 0x9F, 0x12: 0x09, 0x13: 0x1A, 0x18: 0x08, 0x19: 0x86, 0x1A: 0x8A, 0x1B: 0x40, 0x1C: 0x80, 0x1D: 0x06}
_TABLE |= {0x1E: 0x10, 0x23: 0x02, 0x24: 0xFF, 0x26: 0x05, 0x29: 0xFF, 0x2D: 0x03, 0x2E: 0x98, 0x37: 0x10, 0x38: 0x40}
_TABLE |= {0x3C: 0x0F, 0x3D: 0x02, 0x4E: 0x01, 0x58: 0x1B, 0x6F: 0x30} | {0x2F + at: 0x00 for at in range(8)}
AT_RESET: Final = _TABLE
"""Registers behind a reset; those that are not here are 0."""


class Rfm69:
    """One chip. ``set_dio1(level)`` drives DIO1; ``registers`` is what stands in it, for a test to look at."""

    def __init__(self, air: Air, noise_s: float, set_dio1: Callable[[bool], None]) -> None:
        self._air = air
        self._set_dio1 = set_dio1
        self._receiver = Receiver(air, noise_s, self._synced, self._received)
        self._ready_alarm = air.clock.create_alarm(self._mode_ready)
        self._tx_alarm = air.clock.create_alarm(self._tx_next)
        self.overruns = 0
        self.power_on()

    def power_on(self) -> None:
        """All registers as the data sheet has them behind a reset, standby."""
        self.registers = bytearray(0x80)
        for address, value in AT_RESET.items():
            self.registers[address] = value
        self._fifo = bytearray()
        self._address: int | None = None
        self._writing = False
        self._flags_2 = 0  # overrun, sent
        self._sync_match = False
        self._is_ready = True
        self._held_in_reset = False
        self._sending: Transmission | None = None
        self._head = b""
        self._receiver.stop()
        self._ready_alarm.cancel()
        self._tx_alarm.cancel()
        self._dio1: bool | None = None
        self._update_dio1()

    def reset_line(self, level: bool) -> None:
        """The RESET pin: high for 100 us or more resets; the chip answers again when it is low."""
        if level:
            self._end_sending()
            self.power_on()
        self._held_in_reset = level

    @property
    def tuning(self) -> Tuning:
        """Frequency, bit rate and deviation that the registers ask for."""
        told = self.registers
        carrier = (told[7] << 16 | told[8] << 8 | told[9]) * _STEP_HZ
        rate = (told[3] << 8 | told[4]) or 1
        return Tuning(carrier / 1e3, _CRYSTAL_HZ / rate, (told[5] << 8 | told[6]) * _STEP_HZ / 1e3)

    @property
    def mode(self) -> int:
        """Operating mode, RegOpMode bits 4-2."""
        return self.registers[_OP_MODE] >> 2 & 7

    # --- the bus ---

    def select(self, selected: bool) -> None:
        """An access begins or ends with NSS."""
        self._address = None

    def exchange(self, byte: int, clock_hz: float) -> int:
        """First byte: write bit and address; then data, the address going up except in the FIFO. 10 MHz at most."""
        if self._held_in_reset or clock_hz > 10e6:
            return 0
        if self._address is None:
            self._address, self._writing = byte & 0x7F, bool(byte & 0x80)
            return 0
        address = self._address
        if address != _FIFO:
            self._address = (address + 1) & 0x7F
        if not self._writing:
            return self._read(address)
        self._write(address, byte)
        return 0

    def _read(self, address: int) -> int:
        if address == _FIFO:
            byte = self._fifo.pop(0) if self._fifo else 0
            self._update_dio1()
            return byte
        if address == _IRQ_1:
            mode_bits = {RECEIVE: _RX_READY, TRANSMIT: _TX_READY}.get(self.mode, 0)
            return (_MODE_READY | mode_bits if self._is_ready else 0) | (_SYNC_MATCH if self._sync_match else 0)
        if address == _IRQ_2:
            return self._flags()
        if address == _RSSI:
            if self.mode != RECEIVE or not self._is_ready:
                return 0xFF
            return min(255, max(0, round(-2 * self._air.level_dbm(self.tuning))))
        return self.registers[address]

    def _flags(self) -> int:
        level = self.registers[0x3C] & 0x7F
        count = len(self._fifo)
        fill = (_FIFO_FULL if count >= FIFO_BYTES else 0) | (_NOT_EMPTY if count else 0)
        return self._flags_2 | fill | (_ABOVE_LEVEL if count > level else 0)

    def _write(self, address: int, value: int) -> None:
        if address == _FIFO:
            if len(self._fifo) < FIFO_BYTES:
                self._fifo.append(value)
            else:
                self._overrun()
        elif address == _IRQ_2:
            if value & _OVERRUN:
                self._fifo.clear()
                self._flags_2 &= ~_OVERRUN
        elif address == _OP_MODE:
            before, self.registers[address] = self.mode, value
            if self.mode != before:
                self._change_mode()
        elif address not in (0x10, _IRQ_1, _RSSI):
            self.registers[address] = value
        self._update_dio1()

    def _overrun(self) -> None:
        self.overruns += 1
        self._fifo.clear()
        self._flags_2 |= _OVERRUN

    # --- modes ---

    def _change_mode(self) -> None:
        self._receiver.stop()
        self._tx_alarm.cancel()
        self._end_sending()
        self._sync_match = False
        self._flags_2 &= ~_SENT
        self._is_ready = False
        if self.mode == RECEIVE:
            self._fifo.clear()
        self._ready_alarm.schedule({RECEIVE: _RX_NS, TRANSMIT: _TX_NS}.get(self.mode, 10_000))

    def _mode_ready(self) -> None:
        self._is_ready = True
        unlimited = not self.registers[0x37] & 0x80 and self.registers[0x38] == 0
        count = (self.registers[0x2E] >> 3 & 7) + 1
        sync = bytes(self.registers[0x2F : 0x2F + count])
        if self.mode == RECEIVE and unlimited and self.registers[0x2E] & 0x80:
            self._receiver.search(self.tuning, sync)
        elif self.mode == TRANSMIT:
            preamble = self.registers[0x2C] << 8 | self.registers[0x2D]
            self._head = b"\xaa" * preamble + (sync if self.registers[0x2E] & 0x80 else b"")
            self._tx_alarm.schedule(0)

    def _update_dio1(self) -> None:
        """FifoLevel, FifoFull or FifoNotEmpty as RegDioMapping1 says; other signals are not here."""
        shown = (_ABOVE_LEVEL, _FIFO_FULL, _NOT_EMPTY, 0)[self.registers[_DIO_MAPPING] >> 4 & 3]
        level = bool(self._flags() & shown)
        if level != self._dio1:
            self._dio1 = level
            self._set_dio1(level)

    # --- receiving ---

    def _synced(self) -> None:
        self._sync_match = True

    def _received(self, byte: int) -> None:
        if len(self._fifo) >= FIFO_BYTES:
            self._overrun()
        else:
            self._fifo.append(byte)
        self._update_dio1()

    # --- sending ---

    def _tx_next(self) -> None:
        """A byte goes out; behind the last of the FIFO the packet is sent."""
        if not self._head and not self._fifo:
            self._end_sending()
            self._flags_2 |= _SENT
            return
        if self._head:
            byte, self._head = self._head[0], self._head[1:]
        else:
            byte = self._fifo.pop(0)
            self._update_dio1()
        if self._sending is None:
            self._sending = self._air.begin("board", self.tuning, _TX_DBM, b"", whole=False)
        self._sending.data.append(byte)
        self._tx_alarm.schedule(8e9 / self.tuning.bit_rate)

    def _end_sending(self) -> None:
        if self._sending is not None:
            self._air.end(self._sending)
            self._sending = None
