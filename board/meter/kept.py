# Records that must reach the bridge stay here until it has stored them for good: docs/wire.md, "Kept records".
#
# One block of memory, made once. Entries stand in it one behind the other, the oldest first: thousands of objects would break
# the heap into pieces and slow the collector. An entry is what belongs together: all clamps and pairs of a window, all pieces of
# a telegram, else one record.
#
# When it is full, a sweep from the oldest to the newest puts neighbours of the same key together, as long as an entry has no more
# of the original ones in it than the grain says; each sweep doubles the grain. So all that waits has about the same detail, and
# the time that it covers doubles with each sweep.
import gc
import struct

from shared._compat import const
from shared.records import CLAMP, EARLIER, PAIR, PULSE
from shared.terminal_records import P1_TELEGRAM, PACKET

from .merge import merge_clamp, merge_pair

_LEAST_BYTES, _MOST_BYTES, _SHARE = const(16384), const(196608), const(4)
_OTHERS_BYTES = const(98304)  # for ring, terminals and what comes and goes
# Of an entry: its bytes, how many original ones are in it, number of its first record, key, count of its records.
_HEAD, _HEAD_BYTES = "<HHIIB", const(13)
_RECORD, _RECORD_BYTES = "<BH", const(3)  # kind, bytes of the payload that follows
_U16 = const(0xFFFF)
# The highest bits of a key: what sort of entry it is. Only the first three are put together in the sweep.
_SORT = const(25)
_WINDOW, _PULSE, _PACKET, _TELEGRAM, _EARLIER, _OTHER = const(0), const(1), const(2), const(3), const(4), const(5)
_TELEGRAMS = const(2)  # that stay when there is no room
_KEYS_MAX = const(64)  # that one sweep looks after: an ill-willed radio could make very many
_STEPS = const(64)  # entries that are looked at to find two that can be put together
_FEW = const(8)  # with no more than this part of the room in use, the next sweep begins with the finest grain


