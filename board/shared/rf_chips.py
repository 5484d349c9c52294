# What is written into an RFM12B or an RFM69CW before it speaks RF12: computed from what the air needs, field by field.
# Sources: HopeRF, RFM12B data sheet, "Control commands"; RFM69CW data sheet, "Configuration and status registers".
from ._compat import const
from .rf12 import GROUPS, SYNC, RadioError, within


class Air:
    """How a network sounds: carrier, bit rate, deviation to each side, receiver's bandwidth, level from which the air is busy."""

    def __init__(self, carrier_khz, bit_rate, deviation_khz, bandwidth_khz, busy_dbm):
        self.carrier_khz = carrier_khz
        self.bit_rate = bit_rate  # bit/s
        self.deviation_khz = deviation_khz
        self.bandwidth_khz = bandwidth_khz  # RFM12B: both sides together
        self.busy_dbm = busy_dbm


FLUKSO = Air(868300, 19157, 90, 200, -91)
JEENODE = Air(868000, 49261, 90, 134, -91)  # JeeLib's default; same frames, but neither hears the other

# --- RFM12B: 16-bit words, most significant bit first -------------------------------------------------------------

IDLE = const(0x8201)  # Power Management: all off, no clock output
RECEIVE = const(0x8281)  # ... receiver chain on
TRANSMIT = const(0x8221)  # ... transmitter on; sends what TX_BYTE brings
TX_BYTE = const(0xB800)  # Transmitter Register Write: + byte
READ_FIFO = const(0xB000)  # Receiver FIFO Read: answers 8 bits behind its first 8
READ_STATUS = const(0x0000)
FIFO_OFF = const(
    0xCA81
)  # FIFO and Reset Mode: interrupt at 8 bits, two sync bytes, no reset by a dip of the supply; empties it
FIFO_ON = const(0xCA83)  # ... fill it from the next sync word on

# Bits of the status word.
STATUS_READY = const(0x8000)  # receiving: FIFO holds a byte; transmitting: the next byte may come
STATUS_POWER_ON = const(0x4000)  # it was reset: send the words again
STATUS_LOST = const(0x2000)  # FIFO ran over, or the transmitter ran dry
STATUS_BUSY = const(0x0100)  # the air is louder than busy_dbm

# kHz from, kHz to, 10 MHz x C1 x C2 in kHz, C1 (2.5 kHz x C1 is the step)
_BANDS = ((430240, 439757, 430000, 1), (860480, 879515, 860000, 2), (900720, 929272, 900000, 3))
_BANDWIDTHS_KHZ = (400, 340, 270, 200, 134, 67)  # codes 1 to 6
_DIVIDED_HZ = const(10000000)
_DIVIDER = const(29)


def _frequency_words(carrier_khz):
    # Configuration Setting: data register and FIFO on, band, 12 pF for the crystal. Frequency Setting: F, 96 to 3903.
    for code, (low, high, base, factor) in enumerate(_BANDS, 1):
        if low <= carrier_khz <= high:
            steps = (4 * (carrier_khz - base) + 5 * factor) // (10 * factor)  # rounded
            return [0x80C7 | code << 4, 0xA000 | steps]
    raise RadioError("carrier_khz: in the bands of 433, 868 or 915 MHz, not %r" % (carrier_khz,))


def _rate_word(bit_rate):
    # Data Rate: 10 MHz / 29 / (R + 1), with cs / 8 more. R + 1 is rounded.
    within("bit_rate", bit_rate, 400, 115200)
    slow = bit_rate < 2700
    prescaler = _DIVIDER * 8 if slow else _DIVIDER
    divider = (2 * _DIVIDED_HZ + prescaler * bit_rate) // (2 * prescaler * bit_rate)
    return 0xC600 | slow << 7 | divider - 1


def _bandwidth_code(bandwidth_khz):
    if bandwidth_khz not in _BANDWIDTHS_KHZ:
        raise RadioError("bandwidth_khz: one of %r, not %r" % (_BANDWIDTHS_KHZ, bandwidth_khz))
    return 1 + _BANDWIDTHS_KHZ.index(bandwidth_khz)


