# FluksoKubes: what a kube's packets say, how it is paired, and how it is given new firmware. docs/radio.md has every byte.
# Sources: Flukso's kube firmware (src/flk01, src/boot) and the flm02's kubed with its registry. All numbers are little-endian.
#
# Measured values are whole thousandths of the unit that SENSORS names; None where the kube's sensor failed.
import struct

from ._compat import const
from .crc16 import crc16
from .rf12 import ACK, CTL, DST, GROUPS, RadioError, within

FLK01A, FLK01B = const(0x4B11), const(0x4B12)  # hardware types

# Sensor -> (unit, whether it only counts up until the kube restarts).
SENSORS = {
    "temperature": ("°C", False),
    "humidity": ("%", False),
    "pressure": ("Pa", False),
    "light": ("lx", False),
    "battery": ("V", False),
    "error": ("", False),  # a mask: ERRORS
    "movement": ("", True),  # rising edges of the motion detector
    "vibration": ("", True),  # transients of the accelerometer, 16 bits
}
# Those that a type really has, in the order they get their ids. (The original takes nine slots for each kube.)
KUBES = {
    FLK01A: ("temperature", "humidity", "battery", "error", "movement"),
    FLK01B: ("temperature", "humidity", "pressure", "light", "battery", "error", "movement", "vibration"),
}
# Bits of an FLK01B's error, from bit 0 on.
ERRORS = ("temperature", "humidity", "light", "pressure", "accelerometer", "supply below 2.15 V", "watchdog reset")
_LOW_SUPPLY = const(0x20)

# A comparator ladder measures the battery: step n means some 27.9 V / (n + 1/2). V, by the registry's own curves, rounded to
# 0.1 V as they are there. A: 27.43 n^-1.04, steps 1 to 31. B: 26.93 (n + 0.5)^-0.985, steps 5 to 20.
_A_MV = (27400, 13300, 8800, 6500, 5100, 4300, 3600, 3200, 2800, 2500, 2300, 2100, 1900, 1800, 1600, 1500, 1400, 1400)
_A_MV += (1300, 1200, 1200, 1100, 1100, 1000, 1000, 900, 900, 900, 800, 800, 800)
_B_MV = (5000, 4300, 3700, 3300, 2900, 2700, 2400, 2200, 2100, 1900, 1800, 1700, 1600, 1500, 1400, 1400)
_B_FIRST = const(5)
_B_LOW = const(12)  # steps above this one set _LOW_SUPPLY


class KubeError(RadioError):
    """A payload that is none of this kube's; the text says why."""


# --- measurements -------------------------------------------------------------------------------------------------


def decode(hw_type, payload):
    """{sensor: thousandths of its unit, or None} of a packet without CTL; KubeError when the type or the length is unknown.

    Which packet it is, its length tells: nothing else does.
    """
    if hw_type not in KUBES:
        raise KubeError("unknown kube type 0x%04x" % hw_type)
    size = len(payload)
    if size == 4:
        return {"movement": struct.unpack("<I", payload)[0] * 1000}
    if size == 6 and hw_type == FLK01A:
        return _decode_a(payload)
    if size == 9 and hw_type == FLK01B:
        return _decode_b(payload)
    if size == 2 and hw_type == FLK01B:
        return {"vibration": struct.unpack("<H", payload)[0] * 1000}
    raise KubeError("kube type 0x%04x sends no packet of %d bytes" % (hw_type, size))


def _decode_a(payload):
    temperature, humidity, step, error = struct.unpack("<HHBB", payload)
    return {
        "temperature": _temperature_mc(temperature, 16),
        "humidity": _humidity(humidity, 16),
        "battery": _A_MV[step - 1] if 1 <= step <= len(_A_MV) else None,
        "error": error * 1000,
    }


def _decode_b(payload):
    weather, light, low, high = struct.unpack("<IHHB", payload)
    pressure, last = weather & 0xFFFFF, low | high << 16
    error = last >> 17
    return {
        "temperature": _temperature_mc(last & 0x3FFF, 14),
        "humidity": _humidity(weather >> 20, 12),
        "pressure": None if pressure == 0xFFFFF else pressure * 250,
        "light": None if light == 0xFFFF else light * 250,
        "battery": _B_MV[_ladder_step(last >> 14 & 7, error) - _B_FIRST],
        "error": error * 1000,
    }


