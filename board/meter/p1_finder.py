# A smart meter's line: which speed, format and polarity it has. All of it is found by listening.
#
# A line that rests low is inverted. Two speeds exist: 115200 with eight bits, and 9600 with seven and even parity (DSMR 2.2
# and 3.0). Each burst is heard at 115200 first. One at 9600 gives nothing there, though the line moves: each of its bits is
# longer than a byte, a break, and MicroPython drops those. Then, or when what comes is no text, the rest of the same burst is
# heard at 9600. The UART always receives eight bits: parity is looked at here, because MicroPython hides what the UART finds wrong.
from shared._compat import const

FAST, SLOW = const(115200), const(9600)  # baud
_REST_LOOKS = const(25)  # looks at a resting line, 10 ms apart: no telegram holds one level for that long
_BUSY_LOOKS = const(3)  # looks at a line that is not at rest, without one byte
_BLOCK = const(32)  # bytes that decide
_TEXT_BYTES = const(29)  # of them, when it is text: the first may have been heard from its middle on
_FRAME_BEGINS = b"\xdb\x08"  # an encrypted telegram, and the length of what follows


class LineFinder:
    """set_line(baud, inverted) sets the receiver up. found: whether what is heard makes sense."""

    def __init__(self, set_line):
        self._set_line = set_line
        self.inverted = True  # as most meters are
        self.restart()

    def restart(self):
        """Nothing is known, but that the line was the way it was."""
        self.found = False
        self.even = False
        self._level = -1
        self._looks = 0
        self._listen(FAST)

    def look(self, level):
        """The line's level at a moment, while nothing is found."""
        self._looks = self._looks + 1 if level == self._level else 0
        self._level = level
        if self._looks == _REST_LOOKS:  # the burst is over
            self._held = bytearray()
            self._busy = 0
            if self.inverted == bool(level) or self.baud != FAST:
                self.inverted = not level
                self._listen(FAST)
        elif self.inverted == bool(level):
            self._busy += 1
            if self._busy >= _BUSY_LOOKS and self.baud == FAST:
                self._listen(SLOW)

    def hear(self, data):
        """What the receiver got -> what of it may be read, with its parity still on."""
        if self.found:
            return data
        self._busy = 0
        self._held += data
        if len(self._held) < _BLOCK:
            return b""
        held, self._held = bytes(self._held), bytearray()
        verdict = judge(held)
        if verdict:
            self.found, self.even = True, verdict == "7E1"
            return held
        if self.baud == FAST:
            self._listen(SLOW)
        return b""

    def _listen(self, baud):
        self.baud = baud
        self._held = bytearray()
        self._busy = 0
        self._set_line(baud, self.inverted)


def judge(data):
    """What received bytes look like: "8N1" (text, or an encrypted frame), "7E1" (text behind a parity bit), or nothing."""
    most = len(data) * _TEXT_BYTES // _BLOCK
    at = data.find(_FRAME_BEGINS)
    if at >= 0 and data[at + 10 : at + 11] == b"\x82" and data[at + 13 : at + 14] == b"\x30":
        return "8N1"
    if sum([_is_text(byte) for byte in data]) >= most:
        return "8N1"
    if sum([_is_even(byte) and _is_text(byte & 0x7F) for byte in data]) >= most:
        return "7E1"
    return None


def _is_text(byte):
    return 32 <= byte < 127 or byte in (10, 13)


def _is_even(byte):
    byte ^= byte >> 4
    return not 0x6996 >> (byte & 15) & 1
