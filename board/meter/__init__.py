# The sensor board's logic. Hardware is handed in by main.py, so everything here also runs on MicroPython for Linux.
