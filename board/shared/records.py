# What the records carry: field, struct code, lowest and highest value. Little-endian; both ends import this one table.
# A name carries its unit: t_us is the board's own monotonic clock in microseconds since it started.
from ._compat import const
from .layout import Layout

# --- settings: what the host may change, and what the hello shows to be in force ----------------------------------

# Conversions a second of all clamps together. Below, the converter's 16-bit divider ends (48 MHz / 65536); above, a ring of
# 200 ms would not fit beside the rest of the firmware.
MIN_CONVERSIONS_HZ = const(733)
MAX_CONVERSIONS_HZ = const(300000)

PULSE_PORTS = (2, 3, 4, 5)
RADIO_OFF, RADIO_FLUKSO, RADIO_JEENODE = const(0), const(1), const(2)
SERIAL_8N1, SERIAL_8E1, SERIAL_8O1, SERIAL_8N2 = const(0), const(1), const(2), const(3)

_SETTINGS = (
    "rate_hz I 100..100000, "  # samples a second of each clamp
    "clamp_ports B 0..7, "  # bit n: port n+1 is sampled as a clamp
    "pulse_ports B 0..30, "  # bit n: port n+1 counts pulses
    "voltage_port B 0..3, "  # the clamp port that is wired to a voltage; 0: none
    "pairs B 0..7, "  # PAIR_*: products that are reported
    # A pulse level shorter than the width is bounce; after the beginning of a pulse none begins for the gap.
    "width_us_2 I 0..1000000, width_us_3 I 0..1000000, width_us_4 I 0..1000000, width_us_5 I 0..1000000, "
    "gap_us_2 I 0..10000000, gap_us_3 I 0..10000000, gap_us_4 I 0..10000000, gap_us_5 I 0..10000000, "
    "p1 B 0..1, "  # 1: ask the smart meter for telegrams, and read them
    "serial_baud I 0..1000000, "  # RS-485, port 6; 0: off
    "serial_format B 0..3, "  # SERIAL_*
    "radio B 0..2, "  # RADIO_*
    "radio_group B 1..250, "  # that it listens in
    "heartbeat_port B 0..5"  # the pulse port that the heartbeat LED follows; 0: it blinks with each report
)

# --- towards the host -------------------------------------------------------------------------------------------

CHIP_RP2040 = const(1)
CHIP_RP2350 = const(2)

HELLO = Layout(
    0x01,
    "hello",
    (
        "wire_version B 1..255, "
        "firmware_major B, "
        "firmware_minor B, "
        "firmware_patch B, "
        "micropython_major B, "
        "micropython_minor B, "
        "micropython_patch B, "
        "chip B, "  # CHIP_*; 0: something else
        "reset_cause B, "  # 1 power on, 3 watchdog, 4 reset by a program, 5 a fault
        "boot_id I 1..4294967295, "  # random; another one means that the board's counters began at zero again
        "uid Q 0..18446744073709551615, "  # the chip's unique id
    )
    + _SETTINGS
    + (
        ", "
        "table_crc I, "  # CRC-32 of the linearity table in force (4096 x i16); 0: none, an ideal converter
        "calibration_crc I, "  # CRC-32 of the calibration payload in force; 0: none
        "t_us Q, "
    ),
    tail="model",  # sys.implementation._machine
)

# Flags of a clamp window, as the core sets them (native/metering/metering.h).
CLIPPED = const(1)  # the wave came to the converter's end (24 codes): the current may be higher than reported
GAP = const(2)  # samples were lost since the last window
NO_SIGNAL = const(4)  # every sample was the same: the input is not connected to a converter that works
BIAS_MOVED = const(8)  # the mean moved by more than 3 LSB since the window before: a loose plug, or inrush
NO_MAINS = const(16)  # no mains wave was found: the window is no whole number of cycles

# A step is 1/8 LSB, counted from the middle of the converter's range: -16383..16383.
CLAMP = Layout(
    0x02,
    "clamp",
    (
        "port B 1..6, "
        "ports B 1..7, "  # mask of the ports that were sampled together with it
        "rate_hz I 1..500000, "  # samples a second of each
        "t_us Q, "  # end of the window
        "gap_samples I, "  # samples of this clamp lost since boot
        # From here on the bytes are metering_window_t of native/metering/metering.h, as the core wrote them.
        "charge q, "  # running total since boot of signed rms x time, in 1/1024 step x ms
        "sum_sq Q, "  # step^2; a step is 1/8 LSB, counted from code 2048
        "sum_ q, "  # step
        "samples I 1..2147483647, "  # of windows put together; one alone has 131072 at most
        "frequency_mhz I 0..100000, "  # of the mains; 0: unknown
        "low h -16383..16383, "  # step, lowest and highest sample of the window
        "high h -16383..16383, "
        "flags H 0..31, "  # CLIPPED, GAP, NO_SIGNAL, BIAS_MOVED, NO_MAINS
        "cycles H, "  # whole cycles of the mains in the window; 0: unknown
    ),
)

