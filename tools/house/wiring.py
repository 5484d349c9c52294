"""Which port of the Fluksometer is which pin of the Pico (the board's own table is board/pins.py)."""

from typing import Final

CLAMP_GPIO: Final = {1: 26, 2: 27, 3: 28}
"""Clamp port to GPIO. GP26 to GP28 are the converter's inputs 0 to 2."""

ADC_CHANNEL: Final = {port: gpio - 26 for port, gpio in CLAMP_GPIO.items()}
"""Clamp port to input of the converter."""

PULSE_GPIO: Final = {2: 2, 3: 3, 4: 4, 5: 5}
"""Pulse port to GPIO: active low (a reed or an open collector to ground), held up by the board's own pull-up."""

P1_UART: Final = 1
P1_RX_GPIO: Final = 9
"""The smart meter's data come in here."""

P1_REQUEST_GPIO: Final = 7
"""High while the board asks the smart meter for telegrams."""
LED_GPIO: Final = {"wifi": 10, "ethernet": 11, "globe": 12, "heartbeat": 13, "power": 14}
"""LED to GPIO: lit while the pin is driven high."""

BUTTON_GPIO: Final = 15
"""The button pulls it to ground, and leaves it to the board's own pull-up."""
SERIAL_ENABLE_GPIO: Final = 6
"""RS-485, port 6: its transceiver's driver is on while this is high. Data are on UART 0."""
