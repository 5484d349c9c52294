"""Total power of several clamps: one phase, three with a neutral, three without.

Without a neutral (3 x 230 V) loads lie between two lines each. Seen from their common star, the currents of resistive
loads are three vectors 120 degrees apart whose tips form the triangle of the line currents: each line current is the
difference of two of them. So the sum of the three is the sum of distances of the triangle's corners from its Fermat
point, which only takes the sides: total^2 = (I1^2 + I2^2 + I3^2) / 2 + 2 sqrt(3) x area.
"""

from collections.abc import Sequence
from math import sqrt
from typing import Final, Literal, get_args

from .power import signed_rms

PhaseMode = Literal["1p", "3p+n", "3p-n"]
PHASE_MODES: Final[tuple[PhaseMode, ...]] = get_args(PhaseMode)
CLAMPS: Final[dict[PhaseMode, tuple[int, ...]]] = {"1p": (1, 2, 3), "3p+n": (3,), "3p-n": (2, 3)}
"""How many clamps a mode works with: each for itself, one a phase, two or all three lines."""


def clamps_fault(mode: PhaseMode, clamps: int) -> str | None:
    """What is wrong with this number of clamps, for people to read; None when the mode works with it."""
    fits = CLAMPS[mode]
    if clamps in fits:
        return None
    wanted = " or ".join(str(number) for number in fits)
    return f"{mode} needs {wanted} clamps, not {clamps}"


def third_mean_square(first: float, second: float, product: float) -> float:
    """Mean square of the third line's current, which is minus the sum of the other two; all in one unit squared.

    ``first`` and ``second`` without their noise floors: noise would look like a third current. ``product``: mean of the
    product of the two currents, both clamps facing the load, at the same instant (``compensation`` with ``delay_deg``):
    an angle of 1 degree left between the clamps reads a load between those two lines 1.5 % high. Slightly below zero by
    chance.
    """
    return first + second + 2 * product


def without_neutral_w(mean_squares_a2: Sequence[float], voltage_v: float) -> float:
    """``3p-n``: total power of loads between three lines, from the mean squares of the three line currents in A^2.

    ``voltage_v`` from line to line. The lines may come in any order. Not valid where a pair of lines exports.

    Exact for resistive loads in any mix. Errors of 50,000 simulated mixes, loads of 0..3 kW on half of the time, 1 kW
    at least in all (tests/host/test_phases.py):

    * noise, two clamps of 50 A, 1.2 LSB, 20000 samples a window: 0.02 % rms, 0.25 % at most; from 500 W 0.4 %;
      without load 0.06 W on average (an area is never negative), 1.3 W rms
    * 1 % (one sigma) of clamp error: 0.8 % rms, 4 % at most with two clamps; 0.75 % and 6 % with three
    * loads of lower power factor, each its own, late: reads high, as for each load it tends to the apparent power. From
      0.98 to 1 by 1.0 % on average, 2.0 % at most; from 0.95 by 2.5 and 5.3 %; from 0.9 by 5.2 and 11.1 %

    Mean squares that noise made negative, or that are no triangle's, have an area of 0. The result is a signed root.
    """
    ordered = sorted(mean_squares_a2)
    return voltage_v * signed_rms(sum(ordered) / 2 + 2 * sqrt(3) * _area(ordered))


def _area(ordered_squares: Sequence[float]) -> float:
    """Of a triangle with these squared sides, the smallest first; 0 when there is none.

    Heron's formula in the order of Kahan ("Miscalculating area and angles of a needle-like triangle").
    """
    c, b, a = (sqrt(max(0.0, square)) for square in ordered_squares)
    return sqrt(max(0.0, (a + (b + c)) * (c - (a - b)) * (c + (a - b)) * (a + (b - c)))) / 4


ManualRule = Literal["two-clamp", "three-clamp"]
MANUAL_RULES: Final[dict[ManualRule, tuple[int, float]]] = {"two-clamp": (2, 230.0), "three-clamp": (3, 133.0)}
"""Clamps, and the volts that each one's current is multiplied with: what the original device's manual advises.

Errors over the same mixes as in ``without_neutral_w``: ``two-clamp`` reads 28 % high on average and 100 % at most (a
load between the clamped lines counts twice; an even three-phase load 15 %); ``three-clamp`` 11 % on average and 15.7 %
at most (one load alone), an even three-phase load 0.2 %.
"""
