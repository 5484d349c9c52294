"""Keeps what is known of the board in use: reads and writes the book, learns the noise floors, tells the board."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final

import structlog

from fluksometer.adapters.calibration_file import CalibrationFile
from fluksometer.domain.board_calibration import IDENTITY, BoardCalibration
from fluksometer.domain.calibration import Book, Floor, board_calibration, calibrations, uid_of
from fluksometer.domain.meters import Calibrations
from fluksometer.domain.power import FloorLearner
from fluksometer.domain.readings import ClampWindow, Hello
from fluksometer.domain.sensors import Sensor, SensorClass
from fluksometer.domain.units import mean_square_lsb2
from fluksometer.domain.wire import BIAS_MOVED, CLIPPED, GAP, NO_SIGNAL
from fluksometer.errors import StateFault

WORTH_TELLING: Final = 0.002
"""A floor that moved by less than this part is neither written nor sent: each of both has its price."""
_FLAGGED: Final = BIAS_MOVED | CLIPPED | GAP | NO_SIGNAL
_log = structlog.get_logger("fluksometer")


class Calibrator:
    """``tables``: steps of each code by the chip's number; a chip that is not in it has an ideal converter."""

    def __init__(
        self, file: CalibrationFile, sensors: Iterable[Sensor], tables: dict[int, tuple[int, ...]], *, mains_hz: int
    ) -> None:
        self._file = file
        self._book: Book = file.read()
        self._sensors = [sensor for sensor in sensors if sensor.enabled]
        self._clamps = {p for s in self._sensors if s.sensor_class is SensorClass.ANALOG for p in s.ports}
        self._tables = tables
        self._mains_hz = mains_hz
        self._learners: dict[int, FloorLearner] = {}
        self._uid = ""

    def for_board(self, hello: Hello) -> BoardCalibration:
        """What this board has to know."""
        self._enter(hello)
        return board_calibration(hello, self.known(hello), self.table(hello), mains_hz=self._mains_hz)

    def table(self, hello: Hello) -> tuple[int, ...]:
        """Steps of each code of this board's converter."""
        return self._tables.get(hello.chip, IDENTITY)

    def known(self, hello: Hello) -> Calibrations:
        """What to use for each port of this board."""
        return calibrations(self._book, uid_of(hello), self._sensors)

    def learn(self, hello: Hello, window: ClampWindow) -> bool:
        """Look at a window of a clamp; True when its noise floor has become another one."""
        if window.port not in self._clamps:
            return False
        self._enter(hello)
        kept = self._book.port(self._uid, window.port).floor_lsb2
        before = kept.value if kept else None
        learner = self._learners.setdefault(window.port, FloorLearner(before or None))
        square = mean_square_lsb2(samples=window.samples, sum_sq=window.sum_sq, sum_steps=window.sum_)
        flagged = bool(window.flags & _FLAGGED)
        if not learner.add(float(square), window.samples, at_s=window.t_us / 1e6, flagged=flagged):
            return False
        floor = learner.floor or 0.0
        if before is not None and abs(floor - before) < WORTH_TELLING * before:
            return False
        if not self.reread():  # what somebody has just written counts more
            self._keep(window.port, floor)
        return True

    def _enter(self, hello: Hello) -> None:
        uid = uid_of(hello)
        if uid == self._uid:
            return
        self._uid, self._learners = uid, {}
        if self._tables and hello.chip not in self._tables:
            _log.warning(
                "linearity_not_used", uid=uid, reason="board.linearity has no table for the chip of this board"
            )
        self.reread()
        if uid not in self._book.boards:
            self._book = self._book.with_board(uid)
            self._write()

    def _keep(self, port: int, floor_lsb2: float) -> None:
        date = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        floor = Floor(value=round(floor_lsb2, 6), date=date, how="learned from quiet minutes")
        self._book = self._book.with_port(self._uid, port, floor_lsb2=floor)
        _log.info("noise_floor_learned", port=port, rms_lsb=round(floor_lsb2**0.5, 3))
        self._write()

    def _write(self) -> None:
        try:
            self._file.write(self._book)
        except StateFault as fault:
            _log.warning("calibration_not_kept", reason=str(fault))

    def reread(self) -> bool:
        """Read the file again if somebody changed it; True when it was."""
        if not self._file.changed():
            return False
        try:
            self._book = self._file.read()
        except StateFault as fault:
            _log.warning("calibration_not_read", reason=str(fault))
            return False
        self._learners = {}
        _log.info("calibration_read", file=str(self._file.path))
        return True
