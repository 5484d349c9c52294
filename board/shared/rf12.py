# RF12 frames, as JeeNodes and FluksoKubes send them over an RFM12B or an RFM69CW. docs/radio.md describes every byte.
#
# On the air: preamble 0xAA, 0x2D, group, header, length, payload, CRC-16 (low byte first), a trailing 0xAA.
# Sources: JeeLib (RF12.h, RF12.cpp: frame, header, acks); tests/vectors/rf12.json holds examples made by hand.
from ._compat import const
from .crc16 import crc16

SYNC = const(0x2D)  # this and the group are what the chips look for
MAX_PAYLOAD = const(66)  # bytes
GROUPS = const(250)  # 1 to 250; 212 is what every node knows, and the only one of an RFM12 without B

# Header. Node: 1 to 30; 0 has not got one yet, 31 hears all.
CTL, DST, ACK, NODE = const(0x80), const(0x40), const(0x20), const(0x1F)
EVERY_NODE = const(31)

_PREAMBLE = b"\xaa\xaa\xaa"
_TAIL = b"\xaa"  # keeps the transmitter on until the CRC has left it
_CRC_START = const(0xFFFF)
_CRC_GOOD = const(0)  # of a frame with its own CRC behind it
_TO_GROUP, _TO_LENGTH, _OVERHEAD = const(2), const(4), const(6)  # bytes from the sync byte on; all but the payload


class RadioError(ValueError):
    """A field that no frame or payload has room for; the text names it and its range."""


class Packet:
    """A frame whose CRC was right. node is its sender, or where it goes to if it is addressed."""

    def __init__(self, group, header, payload):
        self.group = group
        self.header = header
        self.payload = payload

    @property
    def node(self):
        return self.header & NODE

    @property
    def addressed(self):
        return bool(self.header & DST)


def within(name, value, low, high):
    """value, if it is in low..high; else RadioError. Both interpreters would truncate or fail differently."""
    if not low <= value <= high:
        raise RadioError("%s: %d..%d, not %r" % (name, low, high, value))
    return value


def frame(group, header, payload):
    """Bytes from the group to the CRC. RadioError when something does not fit."""
    within("payload bytes", len(payload), 0, MAX_PAYLOAD)
    head = bytes((within("group", group, 1, GROUPS), within("header", header, 0, 255), len(payload)))
    crc = crc16(_CRC_START, head + payload)
    return head + payload + bytes((crc & 0xFF, crc >> 8))


def on_air(framed):
    """A frame as the transmitter sends it, preamble and tail included."""
    return _PREAMBLE + bytes((SYNC,)) + framed + _TAIL


def ack_header(header, length, own=EVERY_NODE):
    """Header of the empty packet that answers one of this header and payload length; None: it wants no answer.

    own: the node that hears it. A packet with CTL and ACK asks for control (pairing, upgrade); it is answered in kind, with DST
    turned round. An empty one is such an answer itself: to answer it too would let two bridges talk for ever.
    Sources: JeeLib, RF12_ACK_REPLY; Flukso's rfm12 for the control packets.
    """
    if not header & ACK:
        return None
    if header & CTL:
        return header ^ DST if length else None
    node = header & NODE
    if not header & DST:
        return CTL | DST | node  # to the sender of a broadcast
    return CTL | node if own in (node, EVERY_NODE) else None


class Decoder:
    """Push the bytes of a receiver in any pieces, get packets as they end. Holds one frame at most; nothing raises.

    group: the one to hear; 0: any. A chip that looks for the sync word itself swallows it: push SYNC and the group each time
    its FIFO is filled anew.
    """

    def __init__(self, group):
        self.group = group
        self.bad_crc = 0  # frames whose CRC is wrong
        self.bad_length = 0  # frames that tell of more than 66 bytes
        self.foreign = 0  # frames of other groups, told from noise by the preamble before them
        self._last = 0  # the byte before what is held
        self.forget()

    @property
    def bad(self):
        """Frames of this group so far that were damaged."""
        return self.bad_crc + self.bad_length

    @property
    def open(self):
        """Whether a frame has begun and not ended: a receiver that is done with it starts to search again."""
        return bool(self._held)

    def forget(self):
        """Drop what is held: the receiver was switched off, or the air is quiet."""
        self._held = bytearray()  # from the sync byte on
        self._due = _TO_GROUP  # how many make the next decision

    def push(self, data):
        """Packets completed by these bytes, oldest first. Not for interrupts: it allocates."""
        data, at, packets = bytes(data), 0, []
        while at < len(data):
            if self._held:
                end = min(len(data), at + self._due - len(self._held))
                self._held += data[at:end]
                at = end
            else:
                at = self._search(data, at)
            if len(self._held) == self._due:
                again = self._judge(packets)  # of a false start, in which a true one may hide
                at -= len(again)
                if at < 0:
                    data, at = again + data[at + len(again) :], 0
        if data and not self._held:
            self._last = data[-1]
        return packets

    def _search(self, data, at):
        found = data.find(b"\x2d", at)
        if found < 0:
            return len(data)
        if found:
            self._last = data[found - 1]
        self._held.append(SYNC)
        return found + 1

    def _judge(self, packets):
        # Decides on as many bytes as were due. Answers those to read again.
        held = self._held
        if len(held) == _TO_GROUP:
            if self.group in (0, held[1]):
                self._due = _TO_LENGTH
                return b""
            self.foreign += self._last == 0xAA and 1 <= held[1] <= GROUPS
        elif len(held) == _TO_LENGTH:
            if held[3] <= MAX_PAYLOAD:
                self._due = _OVERHEAD + held[3]
                return b""
            self.bad_length += 1
        elif crc16(_CRC_START, held[1:]) == _CRC_GOOD:
            packets.append(Packet(held[1], held[2], bytes(held[4:-2])))
            self._last = held[-1]
            self.forget()
            return b""
        else:
            self.bad_crc += 1
        self._last = SYNC
        self.forget()
        return bytes(held[1:])
