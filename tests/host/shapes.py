"""Waves of known harmonics, and the measured converters that read them: those of the accuracy figures."""

from accuracy_waves import (
    DATE,
    DIMMER,
    RANGE_LSB,
    RECTIFIER,
    RP2040,
    RP2350,
    SINE,
    SQUARE,
    default_without,
    ideal_values,
    table_of,
    wave,
)

__all__ = [
    "DATE",
    "DIMMER",
    "RANGE_LSB",
    "RECTIFIER",
    "RP2040",
    "RP2350",
    "SINE",
    "SQUARE",
    "default_without",
    "ideal_values",
    "table_of",
    "wave",
]
