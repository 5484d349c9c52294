# When what matters is written to flash, and what comes back from it after a power cut. Flash wears and holds up everything
# else while it is written, so: settings and calibration a minute after they were changed, counters only while nobody
# acknowledges them.
import struct

from shared._compat import const
from shared.layout import RangeError
from shared.records import CALIBRATION, EARLIER, SETTINGS

from .settings import Settings, settings_from
from .state import parts_of

# So long after the first change: settings, calibration and table come one behind the other, a bridge that is there gives them
# anyway, and a write holds up everything else.
_SETUP_AFTER_S = const(60)
_SILENT_S = const(120)  # without an acknowledgement for so long, the bridge is gone
_COUNTERS_EVERY_S = const(600)
_LAST_AFTER_S = const(60)  # a firmware that faults at its start must not wear the flash
_MOST_BOOTS = const(4)
_MOST_RECORDS = const(40)
_SETTINGS, _CALIBRATION, _TABLE, _EARLIER = const(1), const(2), const(3), const(4)  # tags of parts
_PIECE = const(512)  # values of the table in a part: 8 kB in one piece may not be free


def boot_of(payload):
    """boot_id of an earlier record's payload."""
    return struct.unpack("<I", payload[:4])[0]


def bounded(payloads):
    """(the newest of these earlier records, oldest first, boots that had to go): whole boots go, oldest first."""
    payloads, gone = list(payloads), 0
    while len(payloads) > _MOST_RECORDS or len({boot_of(payload) for payload in payloads}) > _MOST_BOOTS:
        oldest = boot_of(payloads[0])
        payloads = [payload for payload in payloads if boot_of(payload) != oldest]
        gone += 1
    return payloads, gone


class Keeper:
    """setup, counters: Slots. look() once a second; what it returns, and begin(), are lines for a person."""

    def __init__(self, setup, counters, boot_id):
        self._setup = setup
        self._counters = counters
        self._boot_id = boot_id
        self._second = 0
        self._said = []
        self._default = Settings()
        self._stored = (self._default.values, 0, 0)
        self._setup_due_s = 0  # 0: nothing was changed
        self._earlier = []  # of earlier boots, not acknowledged yet
        self._kept = []  # what the slot in force has
        self._kept_upto = 0  # when this number is acknowledged, the slot is of no use any more
        self._counters_due_s = 0
        self._acknowledged = 0
        self._silent_from_s = 0

    def load(self, calibration, clamp_inputs, pulse_inputs):
        """Settings to begin with; puts the calibration and the table where they belong, and takes in earlier counters."""
        settings, table = self._default, []
        for tag, data in parts_of(self._setup.load() or b""):
            try:
                if tag == _SETTINGS:
                    settings = settings_from(data, clamp_inputs, pulse_inputs)
                elif tag == _CALIBRATION:
                    calibration.take(data)
                elif tag == _TABLE:
                    table.append(data)
            except RangeError as error:
                self._said.append("state: %s: not taken over from flash" % error)
        if table:
            try:
                calibration.put_table(table)
            except RangeError as error:
                self._said.append("state: %s: not taken over from flash" % error)
        self._stored = (settings.values, calibration.crc, calibration.table_crc)
        for tag, data in parts_of(self._counters.load() or b""):
            if tag == _EARLIER and len(data) > EARLIER.size and boot_of(data) != 0:
                self._earlier.append(bytes(data))
        self._kept, self._kept_upto = self._earlier, len(self._earlier)
        for slots, what in ((self._setup, "settings"), (self._counters, "counters")):
            if slots.torn:
                self._said.append("state: %s: %d of 2 copies in flash not whole, ignored" % (what, slots.torn))
        return settings

    def begin(self, link):
        """Gives the link what earlier boots had counted, as the first of its kept records; lines to say."""
        if self._earlier:
            link.keep_first(self._earlier)
            boots = len({boot_of(payload) for payload in self._earlier})
            self._said.append("state: %d records of %d earlier boots" % (len(self._earlier), boots))
        return self._take_said()

    def look(self, settings, calibration, kept):
        """Writes what is due. kept: latest() -> (kind, payload) of each input that waits; numbers acknowledged and newest."""
        self._second += 1
        if kept.acknowledged != self._acknowledged or kept.acknowledged >= kept.newest:
            self._acknowledged, self._silent_from_s = kept.acknowledged, self._second
        if self._acknowledged >= len(self._earlier):  # they have the first numbers
            self._earlier = []
        self._look_at_setup(settings, calibration)
        if self._second >= self._counters_due_s:
            if self._second - self._silent_from_s >= _SILENT_S:
                self._save_counters(kept)
            elif self._kept and self._acknowledged >= self._kept_upto:
                self._write_counters([], 0)
        return self._take_said()

    def last(self, kept):
        """The firmware ends: what nobody has acknowledged is written, but not by one that has just begun."""
        if self._second >= _LAST_AFTER_S:
            self._save_counters(kept)

    def _take_said(self):
        said, self._said = self._said, []
        return said

    def _look_at_setup(self, settings, calibration):
        now = (settings.values, calibration.crc, calibration.table_crc)
        if now == self._stored:
            self._setup_due_s = 0
            return
        if not self._setup_due_s:
            self._setup_due_s = self._second + _SETUP_AFTER_S
        if self._second < self._setup_due_s:
            return
        parts = [(_SETTINGS, SETTINGS.pack(*settings.values))]
        if calibration.crc:
            parts.append((_CALIBRATION, CALIBRATION.pack(*calibration.values)))
        if calibration.table_crc:
            table = memoryview(calibration.table)
            parts += [(_TABLE, bytes(table[at : at + _PIECE])) for at in range(0, len(table), _PIECE)]
        self._setup_due_s = self._second + _SETUP_AFTER_S
        if self._write(self._setup, parts):
            self._stored = now

    def _save_counters(self, kept):
        if kept.acknowledged >= kept.newest:
            return
        self._counters_due_s = self._second + _COUNTERS_EVERY_S  # also where nothing is new: latest() looks through all
        own = [EARLIER.pack(self._boot_id, kind, payload) for kind, payload in kept.latest()]
        payloads, gone = bounded(self._earlier + own)
        if gone:
            self._said.append(
                "state: counters of %d earlier boots given up, there is room for %d" % (gone, _MOST_BOOTS)
            )
            self._earlier = [payload for payload in self._earlier if payload in payloads]
        if payloads != self._kept:
            self._write_counters(payloads, kept.newest)

    def _write_counters(self, payloads, upto):
        self._counters_due_s = self._second + _COUNTERS_EVERY_S
        if self._write(self._counters, [(_EARLIER, payload) for payload in payloads]):
            self._kept, self._kept_upto = payloads, upto

    def _write(self, slots, parts):
        try:
            slots.save(parts)
        except (OSError, MemoryError) as error:
            self._said.append("state: not written to flash: %s; is its file system full?" % error)
            return False
        return True
