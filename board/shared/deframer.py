# Bytes in any chunks -> whole records, text between them, and counted drops. Memory is bounded by MAX_STUFFED.
from .frame import MAX_LINE, MAX_STUFFED, FrameError, unline, unseal, unstuff

_MIN_TEXT = 4  # shorter runs of printable bytes are noise, not a message


class Deframer:
    """Host side: push bytes as they come, get (kind, seq, prev, payload) of every whole record; text and drops are kept."""

    def __init__(self):
        self._held = bytearray()
        self._skipping = False  # a run too long to be a frame: wait for the next zero byte
        self.dropped = 0  # runs between zero bytes that were neither a record nor text
        self.text = []  # bytes printed between records, to be taken by take_text()

    def push(self, chunk):
        """Records completed by these bytes, oldest first. Never raises on any input."""
        records = []
        parts = bytes(chunk).split(b"\x00")
        for index, part in enumerate(parts):
            self._hold(part)
            if index < len(parts) - 1:
                self._close(records)
        return records

    def take_text(self):
        """Text seen since the last call, oldest first."""
        text, self.text = self.text, []
        return text

    def flush_text(self):
        """The line has gone quiet: what is held and printable is text (a prompt, a traceback with no frame behind)."""
        if self._held and len(_printable_tail(self._held)) == len(self._held):
            self.text.append(bytes(self._held))
            self._held = bytearray()

    def _hold(self, part):
        if self._skipping:
            return
        self._held += part
        if len(self._held) > MAX_STUFFED:
            self._reject()
            self._skipping = True

    def _close(self, records):
        held, self._held = self._held, bytearray()
        if self._skipping:
            self._skipping = False
        elif held:
            try:
                records.append(unseal(unstuff(held)))
            except FrameError:
                self._held = held
                self._reject()

    def _reject(self):
        # A record cut short by Ctrl-C is followed by the traceback: keep the words, count the bytes before them.
        tail = _printable_tail(self._held)
        if len(tail) < len(self._held):
            self.dropped += 1
        if len(tail) >= _MIN_TEXT:
            self.text.append(bytes(tail))
        elif len(tail) == len(self._held):
            self.dropped += 1
        self._held = bytearray()


def _printable_tail(data):
    start = len(data)
    while start and (32 <= data[start - 1] < 127 or data[start - 1] in b"\r\n\t"):
        start -= 1
    return data[start:]


class LineDeframer:
    """Board side: push bytes from the console, get (kind, seq, prev, payload) of every whole line; the rest is counted."""

    def __init__(self):
        self._held = bytearray()
        self._skipping = False
        self.dropped = 0

    def push(self, chunk):
        """Records completed by these bytes, oldest first. Never raises on any input."""
        records = []
        parts = bytes(chunk).split(b"\n")
        for index, part in enumerate(parts):
            if not self._skipping:
                self._held += part
                if len(self._held) > MAX_LINE:
                    self._drop()
                    self._skipping = True
            if index < len(parts) - 1:
                self._close(records)
        return records

    def _close(self, records):
        if self._skipping:
            self._skipping = False
        elif self._held.strip():
            try:
                records.append(unseal(unline(bytes(self._held))))
            except FrameError:
                self._drop()
        self._held = bytearray()

    def _drop(self):
        self.dropped += 1
        self._held = bytearray()
