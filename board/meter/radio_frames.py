# What both radio chips need: frames put together byte by byte, the packets that wait for the task, the ack of a frame, and
# how long we have been on the air. All of it may run in a hard interrupt, except where it says task: nothing allocates.
from array import array

import micropython

from shared._compat import const
from shared.crc16 import TABLE, crc16
from shared.rf12 import ACK, MAX_PAYLOAD, ack_header, on_air

MORE, WHOLE, BAD_CRC, BAD_LENGTH = const(0), const(1), const(2), const(3)  # what Inbox.push answers

SLOTS = const(4)
_SLOT = const(71)  # bytes: group, header, length, payload, CRC
_PAYLOAD_AT = const(3)

_SYNC_GROUP = const(4)  # of an empty frame on the air: where the group is
_EMPTY = on_air(bytes(5))  # of a group, a header, a length of 0 and a CRC, all to be filled in


# Places in Inbox's state: what changes with each byte of a frame.
_AT = const(0)
_DUE = const(1)
_CRC = const(2)
_BASE = const(3)


class Inbox:
    """Frames as a receiver brings them, from the header on: the chip has swallowed sync byte and group. Three wait at most."""

    def __init__(self):
        self._bytes = bytearray(SLOTS * _SLOT)
        self._state = array("i", [0] * 4)
        self._table = array("H", TABLE)
        self._ticks = array("i", [0] * SLOTS)
        self._rssi = array("b", [0] * SLOTS)
        self._acked = bytearray(SLOTS)
        self._newest = 0  # slot that is being filled; moved by the interrupt
        self._oldest = 0  # slot to fetch; moved by the task
        self.received = 0
        self.bad_crc = 0
        self.bad_length = 0
        self.lost = 0  # whole packets that found no free slot
        self.ack = bytearray(_EMPTY)  # on the air, as ack_of() made it last
        self.tune(1)

    def tune(self, group):
        """Task: frames from now on are of this group."""
        self._group = group
        self._first_crc = crc16(0xFFFF, bytes((group,)))
        self.begin()

    def begin(self):
        """Forget what is held of a frame, and await the next."""
        state, base = self._state, self._newest * _SLOT
        self._bytes[base] = self._group
        state[_BASE] = base
        state[_AT] = 1
        state[_DUE] = _PAYLOAD_AT  # then its length is known
        state[_CRC] = self._first_crc

    @micropython.viper
    def push(self, byte: int) -> int:
        """One byte of the frame; answers MORE until it ends. Behind any other answer call begin()."""
        state = ptr32(self._state)
        held = ptr8(self._bytes)
        table = ptr16(self._table)
        at = state[_AT]
        crc = state[_CRC]
        held[state[_BASE] + at] = byte
        state[_CRC] = crc >> 8 ^ table[(crc ^ byte) & 0xFF]
        at += 1
        state[_AT] = at
        if at < state[_DUE]:
            return 0
        return int(self._decide(byte))

    def _decide(self, byte):
        # So many bytes as were due: the head of a frame, or all of it.
        state = self._state
        if state[_AT] == _PAYLOAD_AT:
            if byte <= MAX_PAYLOAD:
                state[_DUE] = byte + _PAYLOAD_AT + 2
                return MORE
            self.bad_length += 1
            return BAD_LENGTH
        if state[_CRC]:
            self.bad_crc += 1
            return BAD_CRC
        self.received += 1
        return WHOLE

    @property
    def length(self):
        """Bytes of the frame so far, from the header on."""
        return self._state[_AT] - 1

    @property
    def full(self):
        """No slot is free: a frame that is whole now can't be kept, and must not be acknowledged."""
        return (self._newest + 1) % SLOTS == self._oldest

    @micropython.native
    def wants_ack(self):
        """Header of the ack that the whole frame asks for; None: none. Makes it in ``ack``."""
        base = self._state[_BASE]
        header = self._bytes[base + 1]
        if not header & ACK:
            return None
        answer = ack_header(header, self._bytes[base + 2])
        if answer is not None:
            made, at = self.ack, _SYNC_GROUP
            made[at] = self._group
            crc = self._first_crc
            crc = crc >> 8 ^ TABLE[(crc ^ answer) & 0xFF]
            crc = crc >> 8 ^ TABLE[crc & 0xFF]
            made[at + 1] = answer
            made[at + 3] = crc & 0xFF
            made[at + 4] = crc >> 8
        return answer

    @micropython.native
    def keep(self, ticks, rssi_dbm, acked):
        """The whole frame goes to the task."""
        at, following = self._newest, (self._newest + 1) % SLOTS
        if following == self._oldest:
            self.lost += 1
            return
        self._ticks[at] = ticks
        self._rssi[at] = rssi_dbm
        self._acked[at] = acked
        self._newest = following

    def take(self):
        """Task: (ticks, group, header, rssi_dbm, acked, payload) of the oldest packet that waits, or None."""
        at = self._oldest
        if at == self._newest:
            return None
        base = at * _SLOT
        start = base + _PAYLOAD_AT
        payload = bytes(self._bytes[start : start + self._bytes[base + 2]])
        packet = (self._ticks[at], self._bytes[base], self._bytes[base + 1], self._rssi[at], self._acked[at], payload)
        self._oldest = (at + 1) % SLOTS
        return packet


_HOUR_MS = const(36000)  # 1 % of an hour, the most that Europe allows at 868.0 to 868.6 MHz (ERC recommendation 70-03)
_BIN_S = const(300)
_BINS = const(12)  # and the one that runs: an hour never has more in it than these thirteen


class AirTime:
    """How long we may still send: at most 36 s in any hour. Acks are the interrupt's to count, the rest is the task's."""

    def __init__(self):
        self.acks_ms = 0  # since boot; only the interrupt writes it
        self._sent_ms = 0  # since boot; only the task
        self._marks = [0] * (_BINS + 1)  # both together at the beginning of the last bins, oldest first
        self._bin = 0
        self.acks_up_to_ms = _HOUR_MS

    def tick(self, now_s):
        """Task, now and then: what is more than an hour ago counts no more."""
        while self._bin < now_s // _BIN_S:
            self._bin += 1
            self._marks.pop(0)
            self._marks.append(self.acks_ms + self._sent_ms)
        self.acks_up_to_ms = self._marks[0] + _HOUR_MS - self._sent_ms

    def take_ack(self, ms):
        """Interrupt: whether an ack of so many ms may be sent; it counts then."""
        if self.acks_ms + ms > self.acks_up_to_ms:
            return False
        self.acks_ms += ms
        return True

    def take(self, ms):
        """Task: whether a packet of so many ms may be sent; it counts then."""
        if self.acks_ms + ms > self.acks_up_to_ms:
            return False
        self._sent_ms += ms
        self.acks_up_to_ms -= ms
        return True
