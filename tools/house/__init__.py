"""The emulated house: a Raspberry Pi Pico that runs the released firmware, with virtual mains, clamps and pulses on its pins."""
