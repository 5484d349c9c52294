from .layout import Layout as Layout

PULSE_PORTS: tuple[int, ...]
RADIO_OFF: int
RADIO_FLUKSO: int
RADIO_JEENODE: int
SERIAL_8N1: int
SERIAL_8E1: int
SERIAL_8O1: int
SERIAL_8N2: int
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
EARLIER: Layout
ACK: Layout
TO_HOST: dict[int, Layout]
TO_BOARD: dict[int, Layout]
