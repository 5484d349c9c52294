# RFM12B: words of 16 bits over SPI. Its interrupt line is low while its FIFO holds a byte or its transmitter wants one; the
# hard interrupt moves that byte, and answers a frame that asks for an ack as soon as it is whole.
# Source: HopeRF, RFM12B data sheet ("Control commands", "Status read command").
from array import array

import micropython

from shared._compat import const
from shared.rf12 import MAX_PAYLOAD
from shared.rf_chips import FIFO_OFF, FIFO_ON, IDLE, RECEIVE, TRANSMIT, rfm12b_words
from shared.terminal_records import RADIO_RFM12B

from .radio_frames import WHOLE

# First byte of the status: bits 15, 14 and 13, 9, 8.
_READY = const(0x80)
_LOST = const(0x60)
_FIFO_EMPTY = const(0x02)
_BUSY = const(0x01)
_TX_BYTE = const(0xB8)
_RECEIVE_HIGH = const(0x82)  # the two bytes of RECEIVE
_RECEIVE_LOW = const(0x81)
_ROUNDS = const(3)  # bytes of one interrupt: both of the FIFO, and one that came meanwhile
_IDLE_ROUNDS = const(64)  # interrupts without a byte in a row: the line is not the chip's
# Places in the state that the interrupt looks at for each byte.
_HELD = const(0)
_MODE = const(1)
_OPEN = const(2)
_CALLS = const(3)
_IDLE_CALLS = const(4)
_OUT_AT = const(5)
_OUT_END = const(6)
# state[_MODE]
_OFF = const(0)
_RECEIVING = const(1)
_SENDING = const(2)
_BURST = const(64)
_BURST_US = const(8000)  # so many interrupts take 10 ms at 49261 bit/s; faster is no radio


