# RFM69CW in place of an RFM12B: registers over SPI. Its line DIO1 is high while its FIFO of 66 bytes holds four or more
# (FifoLevel). The hard interrupt fetches them four by four, brings what a long packet has left, and acknowledges.
# Source: HopeRF, RFM69CW data sheet ("Packet mode", "DIO pins mapping", "Configuration and status registers").
from array import array

import micropython

from shared._compat import const
from shared.rf_chips import STANDBY, rfm69_registers
from shared.terminal_records import RADIO_RFM69

from .radio_frames import WHOLE

VERSION = const(0x10)
VERSION_IS = const(0x24)
_FIFO = const(0x00)
_MODE_REGISTER = const(0x01)
_RSSI = const(0x24)
_DIO = const(0x25)
_FLAGS = const(0x28)
_SYNC_GROUP = const(0x30)
_WRITE = const(0x80)
_RECEIVE = const(0x10)  # RegOpMode
_TRANSMIT = const(0x0C)
_FIFO_LEVEL = const(0x00)  # RegDioMapping1: FifoLevel on DIO1, in all modes
_ABOVE_LEVEL = const(0x20)  # RegIrqFlags2
_OVERRUN = const(0x10)
_SENT = const(0x08)
_CHIPS_OWN = const(5)  # bytes on the air that the chip sends itself: preamble, sync byte, group
_PIECE = const(4)  # bytes: RegFifoThresh is 3. No frame is shorter; noise behind a frame fills its last piece.
_FIFO_BYTES = const(66)
_REST = const(16)  # bytes of a packet too long for the FIFO that are brought while it goes out
# The line falls as the fourth byte from the end begins. By then the frame is out and one byte of this.
_TAIL = b"\xaa" * 5
_ROUNDS = const(20)
_IDLE_CALLS_MAX = const(64)  # interrupts with nothing to do in a row: the line is not the chip's
_BURST = const(64)
_BURST_US = const(20000)  # so many pieces take 41 ms at 49261 bit/s; faster is no radio
# Places in the state that the interrupt looks at.
_HELD = const(0)
_MODE = const(1)
_OPEN = const(2)
_CALLS = const(3)
_IDLE_CALLS = const(4)
# state[_MODE]
_OFF = const(0)
_RECEIVING = const(1)
_SENDING = const(2)


