# What the records carry: field, struct code, lowest and highest value. Little-endian; both ends import this one table.
# A name carries its unit: t_us is the board's own monotonic clock in microseconds since it started.
import struct

from ._compat import const

U8 = const(0xFF)
U16 = const(0xFFFF)
U32 = const(0xFFFFFFFF)
U64 = 0xFFFFFFFFFFFFFFFF
I16 = const(0x7FFF)
I64 = 0x7FFFFFFFFFFFFFFF
_U63 = I64  # counters and times stay positive as signed numbers too


class RangeError(ValueError):
    """A field outside the range its record allows, or a payload of the wrong length."""


class Layout:
    """One kind of record. fields: (name, struct code, low, high); tail: name of a UTF-8 text that fills the rest."""

    def __init__(self, kind, name, fields, tail=None):
        self.kind = kind
        self.name = name
        self.fields = fields
        self.tail = tail
        self.format = "<" + "".join([field[1] for field in fields])
        self.size = struct.calcsize(self.format)

    def pack(self, *values):
        """Payload from values in the order of the fields (tail last); RangeError names the field that does not fit."""
        for field, value in zip(self.fields, values):
            if not field[2] <= value <= field[3]:  # MicroPython's struct would truncate in silence
                raise RangeError("%s.%s: %d..%d, not %r" % (self.name, field[0], field[2], field[3], value))
        count = len(self.fields)
        payload = struct.pack(self.format, *values[:count])
        return payload + values[count].encode() if self.tail else payload

    def unpack(self, payload):
        """Values of a payload in the order of the fields (tail last, as str); RangeError when it does not fit."""
        if len(payload) < self.size or (len(payload) > self.size and not self.tail):
            raise RangeError("%s: %d bytes, not %d" % (self.name, self.size, len(payload)))
        values = struct.unpack(self.format, payload[: self.size])
        for field, value in zip(self.fields, values):
            if not field[2] <= value <= field[3]:
                raise RangeError("%s.%s: %d..%d, not %r" % (self.name, field[0], field[2], field[3], value))
        if not self.tail:
            return values
        try:
            return values + (str(payload[self.size :], "utf-8"),)
        except UnicodeError:
            raise RangeError("%s.%s: not UTF-8" % (self.name, self.tail))


# --- towards the host -------------------------------------------------------------------------------------------

CHIP_RP2040 = const(1)
CHIP_RP2350 = const(2)

HELLO = Layout(
    0x01,
    "hello",
    (
        ("wire_version", "B", 1, U8),
        ("firmware_major", "B", 0, U8),
        ("firmware_minor", "B", 0, U8),
        ("firmware_patch", "B", 0, U8),
        ("micropython_major", "B", 0, U8),
        ("micropython_minor", "B", 0, U8),
        ("micropython_patch", "B", 0, U8),
        ("chip", "B", 0, U8),  # CHIP_*; 0: something else
        ("reset_cause", "B", 0, U8),  # machine.reset_cause(): 1 power on, 3 watchdog or reset by program
        ("clamp_ports", "B", 0, U8),  # bit n: port n+1 is sampled as a clamp
        ("pulse_ports", "B", 0, U8),  # bit n: port n+1 counts pulses
        ("boot_id", "I", 1, U32),  # random; another one means that the board's counters began at zero again
        ("uid", "Q", 0, U64),  # the chip's unique id
        ("rate_hz", "I", 1, 500000),  # samples a second of each clamp
        ("window_samples", "I", 1, 1 << 20),  # samples of each clamp in one window
        ("min_width_us", "I", 0, 1000000),  # a pulse level shorter than this is bounce
        ("t_us", "Q", 0, _U63),
    ),
    tail="model",  # sys.implementation._machine
)

# Flags of a clamp window.
CLIPPED = const(1)  # the wave touched an end of the converter: the current was higher than reported
GAP = const(2)  # samples were lost since the last window
NO_SIGNAL = const(4)  # every sample was the same code: the input is not connected to a converter that works

CLAMP = Layout(
    0x02,
    "clamp",
    (
        ("port", "B", 1, 6),
        ("flags", "B", 0, U8),  # CLIPPED, GAP, NO_SIGNAL
        ("t_us", "Q", 0, _U63),  # end of the window
        ("gap_samples", "I", 0, U32),  # samples of this clamp lost since boot
        # From here on the bytes are metering_window_t of native/metering/metering.h, as the core wrote them.
        ("charge", "Q", 0, _U63),  # running total since boot of rms x time, in 1/1024 LSB x ms
        ("sum_sq", "Q", 0, _U63),  # LSB^2, of codes centred on 2048
        ("sum_", "q", -I64, I64),  # LSB
        ("samples", "I", 1, 1 << 20),
        ("low", "h", -2048, 2047),  # LSB, lowest and highest sample of the window
        ("high", "h", -2048, 2047),
    ),
)

PULSE = Layout(
    0x03,
    "pulse",
    (
        ("port", "B", 1, 6),
        ("t_us", "Q", 0, _U63),  # when this record was made
        ("count", "Q", 0, _U63),  # pulses since boot
        ("edge_us", "Q", 0, _U63),  # when the last pulse began; 0: none yet
        ("interval_us", "Q", 0, _U63),  # between the last two pulses; 0: fewer than two yet
        ("rejected", "I", 0, U32),  # edges since boot that were bounce
    ),
)

HEALTH = Layout(
    0x04,
    "health",
    (
        ("t_us", "Q", 0, _U63),
        ("heap_free", "I", 0, U32),  # bytes, after a collection
        ("heap_used", "I", 0, U32),  # bytes
        ("busy_us", "I", 0, U32),  # time spent folding samples since the last health record
        ("backlog_samples", "I", 0, U32),  # most samples that ever waited in the ring since the last health record
        ("ring_samples", "I", 0, U32),  # what the ring holds
        ("records_dropped", "I", 0, U32),  # records since boot that the host did not read in time
        ("lines_dropped", "I", 0, U32),  # damaged lines from the host since boot
    ),
)

LOG_INFO = const(1)
LOG_WARNING = const(2)
LOG_ERROR = const(3)
LOG = Layout(0x05, "log", (("level", "B", 1, 3), ("t_us", "Q", 0, _U63)), tail="text")

# --- towards the board ------------------------------------------------------------------------------------------

# Conversions a second of all clamps together. Below, the converter's 16-bit divider ends (48 MHz / 65536); above, the ring
# would last less than two and a half turns of the sampling timer.
MIN_CONVERSIONS_HZ = const(733)
MAX_CONVERSIONS_HZ = const(120000)

GREET = Layout(0x80, "greet", ())  # asks for a hello

SETTINGS = Layout(
    0x81,
    "settings",
    (
        ("rate_hz", "I", 100, 100000),
        ("clamp_ports", "B", 0, 0b000111),
        ("pulse_ports", "B", 0, 0b011110),
        ("min_width_us", "I", 0, 1000000),
    ),
)

TO_HOST = {layout.kind: layout for layout in (HELLO, CLAMP, PULSE, HEALTH, LOG)}
TO_BOARD = {layout.kind: layout for layout in (GREET, SETTINGS)}