def room_for(free_bytes):
    """Bytes for kept records when so much memory is free."""
    return min(max((free_bytes - _OTHERS_BYTES) // _SHARE, _LEAST_BYTES), _MOST_BYTES)


def room_now():
    """The same, of the memory that is free now."""
    gc.collect()
    return room_for(gc.mem_free())


def key_of(records):
    """What two entries that can be put together have in common; a small integer."""
    kind, payload = records[0]
    if kind == CLAMP.kind:
        ports, rate_hz = struct.unpack_from("<BI", payload, 1)
        pairs = 0
        for kind, payload in records:
            if kind == PAIR.kind:
                pairs |= 1 << payload[0] + payload[1] - 3
        return _WINDOW << _SORT | pairs << 22 | ports << 19 | rate_hz
    if kind == PULSE.kind:
        return _PULSE << _SORT | payload[0]
    if kind == PACKET.kind:
        return _PACKET << _SORT | payload[8] << 16 | (payload[9] & 31) << 8 | len(payload) - PACKET.size
    if kind == P1_TELEGRAM.kind:
        return _TELEGRAM << _SORT
    return (_EARLIER if kind == EARLIER.kind else _OTHER) << _SORT


class Kept:
    """The store. Places are those of entries in the block; numbers are those of records, from 1 on."""

    def __init__(self, capacity):
        self._data = bytearray(capacity)
        self._view = memoryview(self._data)
        self._head = self._tail = 0  # where the oldest begins, and where the next will
        self._next = 0  # place of the entry that holds the next record to send, or of one before it
        self._sent = 0  # number of the record sent last, or that the host wants the next behind
        self._telegrams = []  # places
        self._sweep = 0  # place
        self._seen = {}  # by key: place of the last entry that this sweep has seen
        self._grain = 2  # most original entries in one
        self._found = self._refused = (
            False  # whether this sweep has put some together, or left some apart for the grain alone
        )
        self.acknowledged = 0  # number: all up to it are stored for good
        self.newest = 0  # number
        self.merged = 0  # records that went into a later one
        self.dropped = 0  # records

    @property
    def bytes(self):
        """Of what waits for its acknowledgement."""
        return self._tail - self._head

    @property
    def waiting(self):
        """Whether anything is not acknowledged."""
        return self._head < self._tail

    # --- in ---

    def append(self, records):
        """Number and keep these (kind, payload), which belong together."""
        key = key_of(records)
        size = _HEAD_BYTES + sum([_RECORD_BYTES + len(payload) for _kind, payload in records])
        if size > min(len(self._data), _U16):
            self.dropped += len(records)
            return
        self._make_room(size, key)
        if self._tail + size > len(self._data):
            self._to_front()
        at = self._tail
        if key >> _SORT == _TELEGRAM:
            self._telegrams.append(at)
        struct.pack_into(_HEAD, self._data, at, size, 1, self.newest + 1, key, len(records))
        at += _HEAD_BYTES
        for kind, payload in records:
            struct.pack_into(_RECORD, self._data, at, kind, len(payload))
            at += _RECORD_BYTES + len(payload)
            into = self._view[at - len(payload) : at]
            into[:] = payload
        self._tail += size
        self.newest += len(records)

    def _to_front(self):
        free, used = self._head, self._tail - self._head
        self._move(0, free)
        self._shift(-1, free)
        self._head, self._tail = 0, used

    def _move(self, at, by):
        # What stands `by` bytes behind this place comes here. Through a view of just that: through one of all, MicroPython would
        # copy what is behind it onto itself.
        end = self._tail - by
        into = self._view[at:end]
        into[:] = self._view[at + by : self._tail]

    # --- out ---

    def take(self):
        """(kind, number, number of the one before, payload) of the next record to send, or None. It stays here."""
        while self._next < self._tail:
            size, _, first, _, count = struct.unpack_from(_HEAD, self._data, self._next)
            number = max(first, self._sent + 1)
            if number < first + count:
                at = self._next + _HEAD_BYTES
                for _ in range(number - first):
                    at += _RECORD_BYTES + struct.unpack_from(_RECORD, self._data, at)[1]
                kind, length = struct.unpack_from(_RECORD, self._data, at)
                at += _RECORD_BYTES
                payload = bytes(self._view[at : at + length])
                before, self._sent = self._sent, number  # not before there was memory for the payload
                return kind, number, before, payload
            self._next += size
        return None

    def acknowledge(self, seq):
        """Forget every record up to this number."""
        seq = min(seq, self.newest)
        at = self._tail if seq == self.newest else self._head
        while at < self._tail:
            size, _, first, _, count = struct.unpack_from(_HEAD, self._data, at)
            if first + count - 1 > seq:
                break
            at += size
        self.acknowledged = max(self.acknowledged, seq)
        self._sent = max(self._sent, seq)
        self._cut(at)
        if _FEW * self.bytes <= len(self._data):
            self._sweep, self._grain, self._found, self._refused = self._head, 2, False, False
            self._seen.clear()

    def resume(self, seq):
        """Send again what comes behind this number."""
        self._sent = min(seq, self.newest)
        self._next = self._head

    def latest(self):
        """(kind, payload) of the latest clamp, pair and pulse record of each input that is not acknowledged."""
        places = {}
        at = self._head
        while at < self._tail:
            size, _, number, key, count = struct.unpack_from(_HEAD, self._data, at)
            end, at = at + size, at + _HEAD_BYTES
            for _ in range(count if key >> _SORT <= _PULSE else 0):
                kind, length = struct.unpack_from(_RECORD, self._data, at)
                at += _RECORD_BYTES
                if number > self.acknowledged:
                    # A pulse or clamp record begins with its port, a pair with two.
                    places[kind << 16 | self._data[at] << 8 | (self._data[at + 1] if kind == PAIR.kind else 0)] = at
                number += 1
                at += length
            at = end
        for at in sorted(places.values()):
            kind, length = struct.unpack_from(_RECORD, self._data, at - _RECORD_BYTES)
            yield kind, bytes(self._view[at : at + length])

    # --- room ---

    def _make_room(self, size, key):
        telegrams = _TELEGRAMS - (key >> _SORT == _TELEGRAM)
        while len(self._data) - self.bytes < size:
            if len(self._telegrams) > telegrams:
                self.merged += self._remove(self._telegrams[0])
            elif not self._merge_next():
                self._drop_oldest()

    def _merge_next(self):
        # Goes on with the sweep until two entries have become one; False when none were found.
        for _ in range(_STEPS):
            if self._sweep >= self._tail and not self._sweep_again():
                return False
            at = self._sweep
            size, weight, _, key, _ = struct.unpack_from(_HEAD, self._data, at)
            self._sweep += size
            if key >> _SORT > _PACKET:
                continue
            before = self._seen.get(key)
            if before is not None or len(self._seen) < _KEYS_MAX:
                self._seen[key] = at
            if before is not None and self._merge(before, at, size, weight):
                return True
        return False

    def _sweep_again(self):
        # False when the last sweep has shown that there is nothing to put together. A new one begins all the same.
        coarser = self._refused and self._grain <= _U16 // 2
        again = coarser or self._found
        if coarser:
            self._grain *= 2
        self._sweep, self._found, self._refused = self._head, False, False
        self._seen.clear()
        return again

    def _merge(self, before, at, size, weight):
        length, earlier, _, key, _ = struct.unpack_from(_HEAD, self._data, before)
        if earlier + weight > self._grain:
            self._refused = True
            return False
        if length != size:
            return False
        if key >> _SORT == _WINDOW:
            self._merge_windows(before + _HEAD_BYTES, at + _HEAD_BYTES, at + size)
        struct.pack_into("<H", self._data, at + 2, earlier + weight)
        self.merged += self._remove(before)
        self._found = True
        return True

    def _merge_windows(self, before, at, end):
        while at < end:
            kind, length = struct.unpack_from(_RECORD, self._data, at)
            before += _RECORD_BYTES
            at += _RECORD_BYTES
            (merge_clamp if kind == CLAMP.kind else merge_pair)(self._data, before, at)
            before += length
            at += length

    def _drop_oldest(self):
        # What an earlier boot has left goes last: it stands in front.
        at = self._head
        while at < self._tail:
            size, _, _, key, _ = struct.unpack_from(_HEAD, self._data, at)
            if key >> _SORT != _EARLIER:
                break
            at += size
        self.dropped += self._remove(at if at < self._tail else self._head)

    def _remove(self, at):
        # Take out the entry at this place; how many records it had.
        size, _, _, _, count = struct.unpack_from(_HEAD, self._data, at)
        if at == self._head:
            self._cut(at + size)
            return count
        self._move(at, size)
        self._tail -= size
        self._telegrams = [place for place in self._telegrams if place != at]
        for key in [key for key, place in self._seen.items() if place == at]:
            del self._seen[key]
        self._shift(at, size)
        return count

    def _cut(self, head):
        # The oldest entry is now this one.
        if head >= self._tail:
            self._head = self._tail = head = 0
            self._next = self._sweep = 0
            self._telegrams = []
            self._seen.clear()
            return
        self._head = head
        self._next = max(self._next, head)
        self._sweep = max(self._sweep, head)
        self._telegrams = [place for place in self._telegrams if place >= head]
        for key in [key for key, place in self._seen.items() if place < head]:
            del self._seen[key]

    def _shift(self, behind, by):
        # All places behind this one are now so many bytes further to the front.
        if self._next > behind:
            self._next -= by
        if self._sweep > behind:
            self._sweep -= by
        self._telegrams = [place - by if place > behind else place for place in self._telegrams]
        for key, place in self._seen.items():
            if place > behind:
                self._seen[key] = place - by
