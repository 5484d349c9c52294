# A host as docs/wire.md wants it, with no more than the rules of "Kept records".
from shared.deframer import Deframer


class Receiver:
    """taken: (number, kind, payload) of each kept record, in the order in which they count."""

    def __init__(self, last=0):
        self.last = last
        self.taken = []
        self.refused = self.doubled = 0
        self._deframer = Deframer()

    @property
    def damaged(self):
        return self._deframer.dropped

    def hear(self, data):
        """True when something has not come: the host asks for it with a resume."""
        missing = False
        for kind, seq, prev, payload in self._deframer.push(data):
            missing = (seq and not self.take(kind, seq, prev, payload)) or missing
        return missing

    def take(self, kind, seq, prev, payload):
        """False when there is a record before it that has not come."""
        if prev > self.last:
            self.refused += 1
            return False
        if seq <= self.last:
            self.doubled += 1
        else:
            self.last = seq
            self.taken.append((seq, kind, payload))
        return True
