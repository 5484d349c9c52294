"""Waves of known harmonics, and the measured converters that read them."""

import numpy as np

from fluksometer.domain.linearity import CODES, Linearity
from house.converter import lower_edges

RP2040 = ("rp2040-a", "rp2040-b", "rp2040-c")
RP2350 = ("rp2350-a", "rp2350-b", "rp2350-c")
RANGE_LSB = 4096 / 3.3 * np.sqrt(2)
"""Peak of a clamp's rated current: 1 V rms."""
DATE = "2025-01-31T12:00:00Z"

SINE = {1: (1.0, 0.0)}
"""A shape: order to (part of the fundamental, its angle where the fundamental crosses zero rising)."""
SQUARE = {order: (1 / order, 0.0) for order in range(1, 16, 2)}


def shape_of(cycle):
    """The odd orders 1 to 39 of one cycle that begins at 0."""
    orders = np.fft.rfft(cycle)
    angles = np.angle(1j * orders)
    return {
        order: (float(abs(orders[order] / orders[1])), float(angles[order] - order * angles[1]))
        for order in range(1, 40, 2)
    }


_ANGLE = np.arange(4096) / 4096 * 2 * np.pi
RECTIFIER = shape_of(np.sign(np.sin(_ANGLE)) * np.maximum(0, np.abs(np.sin(_ANGLE)) - 0.946))
"""A capacitor charged near the crests: crest factor 3."""
DIMMER = shape_of(np.sin(_ANGLE) * (_ANGLE % np.pi > np.pi / 2))
"""Half of each half cycle: it rests at zero up to the crest."""


def wave(shape, peak_lsb, t_s, frequency_hz, start_rad=0.3):
    """A shape whose fundamental has this peak, at any moments."""
    angle = 2 * np.pi * frequency_hz * np.asarray(t_s) + start_rad
    return peak_lsb * sum(part * np.sin(order * angle + ahead) for order, (part, ahead) in shape.items())


def ideal_values(curve):
    """Middle between each code's edges, without the curve's own gain and offset."""
    edges, codes = lower_edges(curve), np.arange(CODES)
    middles = np.append((edges[:-1] + edges[1:]) / 2, CODES - 0.1)
    inner = slice(128, 3968)
    return middles - np.polyval(np.polyfit(codes[inner], (middles - codes)[inner], 1), codes)


def table_of(values, chip="rp2040"):
    """The table of these values of all codes."""
    return Linearity.of(values, chip=chip, date=DATE, residual_lsb=0.0, samples=0, visited=(128, 3967))


def default_without(curve):
    """The default as the other boards of this chip would make it: a board must not be judged by a table made from itself."""
    chip = curve[:6]
    others = [ideal_values(one) for one in (RP2040 if chip == "rp2040" else RP2350) if one != curve]
    return table_of(np.mean(others, axis=0), chip)
