# Runs on CPython and on MicroPython.
import json

from shared.rf12 import RadioError
from shared.rf_chips import FLUKSO, JEENODE, Air, rfm12b_words, rfm69_registers

_AIRS = {"flukso": FLUKSO, "jeenode": JEENODE}


def _vectors(name):
    folder = __file__.rsplit("/", 1)[0] if "/" in __file__ else "."
    with open(folder + "/../vectors/rf12.json") as file:
        return json.load(file)[name]


def _refusal(call, *values):
    try:
        call(*values)
    except RadioError as error:
        return str(error)
    return None


def _near(value, wanted, share):
    return abs(value - wanted) <= share * wanted


def test_rfm12b_golden_words():
    for vector in _vectors("rfm12b"):
        words = ["%04x" % word for word in rfm12b_words(_AIRS[vector["air"]], vector["group"])]
        assert " ".join(words) == vector["words"], vector["air"]


def test_rfm69_golden_registers():
    for vector in _vectors("rfm69"):
        pairs = ["%02x%02x" % pair for pair in rfm69_registers(_AIRS[vector["air"]], vector["group"])]
        assert " ".join(pairs) == vector["registers"], vector["air"]


def test_rfm12b_words_mean_what_was_asked():
    # The data sheet's formulas the other way round.
    for carrier_khz, factor, base in ((433920, 1, 43), (868300, 2, 43), (915000, 3, 30), (879515, 2, 43)):
        for bit_rate in (600, 2400, 4800, 19157, 49261, 115200):
            words = rfm12b_words(Air(carrier_khz, bit_rate, 45, 67, -73), 5)
            assert words[0] == 0x80C7 + (factor << 4)
            told_khz = 10000 * factor * (base + (words[2] & 0xFFF) / 4000)
            assert abs(told_khz - carrier_khz) <= 1.25 * factor + 0.1
            assert 96 <= words[2] & 0xFFF <= 3903
            told_rate = 10e6 / 29 / ((words[3] & 0x7F) + 1) / (8 if words[3] & 0x80 else 1)
            assert _near(told_rate, bit_rate, 0.01 if bit_rate < 49000 else 0.05), (bit_rate, told_rate)
            assert words[4] == 0x9400 | 6 << 5 | 5 and words[10] == 0x9820 and words[8] == 0xCE05


def test_rfm69_registers_mean_what_was_asked():
    for air in (FLUKSO, JEENODE, Air(433920, 4800, 30, 67, -100)):
        told = dict(rfm69_registers(air, 5))
        assert _near(32e6 / (told[3] << 8 | told[4]), air.bit_rate, 0.001)
        assert _near((told[5] << 8 | told[6]) * 32e6 / 524288, air.deviation_khz * 1e3, 0.001)
        assert _near((told[7] << 16 | told[8] << 8 | told[9]) * 32e6 / 524288, air.carrier_khz * 1e3, 1e-6)
        mantissa, exponent = 16 + 4 * (told[0x19] >> 3 & 3), told[0x19] & 7
        width = 32e6 / (mantissa * 2 ** (exponent + 2))
        assert air.deviation_khz * 1e3 + air.bit_rate / 2 < width < 2 * (air.deviation_khz * 1e3 + air.bit_rate)
        assert told[0x29] == -2 * air.busy_dbm and told[0x30] == 5


def test_what_the_chips_cannot_do_is_refused():
    for change, name in (
        ({"carrier_khz": 870}, "carrier_khz"),
        ({"carrier_khz": 880000}, "carrier_khz"),
        ({"bit_rate": 100}, "bit_rate"),
        ({"bit_rate": 200000}, "bit_rate"),
        ({"deviation_khz": 300}, "deviation_khz"),
        ({"bandwidth_khz": 150}, "bandwidth_khz"),
        ({"busy_dbm": -20}, "busy_dbm"),
    ):
        air = {"carrier_khz": 868300, "bit_rate": 19157, "deviation_khz": 90, "bandwidth_khz": 200, "busy_dbm": -91}
        air.update(change)
        assert _refusal(rfm12b_words, Air(**air), 212).startswith(name), name
    for group in (0, 251):
        assert _refusal(rfm12b_words, FLUKSO, group) and _refusal(rfm69_registers, FLUKSO, group)
