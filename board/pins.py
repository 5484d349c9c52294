# Which pin is which terminal. Change a number here and run ./flash.sh to move a wire.
# Clamps need the converter's pins: a Pico has them at GP26, GP27 and GP28.
CLAMP_GPIO = {1: 26, 2: 27, 3: 28}
# Pulse inputs have the internal pull-up on and count when the meter pulls them to ground. Ports 2 and 3 are either.
PULSE_GPIO = {2: 2, 3: 3, 4: 4, 5: 5}