class Rfm69:
    """pins: exchange(out, into), select(level), irq_level(), irq(handler or None, rising). wake() sets the task's flag."""

    chip = RADIO_RFM69

    def __init__(self, pins, inbox, air_time, ticks_us, ticks_diff, wake):
        self._exchange = pins.exchange
        self._select = pins.select
        self._irq_level = pins.irq_level
        self._irq = pins.irq
        self._inbox = inbox
        self._air_time = air_time
        self._ticks_us = ticks_us
        self._ticks_diff = ticks_diff
        self._wake = wake
        self._pair, self._answer = bytearray(2), bytearray(2)
        self._ask_flags, self._flags = bytes((_FLAGS, 0)), bytearray(2)
        self._ask_piece, self._piece = bytes(_PIECE + 1), bytearray(_PIECE + 1)
        self._ack_out = bytearray((_FIFO | _WRITE, 0, 0, 0, 0)) + _TAIL
        self._ack_answer = bytearray(len(self._ack_out))
        self._rest = self._rest_answer = None  # of a packet that is being sent
        # state[_HELD]: the task talks to the chip; the interrupt keeps out, and the task looks at the line behind it. What
        # runs meanwhile is machine code: no timer's callback and no collection comes between.
        self._state = array("i", [0] * 5)
        self.lost = False  # a packet was cut, or the chip has forgotten its setting: set it up again
        self.storm = False  # the line moved more than any radio does; its interrupt is off
        self.acks = 0
        self._group = 1
        self._busy_raw = 255
        self._byte_us = 1000
        self._began = 0  # ticks of the sync word
        self._rssi_dbm = 0
        self._is_ack = 0
        self._ack_ms = 0
        self._burst_began = 0
        self.on_irq = self._on_irq  # bound once: binding allocates

    @property
    def open(self):
        """A frame has begun."""
        return bool(self._state[_OPEN])

    @property
    def sending(self):
        """A packet or an ack goes out."""
        return self._state[_MODE] == _SENDING

    # --- task ---

    def set_up(self, air, group):
        """All registers anew, receiver on; whether a chip answers."""
        state = self._state
        state[_HELD] = 1
        state[_MODE], state[_OPEN], state[_CALLS], state[_IDLE_CALLS] = _OFF, 0, 0, 0
        there = self._read(VERSION) == VERSION_IS
        if there:
            self.lost = self.storm = False
            self._burst_began = self._ticks_us()
            self._group = group
            self._busy_raw = -2 * air.busy_dbm
            self._byte_us = 8000000 // air.bit_rate
            self._ack_ms = len(self._inbox.ack) * 8000 // air.bit_rate + 1
            self._inbox.tune(group)
            for address, value in rfm69_registers(air, group):
                self._write(address, value)
            self._write(_DIO, _FIFO_LEVEL)
            self._receive()
        self._release()
        return there

    def listen(self, group):
        """Another group from now on; what is being received or sent is cut."""
        self._state[_HELD] = 1
        self._group = group
        self._inbox.tune(group)
        self._state[_MODE] = _OFF
        self._receive()
        self._release()

    def halt(self):
        """Off, and no interrupt."""
        self._irq(None, True)
        self._state[_HELD] = 1
        self._write(_MODE_REGISTER, STANDBY)
        self._state[_MODE] = self._state[_OPEN] = self._state[_HELD] = 0

    @micropython.native
    def busy(self):
        """Whether to wait before sending: a frame comes or goes, the air is loud, or the chip has forgotten its setting."""
        state = self._state
        if state[_OPEN] or state[_MODE] == _SENDING:
            return True
        state[_HELD] = 1
        loud = self._read(_RSSI) <= self._busy_raw
        if self._read(_MODE_REGISTER) != _RECEIVE:
            self.lost = True
        self._release()
        return loud or self.lost

    @micropython.native
    def look(self):
        """Now and then: whether the chip is still there. Sets ``lost`` when its registers are not ours; an edge that was missed
        is served.
        """
        state = self._state
        if state[_OPEN] or state[_MODE] == _SENDING:
            return True
        state[_HELD] = 1
        there = self._read(VERSION) == VERSION_IS
        if self._read(_SYNC_GROUP) != self._group or self._read(_MODE_REGISTER) != _RECEIVE:
            self.lost = True
        self._release()
        return there

    def transmit(self, framed):
        """Begins to send what rf12.on_air() made of a frame; False: something comes or goes just now."""
        out = bytes((_FIFO | _WRITE,)) + framed[_CHIPS_OWN:-1] + _TAIL
        rest = None
        if len(out) > _FIFO_BYTES + 1:
            rest = bytes((_FIFO | _WRITE,)) + out[-_REST:]
            out = out[:-_REST]
        return self._transmit(framed[_CHIPS_OWN - 1], out, bytearray(len(out)), rest, bytearray(_REST + 1))

    @micropython.native
    def _transmit(self, group, out, answer, rest, rest_answer):
        state = self._state
        state[_HELD] = 1
        free = not (state[_OPEN] or state[_MODE] == _SENDING)
        if free:
            self._rest, self._rest_answer = rest, rest_answer
            self._is_ack = 0
            self._write(_MODE_REGISTER, STANDBY)
            self._write(_SYNC_GROUP, group)
            self._begin(out, answer)
        self._release()
        return free

    @micropython.native
    def _release(self):
        # The line may have moved meanwhile: its edge is gone, but its level is there.
        state = self._state
        state[_HELD] = 0
        for _ in range(_ROUNDS):
            if not state[_MODE] or self._irq_level() != (state[_MODE] == _RECEIVING):
                break
            state[_HELD] = 1
            self._serve()
            state[_HELD] = 0

    # --- interrupt (and the task, while it holds the chip) ---

    @micropython.viper
    def _on_irq(self, _pin):  # hard interrupt: no allocation, no wait
        state = ptr32(self._state)
        if state[_HELD]:
            return
        calls = state[_CALLS] + 1
        state[_CALLS] = calls
        if calls >= _BURST and self._bursts():
            return
        self._serve()

    def _bursts(self):
        # So many interrupts: too fast for a radio?
        now = self._ticks_us()
        if self._ticks_diff(now, self._burst_began) < _BURST_US:
            self._give_up()
            return True
        self._burst_began = now
        self._state[_CALLS] = 0
        return False

    def _give_up(self):
        self._irq(None, True)
        self._state[_MODE] = _OFF
        self.storm = True
        self._wake()

    @micropython.viper
    def _serve(self):
        state = ptr32(self._state)
        if state[_MODE] == _SENDING:
            self._fell()
            return
        flags = ptr8(self._flags)
        piece = ptr8(self._piece)
        select = self._select
        exchange = self._exchange
        state[_IDLE_CALLS] += 1
        while state[_MODE] == _RECEIVING:  # a frame's end ends it too, at the latest behind 70 bytes
            select(0)
            exchange(self._ask_flags, self._flags)
            select(1)
            if flags[1] & _OVERRUN:
                self._ran_over()
                return
            if not flags[1] & _ABOVE_LEVEL:
                break
            state[_IDLE_CALLS] = 0
            if not state[_OPEN]:
                self._opens()
            select(0)
            exchange(self._ask_piece, self._piece)
            select(1)
            at = 1
            while at <= _PIECE:
                told = int(self._inbox.push(piece[at]))
                at += 1
                if told:
                    self._end(told)
                    return
        if state[_IDLE_CALLS] > _IDLE_CALLS_MAX:
            self._give_up()

    @micropython.native
    def _opens(self):
        self._began = self._ticks_us() - _PIECE * self._byte_us
        self._rssi_dbm = -(self._read(_RSSI) >> 1)
        self._state[_OPEN] = 1

    def _ran_over(self):
        # Nobody fetched for 10 ms or more. The chip has emptied its FIFO; what comes now begins inside a frame.
        self._inbox.lost += 1
        self._write(_FLAGS, _OVERRUN)
        self._receive()

    @micropython.native
    def _end(self, told):
        inbox = self._inbox
        acks = False
        if told == WHOLE:
            acks = not inbox.full and inbox.wants_ack() is not None and self._air_time.take_ack(self._ack_ms)
            took_us = inbox.length * self._byte_us
            passed_us = self._ticks_diff(self._ticks_us(), self._began & 0x3FFFFFFF)
            if took_us > passed_us:
                took_us = passed_us
            inbox.keep((self._began + took_us) & 0x3FFFFFFF, self._rssi_dbm, acks)
            self._wake()
        if acks:
            out, ack = self._ack_out, inbox.ack
            for at in range(4):
                out[at + 1] = ack[at + _CHIPS_OWN]
            self._is_ack = 1
            self._rest = None
            inbox.begin()
            self._write(_MODE_REGISTER, STANDBY)
            self._begin(out, self._ack_answer)
        else:
            self._receive()

    @micropython.native
    def _begin(self, out, answer):
        # In standby. The line falls when all but the end has gone.
        state = self._state
        state[_OPEN], state[_MODE] = 0, _SENDING
        self._write(_FLAGS, _OVERRUN)  # empties the FIFO
        self._irq(self.on_irq, False)
        self._transfer(out, answer)
        self._write(_MODE_REGISTER, _TRANSMIT)

    @micropython.native
    def _fell(self):
        if self._irq_level():
            return
        if self._rest is not None:
            self._transfer(self._ask_flags, self._flags)
            if not self._flags[1] & _SENT:
                self._transfer(self._rest, self._rest_answer)
                self._rest = None
                return
            self.lost = True  # it ran dry before its rest came
        self.acks += self._is_ack
        self._receive()
        self._wake()

    @micropython.native
    def _receive(self):
        state = self._state
        self._write(_MODE_REGISTER, STANDBY)
        if state[_MODE] != _RECEIVING:
            self._write(_SYNC_GROUP, self._group)
            self._irq(self.on_irq, True)
        self._inbox.begin()
        state[_OPEN] = 0
        self._write(_MODE_REGISTER, _RECEIVE)  # empties the FIFO
        state[_MODE] = _RECEIVING

    @micropython.native
    def _read(self, address):
        self._pair[0] = address
        self._pair[1] = 0
        self._transfer(self._pair, self._answer)
        return self._answer[1]

    @micropython.native
    def _write(self, address, value):
        self._pair[0] = address | _WRITE
        self._pair[1] = value
        self._transfer(self._pair, self._answer)

    @micropython.native
    def _transfer(self, out, into):
        self._select(0)
        self._exchange(out, into)
        self._select(1)
