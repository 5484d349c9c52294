# P1 port of a smart meter: bytes in any pieces -> whole telegrams, for the board and for the bridge. docs/p1.md has the dialects.
#
# A telegram is "/" and an identification, lines that end with CR LF, and "!" with a CRC. It is read line by line: one line is
# held, its registers are kept, and they are handed out at "!" when the CRC is right. Nothing of a damaged telegram gets out.
# Encrypted frames (DLMS general-glo-ciphering, first byte 0xDB) are found by their length and handed out whole and unread.
from ._compat import const

MAX_HEAD = const(80)  # bytes of the first line
MAX_LINE = const(2100)  # bytes; the longest line of the standards is a text of 1024 characters in hex: 2063 bytes
MAX_REGISTERS = const(128)  # the richest telegram known has some 110
MAX_TEXT = const(96)  # characters of a value without a unit; an equipment id has up to 96 hex digits
MAX_FRAME = const(8192)  # bytes of an encrypted frame with its head

OK = "ok"  # CRC right
NONE = "none"  # a telegram from before DSMR 4, which has no CRC

# What the next byte belongs to.
_SEARCH, _HEAD, _LINE, _LONG, _FRAME = const(0), const(1), const(2), const(3), const(4)

# Head of a frame: 0xDB, 8, system title (8 bytes), 0x82, length (2 bytes, of all that follows), security control 0x30
# (encrypted and authenticated, suite 0): IEC 62056-5-3, and Luxmetering's P1 specification 1.1.3, 3.2.
_FRAME_BYTES = {0: 0xDB, 1: 8, 10: 0x82, 13: 0x30}
_FRAME_HEAD = const(14)
_FRAME_REST = const(13)  # bytes before those that the length counts
_FRAME_LEAST = const(31)  # head, invocation counter, one byte, tag of 12

_HEX = b"0123456789abcdefABCDEF"
_ALPHANUMERIC = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


class Telegram:
    """A telegram that may be trusted. head: identification without "/"; crc: OK or NONE; registers: as the body
    keeps them (p1_body: see p1_lines); left_out: lines, texts and registers that were not understood or did not fit
    (nothing is ever cut short)."""

    def __init__(self, head, crc, registers, left_out):
        self.head = head
        self.crc = crc
        self.registers = registers
        self.left_out = left_out


class Frame:
    """An encrypted frame as received: data begins with 0xDB. Only its head was looked at."""

    def __init__(self, data):
        self.data = data


