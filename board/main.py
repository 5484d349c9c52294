# Starts the sensor board when it gets power. wiring.py builds it; ./flash.sh compiles that one, so that the chip need not at
# each start. Pins are in pins.py.
import gc

# What loading a module needs for a moment is used again by the next one; else each leaves a hole that nothing long fits into.
gc.threshold(32768)
import wiring  # noqa: E402

gc.threshold(-1)

wiring.start()
