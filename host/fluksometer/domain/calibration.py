"""What is known of each board beside its type, as it is kept: gain, phase and noise of each port, with date and residual."""

from collections.abc import Iterable
from fractions import Fraction
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, Field

from fluksometer.faults import Table

from .board_calibration import BoardCalibration
from .meters import Calibrations, InputCalibration, pair_delay_deg
from .power import compensation_q14, rounded
from .readings import PAIRS, Hello
from .sensors import Sensor, SensorClass
from .units import STEP2_Q20_PER_LSB2

FORMAT: Final = "fluksometer calibration 1"
HIGHEST_FLOOR_LSB2: Final = 30.0
_NO_PHASE: Final = (1 << 14, 0)
_MOST_C: Final = 1 << 20


def _uid(key: str) -> str:
    if len(key) != 16 or any(digit not in "0123456789abcdef" for digit in key):
        raise ValueError("16 lower-case hex digits, the board's uid")
    return key


class Known(Table):
    """One number, where it comes from, and how far the measurement disagreed with itself (same unit; None: not told)."""

    value: float
    date: str
    how: str
    residual: float | None = None


class Gain(Known):
    """Real / nominal."""

    value: float = Field(ge=0.5, le=2.0)


class Phase(Known):
    """Lead of the output over the input, degrees at the mains frequency."""

    value: float = Field(ge=-30, le=30)


class Floor(Known):
    """Variance of the converter's noise, LSB^2."""

    value: float = Field(ge=0, le=HIGHEST_FLOOR_LSB2)


class PortBook(Table):
    """What is known of one port; what is None has its default."""

    gain: Gain | None = None
    phase_deg: Phase | None = None
    floor_lsb2: Floor | None = None


class Book(Table):
    """The file: boards by uid, ports by number."""

    format: Literal["fluksometer calibration 1"] = FORMAT
    boards: dict[Annotated[str, AfterValidator(_uid)], dict[Literal["1", "2", "3"], PortBook]] = Field(
        default_factory=dict
    )

    def port(self, uid: str, port: int) -> PortBook:
        """What is known of a board's port."""
        return self.boards.get(uid, {}).get(_key(port), PortBook())

    def with_port(self, uid: str, port: int, **known: Known | None) -> "Book":
        """The book with these numbers of a port replaced; None forgets one."""
        board = self.boards.get(uid, {})
        ports = board | {_key(port): self.port(uid, port).model_copy(update=dict(known))}
        return self.model_copy(update={"boards": self.boards | {uid: ports}})

    def with_board(self, uid: str) -> "Book":
        """The book that knows of this board."""
        return self if uid in self.boards else self.model_copy(update={"boards": self.boards | {uid: {}}})


def _key(port: int) -> Literal["1", "2", "3"]:
    keys: tuple[Literal["1", "2", "3"], ...] = ("1", "2", "3")
    return keys[port - 1]


def uid_of(hello: Hello) -> str:
    """The board's key in the book."""
    return f"{hello.uid:016x}"


def calibrations(book: Book, uid: str, sensors: Iterable[Sensor]) -> dict[int, InputCalibration]:
    """What to use for each port of the analog and voltage sensors; a clamp's typical phase where none was measured."""
    known = {}
    for sensor in sensors:
        if sensor.sensor_class is SensorClass.PULSE:
            continue
        for port in sensor.ports:
            kept = book.port(uid, port)
            known[port] = InputCalibration(
                gain=Fraction(str(kept.gain.value)) if kept.gain else Fraction(1),
                phase_deg=kept.phase_deg.value if kept.phase_deg else sensor.phase_deg,
                floor_lsb2=kept.floor_lsb2.value if kept.floor_lsb2 else 0.0,
            )
    return known


def board_calibration(hello: Hello, known: Calibrations, table: tuple[int, ...], *, mains_hz: int) -> BoardCalibration:
    """What the board has to know, for the ports that it samples."""
    ports = tuple(port for port in (1, 2, 3) if hello.clamp_ports >> (port - 1) & 1)
    floors = [known[port].floor_lsb2 if port in known else 0.0 for port in (1, 2, 3)]
    compensations = []
    for pair in PAIRS:
        usable = all(port in ports and port in known for port in pair) and 2 * mains_hz < hello.rate_hz
        found = _NO_PHASE
        if usable:
            delay_deg = pair_delay_deg(pair, ports, hello.rate_hz, mains_hz, known)
            found = compensation_q14(delay_deg, mains_hz, hello.rate_hz)
        compensations.append(found if max(map(abs, found)) <= _MOST_C else _NO_PHASE)
    q20 = [rounded(floor * STEP2_Q20_PER_LSB2) for floor in floors]
    return BoardCalibration(table=table, floor_q20=(q20[0], q20[1], q20[2]), compensation=tuple(compensations))