class Rfm12b:
    """pins: exchange(out, into), select(level), irq_level(), irq(handler or None, rising). wake() sets the task's flag."""

    chip = RADIO_RFM12B

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
        self._ask, self._answer = bytes(3), bytearray(3)
        self._word, self._word_answer = bytearray(2), bytearray(2)
        # state[_HELD]: the task talks to the chip; the interrupt keeps out, and the task looks at the line behind it.
        self._state = array("i", [0] * 7)
        self.lost = False  # the chip has forgotten its setting, or a byte was lost: set it up again
        self.storm = False  # the line moved more than any radio does; its interrupt is off
        self.acks = 0
        self._packet = bytearray(MAX_PAYLOAD + 11)
        self._out = self._packet  # what is being sent: this or the ack
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
        """All words anew, receiver on; whether a chip answers."""
        state = self._state
        state[_HELD] = 1
        state[_MODE], state[_OPEN], state[_CALLS], state[_IDLE_CALLS] = _OFF, 0, 0, 0
        self.lost = self.storm = False
        self._burst_began = self._ticks_us()
        self._ack_ms = len(self._inbox.ack) * 8000 // air.bit_rate + 1
        self._inbox.tune(group)
        self._send_word(0)  # reads the status, which takes power-on and loss off it
        for word in rfm12b_words(air, group):
            self._send_word(word)
        self._send_word(FIFO_OFF)
        self._send_word(0)
        # Empty FIFO, no power-on: neither a line that is always low nor one that is always high.
        there = self._word_answer[0] & (_READY | _LOST | _FIFO_EMPTY) == _FIFO_EMPTY
        if there:
            self._receive()
            self._irq(self.on_irq, False)
        self._release()
        return there

    def listen(self, group):
        """Another group from now on; what is being received or sent is cut."""
        self._state[_HELD] = 1
        self._inbox.tune(group)
        self._send_word(FIFO_OFF)
        self._send_word(0xCE00 | group)
        self._receive()
        self._release()

    def halt(self):
        """Off, and no interrupt."""
        self._irq(None, False)
        self._state[_HELD] = 1
        self._send_word(IDLE)
        self._state[_MODE] = self._state[_OPEN] = self._state[_HELD] = 0

    def busy(self):
        """Whether to wait before sending: a frame comes or goes, the air is loud, or the chip has forgotten its setting."""
        if self.open or self.sending:
            return True
        return bool(self._status() & _BUSY) or self.lost

    def look(self):
        """Now and then: whether the chip is still there, unless just the first bits of a frame come. Sets ``lost``; an edge
        that was missed is served.
        """
        if self.open or self.sending:
            return True
        status = self._status()
        return bool(status & _FIFO_EMPTY) != bool(status & _READY)

    def transmit(self, framed):
        """Begins to send what rf12.on_air() made of a frame; False: something comes or goes just now."""
        self._state[_HELD] = 1
        free = not (self.open or self.sending)
        if free:
            self._packet[: len(framed)] = framed
            self._send_word(FIFO_OFF)
            self._begin(self._packet, len(framed), 0)
        self._release()
        return free

    @micropython.native  # no timer's callback comes between
    def _status(self):
        self._state[_HELD] = 1
        self._send_word(0)
        status = self._word_answer[0]
        if status & _LOST:  # reading has cleared it: the interrupt will not see it
            self.lost = True
        self._release()
        return status

    @micropython.native
    def _release(self):
        # The line may have fallen meanwhile: its edge is gone, but its level is there.
        state = self._state
        state[_HELD] = 0
        if state[_MODE]:
            for _ in range(_ROUNDS):
                if self._irq_level():
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
        if self._irq_level():
            self._other(0)  # an edge, and nothing behind it
        else:
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
        self._irq(None, False)
        self.storm = True
        self._wake()

    @micropython.viper
    def _serve(self):
        state = ptr32(self._state)
        into = self._answer
        answer = ptr8(into)
        select = self._select
        rounds = 0
        while rounds < _ROUNDS:
            rounds += 1
            if state[_MODE] == _SENDING:
                state[_IDLE_CALLS] = 0
                self._feed()  # at 49261 bit/s there is no time to ask first
                if self._irq_level():
                    return
            select(0)
            self._exchange(self._ask, into)  # status, and behind it the FIFO
            select(1)
            status = answer[0]
            if status & _LOST or not (status & _READY):
                self._other(status)
                return
            state[_IDLE_CALLS] = 0
            if state[_MODE] == _RECEIVING:
                state[_OPEN] = 1
                told = int(self._inbox.push(answer[2]))
                if told:
                    self._end(told)
            if self._irq_level():
                return

    def _other(self, status):
        # The line called for something else than a byte.
        if status & _LOST:
            self.lost = True
            self._wake()
            return
        state = self._state
        state[_IDLE_CALLS] += 1
        if state[_IDLE_CALLS] > _IDLE_ROUNDS:
            self._give_up()

    @micropython.native
    def _end(self, told):
        self._send_word(FIFO_OFF)  # at once: noise behind the frame would fill it
        self._state[_OPEN] = 0
        inbox = self._inbox
        if told == WHOLE:
            acks = not inbox.full and inbox.wants_ack() is not None and self._air_time.take_ack(self._ack_ms)
            if acks:
                self._begin(inbox.ack, len(inbox.ack), 1)
            inbox.keep(self._ticks_us(), 0, acks)
            self._wake()
            if acks:
                return
        inbox.begin()
        self._send_word(FIFO_ON)

    def _begin(self, out, end, is_ack):
        state = self._state
        self._out, self._is_ack = out, is_ack
        state[_OUT_AT], state[_OUT_END] = 0, end
        state[_OPEN], state[_MODE] = 0, _SENDING
        self._send_word(TRANSMIT)

    @micropython.viper
    def _feed(self):
        state = ptr32(self._state)
        at = state[_OUT_AT]
        word = ptr8(self._word)
        out = ptr8(self._out)
        if at < state[_OUT_END]:
            word[0] = _TX_BYTE
            word[1] = out[at]
        else:  # the last byte is in the transmitter, all before it have left: off, within that byte's time
            word[0] = _RECEIVE_HIGH
            word[1] = _RECEIVE_LOW
        select = self._select
        select(0)
        self._exchange(self._word, self._word_answer)
        select(1)
        state[_OUT_AT] = at + 1
        if at >= state[_OUT_END]:
            self._sent()

    def _sent(self):
        self.acks += self._is_ack
        self._send_word(0)  # should it have run dry at its end, that is no fault
        self._receive()
        self._wake()

    def _receive(self):
        state = self._state
        state[_OPEN] = 0
        self._inbox.begin()
        self._send_word(RECEIVE)
        self._send_word(FIFO_OFF)
        self._send_word(FIFO_ON)
        state[_MODE] = _RECEIVING

    @micropython.native
    def _send_word(self, word):
        self._word[0] = word >> 8
        self._word[1] = word & 0xFF
        self._select(0)
        self._exchange(self._word, self._word_answer)
        self._select(1)
