# A kind of record: which fields it has, packed and unpacked with their ranges checked. Little-endian.
import struct


class RangeError(ValueError):
    """A field outside the range its record allows, or a payload of the wrong length."""


class Layout:
    """One kind of record. fields: (name, struct code, low, high); tail: name of what fills the rest: UTF-8 text, or bytes."""

    def __init__(self, kind, name, fields, tail=None, text=True):
        self.kind = kind
        self.name = name
        self.fields = fields
        self.tail = tail
        self.text = text
        self.format = "<" + "".join([field[1] for field in fields])
        self.size = struct.calcsize(self.format)

    def pack(self, *values):
        """Payload from values in the order of the fields (tail last); RangeError names the field that does not fit."""
        for field, value in zip(self.fields, values):
            if not field[2] <= value <= field[3]:  # MicroPython's struct would truncate in silence
                raise RangeError("%s.%s: %d..%d, not %r" % (self.name, field[0], field[2], field[3], value))
        count = len(self.fields)
        payload = struct.pack(self.format, *values[:count])
        if not self.tail:
            return payload
        return payload + (values[count].encode() if self.text else values[count])

    def unpack(self, payload):
        """Values of a payload in the order of the fields (tail last, as str or bytes); RangeError when it does not fit."""
        if len(payload) < self.size or (len(payload) > self.size and not self.tail):
            raise RangeError("%s: %d bytes, not %d" % (self.name, self.size, len(payload)))
        values = struct.unpack(self.format, payload[: self.size])
        for field, value in zip(self.fields, values):
            if not field[2] <= value <= field[3]:
                raise RangeError("%s.%s: %d..%d, not %r" % (self.name, field[0], field[2], field[3], value))
        if not self.tail:
            return values
        if not self.text:
            return values + (bytes(payload[self.size :]),)
        try:
            return values + (str(payload[self.size :], "utf-8"),)
        except UnicodeError:
            raise RangeError("%s.%s: not UTF-8" % (self.name, self.tail))
