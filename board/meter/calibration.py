# What the host knows of this board and keeps for it: the converter's linearity table, the noise of each clamp, the phase of
# each pair. A fresh board starts without, as an ideal converter, and gets it after its hello.
from array import array
from binascii import crc32

import metering
from shared._compat import const
from shared.layout import RangeError
from shared.records import CALIBRATION, TABLE

_CODES = const(4096)
_STEPS = const(8)  # of one LSB
_MOST = const(16383)  # the core's squares fit 32 bits up to here


class Calibration:
    """table: array('h') of 4096 steps; floor_q20: by port; compensation: (c0, c1) by pair."""

    def __init__(self):
        self.table = array("h", bytearray(2 * _CODES))
        metering.identity(self.table)
        self.table_crc = 0
        self.crc = 0
        self.floor_q20 = (0, 0, 0)
        self.compensation = ((1 << 14, 0),) * 3
        self._coming = None
        self._known = 0  # codes of the coming table that are filled
        self._coming_crc = 0

    def take(self, payload):
        """A calibration record; RangeError when it does not fit."""
        values = CALIBRATION.unpack(payload)
        self.floor_q20 = values[:3]
        self.compensation = tuple([values[at : at + 2] for at in (3, 5, 7)])
        self.crc = crc32(payload)

    @property
    def values(self):
        """Those of the calibration record that is in force."""
        return self.floor_q20 + tuple([value for pair in self.compensation for value in pair])

    def put_table(self, pieces):
        """A whole table that was in force before, as pieces of its bytes; RangeError: it is none. In place: before the ring is
        made, nothing large may come and go."""
        table, at = self.table, 0
        into = memoryview(table)
        for piece in pieces:
            values = array("h", bytes(piece))
            if at + len(values) <= _CODES:
                into[at : at + len(values)] = values
            at += len(values)
        if at != _CODES or max(table) > _MOST or min(table) < -_MOST:
            metering.identity(table)
            raise RangeError("table: not %d values within %d" % (_CODES, _MOST))
        self.table_crc = crc32(table)

    def take_table(self, payload):
        """A piece of a table, pieces in order; True when it was the last and the table is in force. RangeError: not usable."""
        crc, first, value, steps = TABLE.unpack(payload)
        if first == 0:
            self._coming, self._coming_crc, self._known = array("h", range(_CODES)), crc, 0
        if self._coming is None or crc != self._coming_crc or first != self._known or first + len(steps) >= _CODES:
            self._coming = None
            raise RangeError("table: pieces do not fit together")
        table = self._coming
        table[first] = value
        for step in steps:
            first += 1
            value += _STEPS + (step if step < 128 else step - 256)
            if not -_MOST <= value <= _MOST:
                self._coming = None
                raise RangeError("table: a value beyond %d" % _MOST)
            table[first] = value
        self._known = first + 1
        if self._known < _CODES:
            return False
        self._coming = None
        if crc32(table) != crc:
            raise RangeError("table: wrong CRC")
        self.table, self.table_crc = table, crc
        return True
