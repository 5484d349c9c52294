"""How fast and in which form a meter sends: found by trying, as a serial port of the host can't measure it."""

from typing import NamedTuple


class LineForm(NamedTuple):
    """Settings of a serial port."""

    baud: int
    data_bits: int
    parity: str  # as pyserial names it


FORMS = (LineForm(115_200, 8, "N"), LineForm(9_600, 7, "E"))
"""From DSMR 4 on; before (IEC 62056-21)."""

_NOISE_S = 11.0  # a meter speaks every 10 s at the slowest; so long a form is tried in which nothing can be read
_NOTHING_S = 31.0  # and so long one in which there is text, or an encrypted frame perhaps, but no telegram
_LEAST_BYTES = 20  # before they mean anything
_NOISE_SHARE = 0.1  # of bytes that are no text
_TEXT = bytes(range(32, 127)) + b"\r\n"


class FormFinder:
    """Told of what comes, it answers when the other form is to be tried. A line that is silent is no reason to."""

    def __init__(self, noise_s: float = _NOISE_S, nothing_s: float = _NOTHING_S) -> None:
        self._noise_s, self._nothing_s = noise_s, nothing_s
        self._index = 0
        self._since_s: float | None = None  # when the first byte came behind the last telegram
        self._bytes = self._noise = 0

    @property
    def form(self) -> LineForm:
        """The one to listen in."""
        return FORMS[self._index]

    def heard(self, data: bytes, telegrams: int, now_s: float) -> bool:
        """These bytes have come, and with them so many telegrams or frames ended. True: listen in ``form`` anew."""
        if telegrams:
            self._begin()
            return False
        if self._since_s is None:
            self._since_s = now_s
        self._bytes += len(data)
        self._noise += len(data.translate(None, _TEXT))
        wait_s = self._noise_s if self._noise > _NOISE_SHARE * self._bytes else self._nothing_s
        if self._bytes < _LEAST_BYTES or now_s - self._since_s < wait_s:
            return False
        self._index = (self._index + 1) % len(FORMS)
        self._begin()
        return True

    def _begin(self) -> None:
        self._since_s = None
        self._bytes = self._noise = 0
