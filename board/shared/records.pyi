from typing import Any

class RangeError(ValueError): ...

class Layout:
    kind: int
    name: str
    fields: tuple[tuple[str, str, int, int], ...]
    tail: str | None
    text: bool
    size: int
    def __init__(
        self,
        kind: int,
        name: str,
        fields: tuple[tuple[str, str, int, int], ...],
        tail: str | None = ...,
        text: bool = ...,
    ) -> None: ...
    def pack(self, *values: Any) -> bytes: ...
    def unpack(self, payload: bytes) -> tuple[Any, ...]: ...

CHIP_RP2040: int
CHIP_RP2350: int
CLIPPED: int
GAP: int
NO_SIGNAL: int
BIAS_MOVED: int
NO_MAINS: int
PAIR_1_2: int
PAIR_1_3: int
PAIR_2_3: int
RAW_CODES: int
TABLE_STEPS: int
CAPTURE_CODES: int
LOG_INFO: int
LOG_WARNING: int
LOG_ERROR: int
HELLO: Layout
CLAMP: Layout
PULSE: Layout
HEALTH: Layout
LOG: Layout
MIN_CONVERSIONS_HZ: int
MAX_CONVERSIONS_HZ: int
GREET: Layout
SETTINGS: Layout
PAIR: Layout
RAW: Layout
CALIBRATION: Layout
TABLE: Layout
CAPTURE: Layout
TO_HOST: dict[int, Layout]
TO_BOARD: dict[int, Layout]
