# What flows and pulses around a virtual board, as whole numbers: the truth that its readings are judged by. Both sides use it:
# the board's program on MicroPython, which lets it happen, and the judge.

WINDOW_US = 1_000_000  # a clamp window is exactly a second
CLAMP_PORTS = (1, 2, 3)
PULSES_PER_KS = {4: 20_000, 5: 700}  # pulses in a thousand seconds, by port
CHARGE_PER_STEP = 1024 * (WINDOW_US // 1000)  # what a window adds to a clamp's charge, for each step rms
_LEAST_STEPS, _KINDS_OF_WINDOW = 800, 4000  # of 1/8 LSB; after so many windows the values come again
_APART = 97  # windows of one boot and the next


def steps_rms(port: int, window: int, boot_id: int = 0) -> int:
    """Rms of a clamp in a window of a boot, in steps of 1/8 LSB. Neighbours differ, so that a reading tells of which it is."""
    return _LEAST_STEPS * port + (window + _APART * boot_id) % _KINDS_OF_WINDOW


def pulses_until(port: int, t_us: int) -> int:
    """Pulses of a port from the board's start to a moment of its clock."""
    return t_us * PULSES_PER_KS[port] // 1_000_000_000


def edge_us(port: int, pulse: int) -> int:
    """When a pulse began; pulses are numbered from 1 on."""
    return -(-pulse * 1_000_000_000 // PULSES_PER_KS[port])