def rfm12b_words(air, group):
    """Command words that set the chip up, in the order to send them; it is idle then. RadioError names what it can't do."""
    within("group", group, 1, GROUPS)
    bandwidth = _bandwidth_code(air.bandwidth_khz)
    busy = (within("busy_dbm", air.busy_dbm, -103, -73) + 103) // 6
    deviation = within("deviation_khz", air.deviation_khz, 15, 240) // 15 - 1
    configuration, frequency = _frequency_words(air.carrier_khz)
    return [
        configuration,
        IDLE,
        frequency,
        _rate_word(air.bit_rate),
        0x9400 | bandwidth << 5 | busy,  # Receiver Control: pin 16 tells of valid data, at once; LNA at full gain
        0xC2AC,  # Data Filter: clock recovery locks by itself, digital filter, data quality from 4 on
        FIFO_OFF,
        FIFO_ON,
        0xCE00 | group,  # Synchron Pattern: second byte
        0xC483,  # AFC: keep the offset only while data is valid, no limit, on
        0x9800 | deviation << 4,  # TX Configuration Control: full power
        0xE000,  # Wake-Up Timer: off
        0xC800,  # Low Duty-Cycle: off
    ]


# --- RFM69CW: registers of 8 bits ---------------------------------------------------------------------------------

STANDBY = const(0x04)  # RegOpMode
_RFM69_HZ = const(32000000)
_STEP = const(524288)  # 2^19: Fstep = 32 MHz / 2^19 = 61.035 Hz


def _steps(hz):
    return (2 * hz * _STEP + _RFM69_HZ) // (2 * _RFM69_HZ)  # rounded


def _rx_bandwidth(air):
    # RxBw = 32 MHz / (mantissa x 2^(exponent + 2)), one side: must hold deviation, half the bit rate, and 10 ppm of the
    # carrier for two crystals that disagree. Narrowest first; the widest, 500 kHz, is enough for all that Air may ask.
    least_hz = air.deviation_khz * 1000 + air.bit_rate // 2 + air.carrier_khz // 100
    exponent, code = 7, 2
    while _RFM69_HZ // ((16 + 4 * code) << exponent + 2) < least_hz:
        exponent, code = (exponent, code - 1) if code else (exponent - 1, 2)
    return 0x40 | code << 3 | exponent  # DccFreq 2: 4 % of RxBw, as the chip is delivered


def rfm69_registers(air, group):
    """(address, value) pairs that make the chip speak RF12, in the order to write them; it is in standby then.

    Frames have no length the chip would understand: packet mode of unlimited length, without its own CRC. RadioError names
    what it can't do.
    """
    within("group", group, 1, GROUPS)
    rate = (2 * _RFM69_HZ + air.bit_rate) // (2 * within("bit_rate", air.bit_rate, 1200, 115200))
    deviation = _steps(within("deviation_khz", air.deviation_khz, 1, 240) * 1000)
    carrier = _steps(within("carrier_khz", air.carrier_khz, 424000, 1020000) * 1000)
    return [
        (0x01, STANDBY),  # RegOpMode
        (0x02, 0x00),  # RegDataModul: packet mode, FSK, no shaping
        (0x03, rate >> 8),  # RegBitrate: 32 MHz / it
        (0x04, rate & 0xFF),
        (0x05, deviation >> 8),  # RegFdev, in Fstep
        (0x06, deviation & 0xFF),
        (0x07, carrier >> 16),  # RegFrf, in Fstep
        (0x08, carrier >> 8 & 0xFF),
        (0x09, carrier & 0xFF),
        (0x19, _rx_bandwidth(air)),  # RegRxBw
        (0x29, -2 * within("busy_dbm", air.busy_dbm, -115, -40)),  # RegRssiThresh: - it / 2 dBm
        (0x2C, 0),  # RegPreamble: 3 bytes of 0xAA
        (0x2D, 3),
        (0x2E, 0x88),  # RegSyncConfig: on, two bytes, none wrong
        (0x2F, SYNC),  # RegSyncValue1
        (0x30, group),  # RegSyncValue2
        (0x37, 0x00),  # RegPacketConfig1: fixed length, no whitening, no CRC, no addresses
        (0x38, 0x00),  # RegPayloadLength: 0, unlimited
        (0x3C, 0x83),  # RegFifoThresh: send from the first byte on; FifoLevel from four bytes on
        (0x3D, 0x10),  # RegPacketConfig2: no restart of the receiver by itself
        (0x6F, 0x30),  # RegTestDagc: the value to use without AfcLowBetaOn, which is for a modulation index below 2
    ]
