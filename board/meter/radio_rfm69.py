# RFM69CW in place of an RFM12B: registers over SPI. Its line DIO0 rises at the sync word, where the interrupt notes time and
# level; the FIFO of 66 bytes is then emptied by the task while it fills, and filled while it empties.
# Source: HopeRF, RFM69CW data sheet ("Packet mode", "Configuration and status registers").
from shared._compat import const
from shared.rf12 import MAX_PAYLOAD
from shared.rf_chips import STANDBY, rfm69_registers
from shared.terminal_records import RADIO_RFM69

from .radio_frames import MORE, WHOLE

VERSION, VERSION_IS = const(0x10), const(0x24)  # RegVersion
_FIFO, _MODE, _RSSI, _DIO, _FLAGS, _SYNC_GROUP = (
    const(0x00),
    const(0x01),
    const(0x24),
    const(0x25),
    const(0x28),
    const(0x30),
)
_WRITE = const(0x80)
_RECEIVE, _TRANSMIT = const(0x10), const(0x0C)  # RegOpMode
_DIO_SYNC, _DIO_SENT = const(0x80), const(0x00)  # RegDioMapping1: SyncAddress while receiving, PacketSent while sending
_FULL, _NOT_EMPTY, _ABOVE_LEVEL, _OVERRUN, _SENT = (
    const(0x80),
    const(0x40),
    const(0x20),
    const(0x10),
    const(0x08),
)  # RegIrqFlags2
_CHIPS_OWN = const(5)  # bytes on the air that the chip sends itself: preamble, sync byte, group
_AT_ONCE = const(16)  # bytes in one transfer: RegFifoThresh is 15
_FIRST = const(66)  # bytes written before sending begins: all that fit
_BURST, _BURST_US = const(32), const(16000)  # so many frames take 50 ms at 49261 bit/s; faster is no radio


