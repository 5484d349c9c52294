# A kind of record: which fields it has, packed and unpacked with their ranges checked. Little-endian.
import struct

_I63 = 0x7FFFFFFFFFFFFFFF
# The highest value where a field names no range; the lowest is 0, or for q as far below it. Counters and times stay positive as
# signed numbers too.
_HIGHEST = {"B": 0xFF, "H": 0xFFFF, "I": 0xFFFFFFFF, "Q": _I63, "q": _I63}


class RangeError(ValueError):
    """A field outside the range its record allows, or a payload of the wrong length."""


def _parsed(text):
    # One string takes a sixth of the memory that tuples would take; a board pays for each byte.
    for field in text.split(","):
        words = field.split()
        if not words:
            continue
        code = words[1]
        if len(words) > 2:
            low, high = [int(limit) for limit in words[2].split("..")]
        else:
            high = _HIGHEST[code]
            low = -high if code == "q" else 0
        yield words[0], code, low, high


class Layout:
    """One kind of record. fields: "name code low..high, ..." with struct codes; tail: name of the rest: UTF-8 text, or bytes."""

    def __init__(self, kind, name, fields, tail=None, text=True):
        self.kind = kind
        self.name = name
        self.tail = tail
        self.text = text
        self._fields = fields
        limits, self.format = [], "<"
        for _name, code, low, high in _parsed(fields):
            self.format += code
            limits += (low, high)
        self._limits = tuple(limits)
        self.size = struct.calcsize(self.format)

    @property
    def fields(self):
        """((name, struct code, low, high), ...), made anew each time."""
        return tuple(_parsed(self._fields))

    def _check(self, values):
        for index in range(len(self.format) - 1):
            value, low, high = values[index], self._limits[2 * index], self._limits[2 * index + 1]
            if not low <= value <= high:  # MicroPython's struct would truncate in silence
                raise RangeError("%s.%s: %d..%d, not %r" % (self.name, self.fields[index][0], low, high, value))

    def pack(self, *values):
        """Payload from values in the order of the fields (tail last); RangeError names the field that does not fit."""
        self._check(values)
        count = len(self.format) - 1
        payload = struct.pack(self.format, *values[:count])
        if not self.tail:
            return payload
        return payload + (values[count].encode() if self.text else values[count])

    def unpack(self, payload):
        """Values of a payload in the order of the fields (tail last, as str or bytes); RangeError when it does not fit."""
        if len(payload) < self.size or (len(payload) > self.size and not self.tail):
            raise RangeError("%s: %d bytes, not %d" % (self.name, self.size, len(payload)))
        values = struct.unpack(self.format, payload[: self.size])
        self._check(values)
        if not self.tail:
            return values
        if not self.text:
            return values + (bytes(payload[self.size :]),)
        try:
            return values + (str(payload[self.size :], "utf-8"),)
        except UnicodeError:
            raise RangeError("%s.%s: not UTF-8" % (self.name, self.tail))
