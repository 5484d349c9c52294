# Starts the sensor board when it gets power. wiring.py builds it; ./flash.sh compiles that one, so that the chip need not at
# each start. Pins are in pins.py.
import wiring

wiring.start()
