# The sensor board's logic. Hardware is handed in by wiring.py, so everything here also runs on MicroPython for Linux.