class Rfm69:
    """pins and wake as for Rfm12b; poll() must come each millisecond or two while ``active``."""

    chip = RADIO_RFM69

    def __init__(self, pins, inbox, air_time, ticks_us, ticks_diff, wake):
        self._exchange = pins.exchange
        self._select = pins.select
        self._irq = pins.irq
        self._inbox = inbox
        self._air_time = air_time
        self._ticks_us = ticks_us
        self._ticks_diff = ticks_diff
        self._wake = wake
        self._pair, self._answer = bytearray(2), bytearray(2)
        self._ask_rssi, self._rssi_answer = bytes((_RSSI, 0)), bytearray(2)
        self._ask_bytes, self._bytes = bytes(_AT_ONCE + 1), bytearray(_AT_ONCE + 1)
        self._held = False  # the task talks to the chip: the interrupt keeps out
        self._group = 1
        self._busy_raw = 255
        self._byte_us = 1000
        self._sync_ticks = 0
        self._sync_dbm = 0
        self.open = False
        self.sending = False
        self.lost = False
        self.storm = False
        self.acks = 0
        self._packet = bytearray(MAX_PAYLOAD + 11)
        self._out, self._out_at, self._out_end = self._packet, 0, 0
        self._is_ack = 0
        self._ack_ms = 0
        self._calls = 0
        self._burst_began = 0
        self.on_irq = self._on_irq  # bound once: binding allocates

    def set_up(self, air, group):
        """All registers anew, receiver on; whether a chip answers."""
        if self.read(VERSION) != VERSION_IS:
            return False
        self.open = self.sending = self.lost = self.storm = False
        self._calls = 0
        self._burst_began = self._ticks_us()
        self._group = group
        self._busy_raw = -2 * air.busy_dbm
        self._byte_us = 8000000 // air.bit_rate
        self._ack_ms = len(self._inbox.ack) * 8000 // air.bit_rate + 1
        self._inbox.tune(group)
        for address, value in rfm69_registers(air, group):
            self._write(address, value)
        self._receive()
        self._irq(self.on_irq, True)
        return True

    def listen(self, group):
        """Another group from now on; what is being received or sent is cut."""
        self._group = group
        self._inbox.tune(group)
        self.sending = False
        self._receive()

    def halt(self):
        """Off, and no interrupt."""
        self._irq(None, True)
        self._write(_MODE, STANDBY)
        self.open = self.sending = False

    def busy(self):
        """Whether to wait before sending: a frame comes or goes, or the air is loud."""
        return self.open or self.sending or self.read(_RSSI) <= self._busy_raw

    def look(self):
        """Now and then: whether the chip is still there. Sets ``lost`` when its registers are not ours."""
        if self.read(VERSION) != VERSION_IS:
            return False
        if not (self.open or self.sending):
            self.lost = self.lost or self.read(_SYNC_GROUP) != self._group or self.read(_MODE) != _RECEIVE
        return True

    @property
    def active(self):
        """A frame comes or goes: poll."""
        return self.open or self.sending

    def transmit(self, framed):
        """Begins to send what rf12.on_air() made of a frame; False: something comes or goes just now."""
        if self.open or self.sending:
            return False
        self._packet[: len(framed)] = framed
        self._is_ack = 0
        self._begin(self._packet, len(framed))
        return True

    def poll(self):
        """Moves bytes, ends frames, acknowledges."""
        if self.sending:
            self._feed()
        elif self.open:
            self._fetch()

    def _fetch(self):
        flags = self.read(_FLAGS)
        for _ in range(_AT_ONCE):
            if flags & _OVERRUN:
                self.lost = True
                self.open = False
                return
            if not flags & _NOT_EMPTY:
                return
            if flags & _ABOVE_LEVEL:  # so many bytes in one go
                self._transfer(self._ask_bytes, self._bytes)
                told = MORE
                for at in range(1, _AT_ONCE + 1):
                    told = told or self._inbox.push(self._bytes[at])
            else:
                told = self._inbox.push(self.read(_FIFO))
            if told != MORE:
                self._end(told)
                return
            flags = self.read(_FLAGS)

    def _end(self, told):
        inbox, acks = self._inbox, False
        if told == WHOLE:
            acks = not inbox.full and inbox.wants_ack() is not None and self._air_time.take_ack(self._ack_ms)
            took_us = inbox.length * self._byte_us
            ended = self._sync_ticks + min(took_us, self._ticks_diff(self._ticks_us(), self._sync_ticks))
            inbox.keep(ended & 0x3FFFFFFF, self._sync_dbm, acks)
        inbox.begin()
        self.open = False
        if acks:
            self._is_ack = 1
            self._begin(inbox.ack, len(inbox.ack))
        else:
            self._receive()

    def _begin(self, out, end):
        self.sending = True  # from here on the interrupt means another thing
        self._write(_MODE, STANDBY)
        self._write(_FLAGS, _OVERRUN)  # empties the FIFO
        self._write(_DIO, _DIO_SENT)
        self._write(_SYNC_GROUP, out[_CHIPS_OWN - 1])
        self._out, self._out_at, self._out_end = out, _CHIPS_OWN, end
        self._fill(_FIRST)
        self._write(_MODE, _TRANSMIT)

    def _fill(self, most):
        end = min(self._out_at + most, self._out_end)
        piece = bytes((_FIFO | _WRITE,)) + self._out[self._out_at : end]
        self._transfer(piece, bytearray(len(piece)))
        self._out_at = end

    def _feed(self):
        flags = self.read(_FLAGS)
        while self._out_at < self._out_end and not flags & _FULL:
            self._fill(1)
            flags = self.read(_FLAGS)
        if flags & _SENT:
            self.acks += self._is_ack
            self.sending = False
            self._receive()

    def _receive(self):
        self._write(_MODE, STANDBY)
        self._write(_SYNC_GROUP, self._group)
        self._write(_DIO, _DIO_SYNC)
        self._inbox.begin()
        self.open = False
        self._write(_MODE, _RECEIVE)  # empties the FIFO

    def read(self, address):
        """A register."""
        self._pair[0] = address
        self._pair[1] = 0
        self._transfer(self._pair, self._answer)
        return self._answer[1]

    def _write(self, address, value):
        self._pair[0] = address | _WRITE
        self._pair[1] = value
        self._transfer(self._pair, self._answer)

    def _transfer(self, out, into):
        self._held = True
        self._select(0)
        self._exchange(out, into)
        self._select(1)
        self._held = False

    def _on_irq(self, _pin):  # hard interrupt: no allocation, no wait
        now = self._ticks_us()
        calls = self._calls + 1
        if calls == _BURST:
            if self._ticks_diff(now, self._burst_began) < _BURST_US:
                self._irq(None, True)
                self.storm = True
                self._wake()
                return
            self._burst_began = now
            calls = 0
        self._calls = calls
        if not self.sending and not self.open:
            self._sync_ticks = now
            self._sync_dbm = 0
            if not self._held:
                self._select(0)
                self._exchange(self._ask_rssi, self._rssi_answer)
                self._select(1)
                self._sync_dbm = -(self._rssi_answer[1] >> 1)
            self.open = True
        self._wake()
