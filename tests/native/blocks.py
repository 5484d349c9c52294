# Runs on CPython's neighbours (the chip and MicroPython for Linux): random blocks through the native module, their bytes hashed.
# host_digest() in test_bit_identical.py does the same through cffi.
from array import array
from binascii import hexlify
from hashlib import sha256

import metering


def digest(seed, blocks, window):
    """Hex SHA-256 over all windows that these random blocks close."""
    state, out, total = bytearray(metering.STATE_BYTES), bytearray(metering.WINDOW_BYTES), sha256()
    for block in range(blocks):
        channels = block % 3 + 1
        metering.init(state, channels, window, 1 + block * 37)
        codes = array("H", bytearray(2 * channels * window))
        for index in range(len(codes)):
            seed = (seed * 1103515245 + 12345) & 0x7FFFFFFF
            # Every fourth block swings to both ends, the others stay small, as currents do.
            codes[index] = seed >> 19 if block % 4 == 3 else 2048 + (seed >> 23) - 128
        at = 0
        while at < window:  # in pieces of all lengths, as the ring gives them
            at += metering.fold(state, codes, at * channels, min(window - at, 1 + seed % 97))
            seed = (seed * 1103515245 + 12345) & 0x7FFFFFFF
        for channel in range(channels):
            metering.take(state, channel, out, 0)
            total.update(out)
    return hexlify(total.digest()).decode()
