"""What the board needs to know of its own hardware: what its codes mean, how much noise each clamp has, phases of pairs."""

import sys
from array import array
from dataclasses import dataclass
from functools import cached_property
from typing import Final
from zlib import crc32

from fluksometer.shared import records

from .readings import Hello

TABLE_CODES: Final = 4096
LEAST_RISE: Final = 8 - 128
MOST_RISE: Final = 8 + 127
"""From one code of a table to the next: 8 steps (1/8 LSB each) are one LSB, and the wire has 8 bits for what is beside."""
MOST_STEP: Final = 16383
IDENTITY: Final = tuple(max(-MOST_STEP, 8 * (code - 2048)) for code in range(TABLE_CODES))
"""The table of an ideal converter, which the board starts with."""
_NO_PHASE: Final = (1 << 14, 0)


@dataclass(frozen=True, kw_only=True)
class BoardCalibration:
    """``table``: steps of each code. ``floor_q20``: noise variance by port in 2^-20 step^2.

    ``compensation``: (c0, c1) in 2^-14 of the pairs 1-2, 1-3, 2-3 (domain/power.py).
    """

    table: tuple[int, ...] = IDENTITY
    floor_q20: tuple[int, int, int] = (0, 0, 0)
    compensation: tuple[tuple[int, int], ...] = (_NO_PHASE,) * 3

    def __post_init__(self) -> None:
        """Raises ValueError when the table is none that the wire and the board can hold."""
        rises = [later - earlier for earlier, later in zip(self.table, self.table[1:], strict=False)]
        if len(self.table) != TABLE_CODES or max(map(abs, self.table)) > MOST_STEP:
            raise ValueError(f"a table has {TABLE_CODES} steps within +-{MOST_STEP}")
        if not LEAST_RISE <= min(rises) <= max(rises) <= MOST_RISE:
            raise ValueError(f"a table rises by {LEAST_RISE} to {MOST_RISE} from code to code")

    def values(self) -> tuple[int, ...]:
        """Fields of the calibration record, in their order."""
        return (*self.floor_q20, *(value for pair in self.compensation for value in pair))

    @cached_property
    def table_crc(self) -> int:
        """What a board's hello tells when this table has been sent and is in force."""
        steps = array("h", self.table)
        if sys.byteorder == "big":
            steps.byteswap()
        return crc32(steps.tobytes())

    @cached_property
    def crc(self) -> int:
        """What a board's hello tells when the rest is in force."""
        return crc32(records.CALIBRATION.pack(*self.values()))

    def table_differs(self, hello: Hello) -> bool:
        """Whether the board uses another table."""
        return hello.table_crc != self.table_crc and (hello.table_crc != 0 or self.table != IDENTITY)

    def rest_differs(self, hello: Hello) -> bool:
        """Whether the board uses other noise floors or phases."""
        return hello.calibration_crc != self.crc and (
            hello.calibration_crc != 0 or self != BoardCalibration(table=self.table)
        )