def _ladder_step(code, error):
    # Only the lowest three bits of the step fit into the packet. The original takes them for 8 to 15 always, so that a fresh
    # battery of more than 3.4 V reads 1.8 V. The supply bit, set from the same step, tells which eight are meant.
    if error & _LOW_SUPPLY:
        return code + 8 if code + 8 > _B_LOW else code + 16
    return code + 8 if code + 8 <= _B_LOW else code


def _temperature_mc(raw, bits):
    # HTU21D data sheet: -46.85 + 175.72 x / 2^n degrees; hundredths, rounded. All ones: its measurement failed.
    return None if raw == (1 << bits) - 1 else (((17572 * raw + (1 << bits - 1)) >> bits) - 4685) * 10


def _humidity(raw, bits):
    # HTU21D data sheet: -6 + 125 x / 2^n percent; tenths, rounded.
    return None if raw == (1 << bits) - 1 else (((1250 * raw + (1 << bits - 1)) >> bits) - 60) * 100


def encode(hw_type, values):
    """Payload that decodes to these values, or to the nearest there are; what a kube would send. None: its sensor failed."""
    if "movement" in values:
        return struct.pack("<I", within("movement", values["movement"] // 1000, 0, 0xFFFFFFFF))
    if "vibration" in values:
        return struct.pack("<H", within("vibration", values["vibration"] // 1000, 0, 0xFFFF))
    bits = (16, 16) if hw_type == FLK01A else (14, 12)
    temperature = _raw("temperature", values, 46850, 175720, bits[0])
    humidity = _raw("humidity", values, 6000, 125000, bits[1])
    error = within("error", values["error"] // 1000, 0, 0xFF if hw_type == FLK01A else 0x7F)
    if hw_type == FLK01A:
        step = 0 if values["battery"] is None else 1 + _nearest(_A_MV, values["battery"])
        return struct.pack("<HHBB", temperature, humidity, step, error)
    step = _B_FIRST + _nearest(_B_MV, values["battery"])
    error = error | _LOW_SUPPLY if step > _B_LOW else error & ~_LOW_SUPPLY
    weather = _raw("pressure", values, 0, 262144000, 20) | humidity << 20
    last = temperature | (step & 7) << 14 | error << 17
    return struct.pack("<IHHB", weather, _raw("light", values, 0, 16384000, 16), last & 0xFFFF, last >> 16)


def _raw(name, values, offset, span, bits):
    value, ones = values[name], (1 << bits) - 1
    return ones if value is None else within(name, (((value + offset) << bits) + span // 2) // span, 0, ones - 1)


def _nearest(table, value):
    return min(range(len(table)), key=lambda at: abs(table[at] - value))


# --- control packets: CTL and ACK; which one it is, its length tells -------------------------------------------------

PAIR_GROUP = const(212)
PAIRING_S = const(20)  # how long the group is listened to after a person has opened the pairing
REQUEST = CTL | ACK  # + node: an upgrade or download request
PAIR_REQUEST = CTL | DST | ACK  # node 0
NODES = const(30)

_PAIR_REQUEST = "<HBBH"  # hw_type, group, node, CRC of the key; then hw_id
_PAIR_REPLY = "<HBB"  # hw_type, group, node; then the key
_UPGRADE = "<HHHH"  # hw_type, version, 16 bytes each, CRC
_DOWNLOAD = "<HH"  # version, block
_KEY = const(16)  # bytes of a key and of a hardware id
BLOCK = const(64)  # bytes
MAX_IMAGE = const(12288)  # bytes: 16 kB of flash without the boot loader's 4


def image_crc(data):
    """CRC-16 of a key or an image, as a boot loader checks them."""
    return crc16(0xFFFF, data)


def collect_group(device_id):
    """Group, 1 to 210, that a device's kubes talk in: from the first two hex digits of its id."""
    return int(device_id[:2], 16) % 210 + 1


def _exactly(what, payload, size):
    if len(payload) != size:
        raise KubeError("%s: %d bytes, not %d" % (what, size, len(payload)))


def _u16(name, value):
    return within(name, value, 0, 0xFFFF)


def encode_pair_request(hw_type, group, node, key_crc, hw_id):
    """What an unpaired or restarted kube asks; group and node are 0 if it has none. hw_id: 16 bytes."""
    _exactly("hw_id", hw_id, _KEY)
    within("group", group, 0, GROUPS)
    within("node", node, 0, NODES)
    return struct.pack(_PAIR_REQUEST, _u16("hw_type", hw_type), group, node, _u16("key_crc", key_crc)) + hw_id


def decode_pair_request(payload):
    """(hw_type, group, node, key_crc, hw_id as bytes)."""
    _exactly("pair request", payload, 6 + _KEY)
    return struct.unpack(_PAIR_REQUEST, payload[:6]) + (bytes(payload[6:]),)


def encode_pair_reply(hw_type, group, node, key):
    """What makes it ours: its group, its node, and a key of 16 bytes. The key goes in clear and encrypts nothing."""
    _exactly("key", key, _KEY)
    within("group", group, 1, GROUPS)
    return struct.pack(_PAIR_REPLY, _u16("hw_type", hw_type), group, within("node", node, 1, NODES)) + key


def decode_pair_reply(payload):
    """(hw_type, group, node, key)."""
    _exactly("pair reply", payload, 4 + _KEY)
    return struct.unpack(_PAIR_REPLY, payload[:4]) + (bytes(payload[4:]),)


def encode_upgrade(hw_type, version, size, crc):
    """Both the kube's question (the image that it has) and the answer (the newest). size: bytes, a multiple of 16."""
    if size % 16:
        raise KubeError("image: a multiple of 16 bytes, not %d" % size)
    units = within("image bytes", size, 0, 0xFFFF0) // 16
    return struct.pack(_UPGRADE, _u16("hw_type", hw_type), _u16("version", version), units, _u16("crc", crc))


def decode_upgrade(payload):
    """(hw_type, version, bytes of the image, its CRC)."""
    _exactly("upgrade request", payload, 8)
    hw_type, version, units, crc = struct.unpack(_UPGRADE, payload)
    return hw_type, version, units * 16, crc


def encode_download_request(version, block):
    """Asks for a block of 64 bytes."""
    return struct.pack(_DOWNLOAD, _u16("version", version), _u16("block", block))


def decode_download_request(payload):
    """(version, block)."""
    _exactly("download request", payload, 4)
    return struct.unpack(_DOWNLOAD, payload)


def encode_block(version, block, data):
    """Answer to a download request: 64 bytes of the image, whitened so that the receiver keeps its clock in runs of FF."""
    _exactly("block", data, BLOCK)
    return struct.pack("<H", _u16("version", version) ^ _u16("block", block)) + whitened(data)


def decode_block(payload):
    """(version xor block, the 64 bytes)."""
    _exactly("block reply", payload, 2 + BLOCK)
    return struct.unpack("<H", payload[:2])[0], whitened(payload[2:])


def whitened(data):
    """Byte i xor 211 i; twice gives data again."""
    return bytes([byte ^ (211 * at & 0xFF) for at, byte in enumerate(data)])


def padded(image):
    """Image filled up with FF to whole blocks, as it is sent and its CRC is taken; KubeError when a kube has no room for it."""
    whole = bytes(image) + b"\xff" * (-len(image) % BLOCK)
    if not 0 < len(whole) <= MAX_IMAGE:
        raise KubeError("image: 1..%d bytes, not %d" % (MAX_IMAGE, len(image)))
    return whole


def image_block(image, block):
    """The 64 bytes of a padded image that a download request asks for; KubeError behind its end."""
    if not 0 <= block < len(image) // BLOCK:
        raise KubeError("block: 0..%d, not %d" % (len(image) // BLOCK - 1, block))
    return image[block * BLOCK : (block + 1) * BLOCK]
