from .layout import Layout

P1_PIECE_BYTES: int
P1_NO_CRC: int
P1_CRC_OK: int
P1_FRAME: int
P1_TELEGRAM: Layout
P1_STATUS: Layout
SERIAL_BYTES: int
SERIAL_IN: Layout
SERIAL_STATUS: Layout
PACKET: Layout
RADIO_NONE: int
RADIO_RFM12B: int
RADIO_RFM69: int
RADIO_STATUS: Layout
BUTTON: Layout
SERIAL_OUT: Layout
RADIO_SEND: Layout
RADIO_LISTEN: Layout
LED_OFF: int
LED_ON: int
LED_SLOW: int
LED_FAST: int
LED_BLINK: int
PANEL: Layout
TO_HOST: dict[int, Layout]
TO_BOARD: dict[int, Layout]
