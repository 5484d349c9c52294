"""Which port of the Fluksometer is which pin of the Pico (the board's own table is board/pins.py)."""

from typing import Final

CLAMP_GPIO: Final = {1: 26, 2: 27, 3: 28}
"""Clamp port to GPIO. GP26 to GP28 are the converter's inputs 0 to 2."""

ADC_CHANNEL: Final = {port: gpio - 26 for port, gpio in CLAMP_GPIO.items()}
"""Clamp port to input of the converter."""

PULSE_GPIO: Final = {2: 2, 3: 3, 4: 4, 5: 5}
"""Pulse port to GPIO: active low (a reed or an open collector to ground), held up by the board's own pull-up."""

SERIAL_ENABLE_GPIO: Final = 6
"""RS-485, port 6: its transceiver's driver is on while this is high. Data are on UART 0."""
