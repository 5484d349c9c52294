# Two records of the same input put together, where they stand: the later one becomes both. docs/wire.md says how.
# From charge and import_total on the bytes are those of native/metering/metering.h.
import struct

from shared._compat import const

_SAMPLES_MAX = const(0x7FFFFFFF)
_CYCLES_MAX = const(0xFFFF)
_CLAMP, _CLAMP_AT = "<QqIIhhHH", const(26)  # from sum_sq on: what comes before are totals, and how it was sampled
_PAIR, _PAIR_AT = "<qqII", const(26)  # from product on


def merge_clamp(data, before, at):
    """The clamp payload at `before` goes into the later one at `at`."""
    square, sum_, samples, mhz, low, high, flags, cycles = struct.unpack_from(_CLAMP, data, before + _CLAMP_AT)
    square_b, sum_b, samples_b, mhz_b, low_b, high_b, flags_b, cycles_b = struct.unpack_from(
        _CLAMP, data, at + _CLAMP_AT
    )
    if samples + samples_b > _SAMPLES_MAX:  # a day: the later one alone, its totals have all
        return
    struct.pack_into(
        _CLAMP,
        data,
        at + _CLAMP_AT,
        square + square_b,
        sum_ + sum_b,
        samples + samples_b,
        mhz_b or mhz,
        min(low, low_b),
        max(high, high_b),
        flags | flags_b,
        min(cycles + cycles_b, _CYCLES_MAX) if cycles and cycles_b else 0,
    )


def merge_pair(data, before, at):
    """The pair payload at `before` goes into the later one at `at`."""
    product, lagged, samples, flags = struct.unpack_from(_PAIR, data, before + _PAIR_AT)
    product_b, lagged_b, samples_b, flags_b = struct.unpack_from(_PAIR, data, at + _PAIR_AT)
    both = samples + samples_b
    if both > _SAMPLES_MAX:
        return
    struct.pack_into(
        _PAIR,
        data,
        at + _PAIR_AT,
        _nearest(product * samples + product_b * samples_b, both),
        _nearest(lagged * samples + lagged_b * samples_b, both),
        both,
        flags | flags_b,
    )


def _nearest(numerator, denominator):
    # Halves away from zero, as the core rounds.
    size = (2 * abs(numerator) + denominator) // (2 * denominator)
    return -size if numerator < 0 else size
