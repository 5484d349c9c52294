# The lines between a telegram's head and its "!": their registers, and the CRC of their bytes.
#
# Parser asks for nothing but what is public here, so that a faster form (native/telegram) can stand in for it. Such a form
# may keep its registers in another way; Parser only hands them on.
from .crc16 import crc16
from .p1 import MAX_LINE, is_text
from .p1_lines import Lines

# A telegram with one of these comes from a meter that sends a CRC: without one it is damaged. DSMR P1 4.0, 5.2 and 6.12.
_SINCE_CRC = ("0-0:1.0.0", "1-3:0.2.8", "0-0:96.1.4")


class Body:
    """max_registers, max_text: what a telegram may hold; the rest is left out and counted."""

    def __init__(self, max_registers, max_text):
        self._max_registers = max_registers
        self._max_text = max_text
        self.begin(b"")

    def begin(self, head):
        """A new telegram with this first line."""
        self._crc = crc16(0, head)
        self._crc_due = False  # the telegram has something that came with the CRC
        self._strange = 0  # lines that were not understood
        self._too_much = 0  # texts and registers that did not fit
        self._registers = []
        self._lines = Lines()

    def end(self):
        """(CRC up to "!", whether one is due, registers, lines that were not understood, registers that did not fit)."""
        lines = self._strange + self._lines.open  # a two-line reading may still lack its value
        return crc16(self._crc, b"!"), self._crc_due, len(self._registers), lines, self._too_much

    def registers(self):
        """All of them, as p1_lines has them. They are the caller's."""
        return self._registers

    def skip(self, data, lines):
        """Bytes that are not looked at, of so many lines that are too long."""
        self._crc = crc16(self._crc, data)
        self._strange += lines

    def read(self, data, at):
        """Takes whole lines of data[at:], up to one with a "!" in front, a "/" inside, or too long. Returns where it stopped."""
        while True:
            end = data.find(b"\n", at, at + MAX_LINE) + 1
            if not end or data[at : at + 1] == b"!" or data.find(b"/", at, end) >= 0:
                return at
            self.line(data[at:end])
            at = end

    def line(self, line):
        """One line, whatever it holds."""
        self._crc = crc16(self._crc, line)
        text = line.strip(b"\r\n")
        if not text:
            return
        if self._lines.open and text[:1] != b"(":
            self._strange += 1  # a reading without its value
        try:
            if not is_text(text):
                raise ValueError
            registers = self._lines.read(text)
        except ValueError:
            self._strange += 1
            return
        for register in registers:
            code, value, unit, stamp, _ = register
            if code in _SINCE_CRC or (stamp and len(stamp) == 13):
                self._crc_due = True
            if len(self._registers) >= self._max_registers or (unit is None and len(value) > self._max_text):
                self._too_much += 1
            else:
                self._registers.append(register)