class Parser:
    """Push bytes as they come, get telegrams and frames as they end. Memory is bounded; nothing raises on any input.

    max_registers, max_text: what a telegram may hold beside its one line; the rest is left out and counted.
    max_frame: bytes of the longest frame that is looked at.
    body: what reads a telegram's lines, where there is something faster than p1_body.Body.
    """

    def __init__(self, max_registers=MAX_REGISTERS, max_text=MAX_TEXT, max_frame=MAX_FRAME, body=None):
        if body is None:
            from .p1_body import Body  # here: a board that brings its own saves the memory

            body = Body(max_registers, max_text)
        self._body = body
        self._max_frame = max_frame
        self.bad_crc = 0  # telegrams whose CRC is wrong, or missing where the meter sends one
        self.bad_form = 0  # telegrams without CRC that have a line nobody understands, or no register
        self.cut = 0  # telegrams and frames that began and never ended
        self._forget()

    @property
    def bad(self):
        """Telegrams and frames so far that were damaged."""
        return self.bad_crc + self.bad_form + self.cut

    def push(self, chunk):
        """Telegrams and frames completed by these bytes, oldest first. Not for interrupts: it allocates."""
        data, at, done = bytes(chunk), 0, []
        while at < len(data):
            if self._state == _LINE:
                at = self._line(data, at, done)
            elif self._state == _FRAME:
                at = self._frame(data, at, done)
            elif self._state == _HEAD:
                at = self._head_line(data, at)
            elif self._state == _LONG:
                at = self._long_line(data, at)
            else:
                at = self._search(data, at)
        return done

    def pause(self):
        """The line has been quiet, or the input has ended: what is open will not go on. Returns what that completes."""
        done = []
        if self._state == _LINE and self._held[:1] == b"!":
            self._end(bytes(self._held), done)  # a file without its last line end
        elif self._state in (_LINE, _LONG) or (self._state == _FRAME and len(self._held) >= _FRAME_HEAD):
            self.cut += 1
        self._forget()
        return done

    # Each of these takes some of data[at:], and answers where the next one goes on.

    def _search(self, data, at):
        slash, frame = data.find(b"/", at), data.find(b"\xdb", at)
        if frame >= 0 and not 0 <= slash < frame:
            self._state = _FRAME
            return frame
        if slash < 0:
            return len(data)
        self._state = _HEAD
        self._held = bytearray(b"/")
        return slash + 1

    def _frame(self, data, at, done):
        held = self._held
        if len(held) < _FRAME_HEAD:
            if _FRAME_BYTES.get(len(held), data[at]) != data[at]:
                self._no_frame()
                return at
            held.append(data[at])
            return at + 1
        size = _FRAME_REST + (held[11] << 8) + held[12]
        if not _FRAME_LEAST <= size <= self._max_frame:
            self._no_frame()
            return at
        end = min(at + size - len(held), len(data))
        held += data[at:end]
        if len(held) == size:
            done.append(Frame(bytes(held)))
            self._forget()
        return end

    def _no_frame(self):
        held = bytes(self._held)
        self._forget()
        self.push(held[1:])  # at most 13 bytes, which may begin something else

    def _head_line(self, data, at):
        end = data.find(b"\n", at, at + MAX_HEAD)
        part = data[at : end if end >= 0 else at + MAX_HEAD]
        slash = part.find(b"/")
        self._held += part if slash < 0 else part[:slash]
        if len(self._held) > MAX_HEAD or not is_text(bytes(self._held).strip(b"\r")):
            self._forget()  # noise; what came with it may begin something
            return at
        if slash >= 0:  # no identification has one: begin anew
            self._held = bytearray(b"/")
            return at + slash + 1
        if end >= 0 and _is_head(self._held):
            self._begin(self._held + b"\n")
        elif end >= 0:
            self._forget()
        return at + len(part) + (end >= 0)

    def _line(self, data, at, done):
        if not self._held:
            at = self._body.read(data, at)
        end = data.find(b"\n", at, at + MAX_LINE) + 1
        stop = end or min(len(data), at + MAX_LINE)
        self._held += data[at:stop]
        if len(self._held) > MAX_LINE:
            self._body.skip(self._held, 1)
            self._held = bytearray()
            self._state = _LINE if end else _LONG
        elif end:
            line, self._held = bytes(self._held), bytearray()
            self._close(line, done)
        return stop

    def _long_line(self, data, at):
        end = data.find(b"\n", at) + 1
        stop = end or len(data)
        slash = data.find(b"/", at, stop)
        if slash >= 0:  # the next telegram, behind a line that would not end
            self.cut += 1
            self._forget()
            return slash
        self._body.skip(data[at:stop], 0)
        if end:
            self._state = _LINE
        return stop

    def _close(self, line, done):
        slash = line.rfind(b"/")
        if slash >= 0 and _is_head(line[slash:-1]):  # the end of the telegram before was lost
            self.cut += 1
            self._begin(line[slash:])
        elif line[:1] == b"!":
            self._end(line, done)
        else:
            self._body.line(line)

    def _end(self, line, done):
        crc, crc_due, count, strange, too_much = self._body.end()
        verdict = None
        digits = line[1:].strip(b"\r\n\0 ")
        if digits or crc_due:
            if _hex(digits) == crc:
                verdict = OK
            else:
                self.bad_crc += 1
        elif strange or not count:
            self.bad_form += 1
        else:
            verdict = NONE
        if verdict:
            done.append(Telegram(self._head, verdict, self._body.registers(), strange + too_much))
        self._forget()

    def _begin(self, line):
        self._forget()
        self._state = _LINE
        self._head = str(bytes(line[1:]).strip(b"\r\n"), "utf-8")
        self._body.begin(line)

    def _forget(self):
        self._state = _SEARCH
        self._held = bytearray()  # of one line, or of one frame
        self._head = ""


def is_text(text):
    """Whether bytes are printable ASCII."""
    return not text or (min(text) >= 32 and max(text) < 127)


def _is_head(line):
    # "/", three letters of the maker, a character for the speed, identification: IEC 62056-21, 6.3.2
    line = bytes(line).strip(b"\r")
    return 5 <= len(line) <= MAX_HEAD and not line[1:5].strip(_ALPHANUMERIC) and is_text(line)


def _hex(digits):
    # One to four hex digits: some meters drop leading zeros. -1 is no CRC.
    if not 1 <= len(digits) <= 4 or digits.strip(_HEX):
        return -1
    return int(digits, 16)
