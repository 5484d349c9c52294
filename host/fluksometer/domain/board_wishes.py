"""What the board should have and lacks: settings, calibration, linearity table. No clock and no port in here."""

from collections.abc import Callable
from dataclasses import fields

from . import wire
from .board_calibration import BoardCalibration
from .desk import Ask
from .link_events import Event, SettingsRefused
from .readings import BoardSettings, Hello

ANSWER_S = 2.0  # the board answers settings or a calibration with a hello well within this
TABLE_ANSWER_S = 6.0  # ... and a linearity table, which has 7 kB
TRIES = 3
_SETTINGS, _CALIBRATION, _TABLE, _CONTENT = range(4)  # what the board lacks


class Wishes:
    """Asks for one thing after the other: settings first, as a change of them starts the sampling anew, then the calibration,
    then the linearity table. The answer to each is a hello.

    ``send`` takes what is to be sent.
    """

    def __init__(
        self,
        wanted: BoardSettings,
        calibration_of: Callable[[Hello], BoardCalibration],
        send: Callable[[Ask], None],
    ) -> None:
        self.wanted = wanted
        self.at_s: float | None = None  # ask again when no hello came until then
        self._calibration_of = calibration_of
        self._send = send
        self._tries = 0
        self._stage = _SETTINGS  # of the last ask
        self._why = ""  # what is wrong with the answer to it

    def changed(self, hello: Hello, now_s: float) -> list[Event]:
        """Another calibration is wanted: ask also a board that refused what it was asked before."""
        if self.at_s is None:
            self.forget()
        return self.hear(hello, now_s)

    def hear(self, hello: Hello, now_s: float) -> list[Event]:
        """The board has shown what is in force."""
        stage, self._why = self._shortfall(hello)
        if stage == _CONTENT:
            self.forget()
            return []
        if stage != self._stage:
            self._tries = 0
        elif self.at_s is not None and now_s < self.at_s:
            return []  # asked already, and this may be the answer to an earlier question: give it its time
        return self.ask(hello, now_s)

    def forget(self) -> None:
        """Nothing has been asked of this board yet."""
        self.at_s, self._tries, self._stage = None, 0, _SETTINGS

    def _shortfall(self, hello: Hello) -> tuple[int, str]:
        if hello.settings != self.wanted:
            return _SETTINGS, _differences(self.wanted, hello.settings)
        calibration = self._calibration_of(hello)
        if calibration.rest_differs(hello):
            return _CALIBRATION, "the calibration in force is another one"
        if calibration.table_differs(hello):
            return _TABLE, "the linearity table in force is another one"
        return _CONTENT, ""

    def ask(self, hello: Hello, now_s: float) -> list[Event]:
        """Ask for the first thing that is lacking, unless that was in vain often enough."""
        stage, _why = self._shortfall(hello)
        if stage == _CONTENT:  # what was asked for has been taken back meanwhile
            self.forget()
            return []
        if self._tries >= TRIES:
            first_time = self._tries == TRIES
            self._tries += 1
            self.at_s = None
            return [SettingsRefused(self._why)] if first_time else []
        self._tries += 1
        self._why = "no answer"
        self._stage = stage
        self.at_s = now_s + (TABLE_ANSWER_S if self._stage == _TABLE else ANSWER_S)
        calibration = self._calibration_of(hello)
        if self._stage == _SETTINGS:
            self._send(wire.settings(self.wanted))
        elif self._stage == _CALIBRATION:
            self._send(wire.calibration(calibration))
        else:
            for piece in wire.table(calibration):
                self._send(piece)
        return []


def _differences(wanted: BoardSettings, real: BoardSettings) -> str:
    pairs = ((field.name, getattr(wanted, field.name), getattr(real, field.name)) for field in fields(BoardSettings))
    return ", ".join(f"{name} is {is_now}, not {want}" for name, want, is_now in pairs if want != is_now)
