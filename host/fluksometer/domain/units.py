"""From ADC counts to amperes and watts, exactly.

``clamp_a`` is how many A rms give 1 V rms at the pin, an int or an exact fraction; the converter has 4096 codes over 3.300 V.
So 1 LSB is 3.3 / 4096 V.
"""

from fractions import Fraction

LSB_V = Fraction(33, 10) / 4096
STEPS = 8  # the board's sums count steps of 1/8 LSB
STEP2_Q20_PER_LSB2 = STEPS * STEPS << 20
CHARGE_PER_LSB_S = STEPS * 1024 * 1000  # the board's charge counter counts 1/1024 step x ms
ENERGY_PER_LSB2_S = 16 * 1000  # its power totals count 1/16 LSB^2 x ms
PRODUCT_PER_LSB2 = STEPS * STEPS * 16  # its products are in 1/16 step^2
UWH_PER_WS = Fraction(1_000_000, 3600)  # micro-watt-hours in a watt-second


def mean_square_lsb2(*, samples: int, sum_sq: int, sum_steps: int) -> Fraction:
    """Mean square of the samples around their own mean, in LSB^2; never below zero. Sums are of steps."""
    return Fraction(max(0, samples * sum_sq - sum_steps * sum_steps), samples * samples * STEPS * STEPS)


def watts_per_lsb(*, clamp_a: Fraction | int, voltage_v: Fraction | int) -> Fraction:
    """Power that one LSB rms stands for, with the voltage taken as constant."""
    return LSB_V * clamp_a * voltage_v


def uwh_per_energy(*, clamp_a: Fraction | int, adapter_v: Fraction | int) -> Fraction:
    """Micro-watt-hours that one unit of the board's power totals is worth; ``adapter_v`` V rms give 1 V rms at the pin."""
    return LSB_V * clamp_a * LSB_V * adapter_v * UWH_PER_WS / ENERGY_PER_LSB2_S


def uwh_per_charge(*, clamp_a: Fraction | int, voltage_v: Fraction | int) -> Fraction:
    """Micro-watt-hours that one unit of the charge counter is worth."""
    return watts_per_lsb(clamp_a=clamp_a, voltage_v=voltage_v) * UWH_PER_WS / CHARGE_PER_LSB_S


def plain(value: Fraction | int) -> int | float:
    """An exact number as people and JSON read it: whole ones as int, others as the nearest float."""
    return int(value) if value == int(value) else float(value)
