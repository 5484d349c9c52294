# Which pin is which terminal. Change a number here and run ./flash.sh to move a wire.
# Clamps need the converter's pins: a Pico has them at GP26, GP27 and GP28.
CLAMP_GPIO = {1: 26, 2: 27, 3: 28}
# Pulse inputs have the internal pull-up on and count when the meter pulls them to ground. Ports 2 and 3 are either.
PULSE_GPIO = {2: 2, 3: 3, 4: 4, 5: 5}
# P1: data of the meter, on a receiver of UART 1 (GP5, GP9, GP21 or GP25); the request line drives the meter's through a
# transistor or directly; the transmitter of that UART is not used, but takes its pin.
P1_RX_GPIO, P1_TX_GPIO, P1_REQUEST_GPIO = 9, 8, 7
# RS-485 (port 6): a transceiver on UART 0; its driver is on while the enable pin is high.
SERIAL_TX_GPIO, SERIAL_RX_GPIO, SERIAL_ENABLE_GPIO = 0, 1, 6
# Radio: RFM12B or RFM69CW on SPI 0. Interrupt: nIRQ of an RFM12B, DIO1 of an RFM69CW. Reset: of an RFM69CW.
RADIO_MISO_GPIO, RADIO_SELECT_GPIO, RADIO_CLOCK_GPIO, RADIO_MOSI_GPIO = 16, 17, 18, 19
RADIO_IRQ_GPIO, RADIO_RESET_GPIO = 20, 21
# Panel: LEDs light when their pin is high; the button pulls its pin to ground.
LED_GPIO = {"wifi": 10, "ethernet": 11, "globe": 12, "heartbeat": 13, "power": 14}
BUTTON_GPIO = 15
