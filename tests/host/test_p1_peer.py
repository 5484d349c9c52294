"""The same telegrams through dsmr-parser, the parser that most others use: where it reads a value, we read the same."""

import logging
from decimal import Decimal

import pytest
from dsmr_parser import telegram_specifications as specifications
from dsmr_parser.objects import CosemObject, MBusObject, MBusObjectPeak
from dsmr_parser.parsers import TelegramParser
from host.p1_vectors import TELEGRAMS
from host.test_p1 import one

SPECIFICATIONS = {
    "dsmr2": specifications.V2_2,
    "dsmr3": specifications.V3,
    "dsmr4": specifications.V4,
    "dsmr5": specifications.V5,
    "smr5.5": specifications.V5,
    "emucs": specifications.BELGIUM_FLUVIUS,
    "luxembourg": specifications.LUXEMBOURG_SMARTY,
    "sweden": specifications.SWEDEN,
    "hungary": specifications.EON_HUNGARY,
    "iskra-ie": specifications.ISKRA_IE,
    "iec62056": specifications.Q3D,
}
NOT_READ_BY_IT = {"austria", "switzerland"}  # it reads Austria encrypted only, and has no Swiss specification
# What it reads otherwise, and why we stay with ours.
DIFFERENCES = {
    (
        "sweden",
        "0-0:1.0.0",
    ): "it takes the local time of Amsterdam, so a W in August is an hour early: the suffix decides",
    ("dsmr5-unset-clock", "0-0:1.0.0"): "700101010000W is a clock that was never set (1970), and no day of 2070",
    ("d0-electronic-meter", "1-0:1.8.0"): "it has all seven decimals, we cut to thousandths",
    ("d0-electronic-meter", "1-0:2.8.0"): "it has all seven decimals, we cut to thousandths",
    ("dsmr5-bare-unit", "1-0:2.7.0"): "it does not know a unit without its asterisk",
    ("dsmr5-bare-unit", "1-0:22.7.0"): "it does not know a unit without its asterisk",
    ("dsmr3", "0-0:96.13.1"): "it makes one number of the hex digits of a text",
    ("dsmr5-swapped-meter", "0-1:24.2.1"): "it keeps whichever of the two readings comes last, we the newest",
    ("emucs-unset-gas", "0-1:24.2.3"): "no unit and no time: the meter has no reading, and zero is a reading",
}


def read_by_peer(name: str):
    """(code, what it read) for every line that it reads."""
    specification = SPECIFICATIONS[one(TELEGRAMS[name]).dialect]
    parser = TelegramParser(specification)
    text = TELEGRAMS[name].decode("latin-1")
    for known in specification["objects"]:
        pattern = parser.telegram_specification_regexes[known["obis_reference"]]
        for line in pattern.findall(text):
            code = line.partition("(")[0].removesuffix("*255")
            try:
                yield code, known["value_parser"].parse(line)
            except Exception:  # its own, of many kinds
                logging.getLogger(__name__).info("dsmr-parser does not read %s", line)


def test_every_dialect_is_compared_or_named():
    dialects = {one(data).dialect for data in TELEGRAMS.values()}
    assert dialects == SPECIFICATIONS.keys() | NOT_READ_BY_IT
    assert {name for name, _ in DIFFERENCES} <= TELEGRAMS.keys()


@pytest.mark.parametrize("name", [name for name, data in TELEGRAMS.items() if one(data).dialect in SPECIFICATIONS])
def test_they_agree(name):
    telegram = one(TELEGRAMS[name])
    values = 0
    for code, read in read_by_peer(name):
        if (name, code) in DIFFERENCES:
            continue
        values += 1
        if isinstance(read, list):
            for ours, theirs in zip(telegram.peaks, read, strict=True):
                assert isinstance(theirs, MBusObjectPeak)
                assert (ours.closed, ours.time, ours.milli) == (theirs.datetime, theirs.occurred, theirs.value * 1000)
        elif code == "0-0:1.0.0":
            assert telegram.time == read.value
        elif isinstance(read, MBusObject):
            assert_reading(telegram, code, read)
        elif isinstance(read, CosemObject) and code in telegram.registers:
            assert_register(telegram.registers[code], read)
    assert values > 2


def assert_reading(telegram, code, read):
    if code.startswith(("0-0", "1-")):
        register = telegram.registers[code]
        assert (register.time, register.milli, register.unit) == (read.datetime, read.value * 1000, read.unit)
    else:
        (device,) = [device for device in telegram.devices if device.channel == int(code[2])]
        assert (device.time, device.milli, device.unit) == (read.datetime, read.value * 1000, read.unit)


def assert_register(register, read):
    if isinstance(read.value, Decimal | int):
        assert (register.milli, register.unit) == (read.value * 1000, read.unit)
    elif register.milli is not None:
        assert register.milli == Decimal(read.value) * 1000
    else:
        assert register.text == (read.value or "")