# Pairs of clamp ports whose products are reported, as bits of a mask.
PAIR_1_2, PAIR_1_3, PAIR_2_3 = const(1), const(2), const(4)

PAIR = Layout(
    0x06,
    "pair",
    (
        "a_port B 1..2, "
        "b_port B 2..3, "
        "t_us Q, "  # end of the window, that of the clamp records sent just before
        # From here on the bytes are metering_pair_t, as the core wrote them.
        "import_total q 0..9223372036854775807, "  # running totals since boot of the compensated power x time, 1/16 LSB^2 x ms
        "export_total q 0..9223372036854775807, "
        "product q, "  # mean of a[n] b[n] around their means, 1/16 step^2
        "lagged q, "  # mean of a[n-1] b[n]
        "samples I 1..2147483647, "
        "flags I 0..31, "  # those of both clamps
    ),
)

RAW_CODES = const(125)  # most codes in one raw record: larger pieces would not find room in a heap full of holes
RAW = Layout(
    0x07,
    "raw",
    (
        "port B 1..6, "
        "t_us Q, "  # of the first code of the capture: the same for all its records
        "rate_hz I 1..500000, "
        "first H, "  # place of this record's first code in the capture
        "total H 1..65535, "  # codes of this port in the capture
    ),
    tail="codes",  # u16 each, as the converter gave them
    text=False,
)

PULSE = Layout(
    0x03,
    "pulse",
    (
        "port B 1..6, "
        "t_us Q, "  # when this record was made
        "count Q, "  # pulses since boot
        "edge_us Q, "  # when the last pulse began; 0: none yet
        "interval_us Q, "  # between the last two pulses; 0: fewer than two yet
        "rejected I, "  # edges since boot that were bounce, or came within the gap
        "storms I, "  # times since boot that the input was shut for a moment, because it did nothing but chatter
    ),
)

HEALTH = Layout(
    0x04,
    "health",
    (
        "t_us Q, "
        "heap_free I, "  # bytes, after a collection
        "heap_used I, "  # bytes
        "busy_us I, "  # time spent folding samples since the last health record
        "backlog_samples I, "  # most samples that ever waited in the ring since the last health record
        "ring_samples I, "  # what the ring holds
        "records_dropped I, "  # records since boot that the host did not read in time
        "lines_dropped I, "  # damaged lines from the host since boot
        "kept_bytes I, "  # of records that wait for their acknowledgement
        "records_merged I, "  # kept records since boot that were put together with a later one, for want of room
    ),
)

LOG_INFO = const(1)
LOG_WARNING = const(2)
LOG_ERROR = const(3)
LOG = Layout(0x05, "log", "level B 1..3, t_us Q", tail="text")

EARLIER = Layout(  # what the boot before had measured and the host never acknowledged
    0x0F,
    "earlier",
    "boot_id I 1..4294967295, kind B",  # of the boot that made it, and what it is
    tail="record",  # its payload
    text=False,
)

# --- towards the board ------------------------------------------------------------------------------------------

GREET = Layout(0x80, "greet", "")  # asks for a hello

SETTINGS = Layout(0x81, "settings", _SETTINGS)

CALIBRATION = Layout(
    0x82,
    "calibration",
    # By port: variance of the converter's noise in 2^-20 step^2. By pair (1-2, 1-3, 2-3): power = (c0 product + c1 lagged) / 2^14.
    "floor_1 I 0..2147483647, floor_2 I 0..2147483647, floor_3 I 0..2147483647, "
    "c0_12 i -1048576..1048576, c1_12 i -1048576..1048576, c0_13 i -1048576..1048576, "
    "c1_13 i -1048576..1048576, c0_23 i -1048576..1048576, c1_23 i -1048576..1048576",
)

TABLE_STEPS = const(1000)  # most steps in one table record
TABLE = Layout(
    0x83,
    "table",
    (
        "crc I, "  # of the whole table: 4096 x i16, little-endian
        "first H 0..4095, "  # code of the value
        "value h -16383..16383, "  # step
    ),
    tail="steps",  # for each following code i8: how much more than 8 its value is above that of the code before
    text=False,
)

CAPTURE_CODES = const(8192)  # most codes of all ports in one capture
CAPTURE = Layout(0x84, "capture", "ports B 1..7, sets H 1..8192")

ACK = Layout(
    0x89,
    "ack",
    (
        "boot_id I 1..4294967295, "  # any other board ignores it
        "seq I, "  # every kept record up to this one is stored for good
        "resume B 0..1, "  # 1: send the kept ones behind it, once more if they were sent before
    ),
)

TO_HOST = {layout.kind: layout for layout in (HELLO, CLAMP, PULSE, HEALTH, LOG, PAIR, RAW, EARLIER)}
TO_BOARD = {layout.kind: layout for layout in (GREET, SETTINGS, CALIBRATION, TABLE, CAPTURE, ACK)}
