"""The same telegrams through dsmr-parser, the parser that most others use: where it reads a value, we read the same."""

from decimal import Decimal, InvalidOperation

import pytest
from dsmr_parser import telegram_specifications as specifications
from dsmr_parser.exceptions import ParseError
from dsmr_parser.objects import CosemObject, MBusObject, ProfileGenericObject
from dsmr_parser.parsers import TelegramParser
from host.p1_vectors import TELEGRAMS
from host.test_p1 import one

from fluksometer.domain.p1_devices import TYPES, readable

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
_NO_UNIT = "it does not know a unit without its asterisk"
_DECIMALS = "it has all seven decimals, we cut to thousandths"
_UNSET = "a clock that was never set is no time: 1970 is no 2070, and nobody had a P1 port in 2000"
# What it reads otherwise, and why we stay with ours. The test fails too where one of these is no difference any more.
DIFFERENCES = {
    (
        "sweden",
        "0-0:1.0.0",
    ): "it takes the local time of Amsterdam, so a W in August is an hour early: the suffix decides",
    ("dsmr5-unset-clock", "0-0:1.0.0"): _UNSET,
    ("dsmr5-gas-clock-never-set", "0-1:24.2.1"): _UNSET,
    ("dsmr5-ten-failures", "1-0:99.97.0"): _UNSET,
    ("dsmr4-failure-log", "1-0:99.97.0"): _UNSET,
    ("d0-electronic-meter", "1-0:1.8.0"): _DECIMALS,
    ("d0-electronic-meter", "1-0:2.8.0"): _DECIMALS,
    ("dsmr5-bare-unit", "1-0:2.7.0"): _NO_UNIT,
    ("dsmr5-bare-unit", "1-0:22.7.0"): _NO_UNIT,
    ("dsmr2-gas-on-one-line", "0-1:24.3.0"): "it wants the value on a line of its own",
    ("hungary", "0-0:96.13.0"): "1024 bytes of 0xFF are no text: it gives an error, we leave the line out and count it",
    ("dsmr3", "0-0:96.13.1"): "it makes one number of the hex digits of a text",
    ("dsmr5-swapped-meter", "0-1:24.2.1"): "it keeps whichever of the two readings comes last, we the newest",
    ("emucs-unset-gas", "0-1:24.2.3"): "no unit and no time: the meter has no reading, and zero is a reading",
}
ERRORS = (ParseError, InvalidOperation)
"""What it raises for a line that it does not understand; its parser logs these and goes on."""


def read_by_peer(name: str):
    """(code, what it read, or its error) for every line that it knows."""
    specification = SPECIFICATIONS[one(TELEGRAMS[name]).dialect]
    parser = TelegramParser(specification)
    text = TELEGRAMS[name].decode("latin-1")
    for known in specification["objects"]:
        pattern = parser.telegram_specification_regexes[known["obis_reference"]]
        for line in pattern.findall(text):
            code = line.partition("(")[0].removesuffix("*255")
            try:
                yield code, known["value_parser"].parse(line)
            except ERRORS as error:
                yield code, error


def test_every_dialect_is_compared_or_named():
    dialects = {one(data).dialect for data in TELEGRAMS.values()}
    assert dialects == SPECIFICATIONS.keys() | NOT_READ_BY_IT
    assert {name for name, _ in DIFFERENCES} <= TELEGRAMS.keys()


@pytest.mark.parametrize("name", [name for name, data in TELEGRAMS.items() if one(data).dialect in SPECIFICATIONS])
def test_they_agree(name):
    telegram = one(TELEGRAMS[name])
    compared = [(code, *both(telegram, code, read)) for code, read in read_by_peer(name)]
    assert len(compared) > 2
    different = {code: (ours, theirs) for code, ours, theirs in compared if ours != theirs}
    assert different.keys() == {code for which, code in DIFFERENCES if which == name}, different


def both(telegram, code, read):
    """What we read of a line, and what it read, in the same form."""
    if isinstance(read, list):
        ours = [(one.closed, one.time, one.milli) for one in telegram.peaks]
        return ours, [(one.datetime, one.occurred, one.value * 1000) for one in read]
    if isinstance(read, ProfileGenericObject):
        ours = [(one.time, one.milli, one.unit) for one in telegram.failures]
        return ours, [(one.datetime, one.value * 1000, one.unit) for one in read.buffer]
    if code == "0-0:1.0.0":
        return telegram.time, getattr(read, "value", read)
    if code[:2] == "0-" and code[2] != "0":
        return of_device(telegram, code, read)
    register = telegram.registers.get(code)
    if isinstance(read, MBusObject):
        return (register.time, register.milli, register.unit), (read.datetime, read.value * 1000, read.unit)
    if not isinstance(read, CosemObject):
        return register, read
    if isinstance(read.value, Decimal | int):
        return (register.milli, register.unit), (read.value * 1000, read.unit)
    if register.milli is not None:
        return register.milli, Decimal(read.value) * 1000
    return register.text, read.value or ""


def of_device(telegram, code, read):
    (device,) = [device for device in telegram.devices if device.channel == int(code[2])]
    if isinstance(read, MBusObject):
        return (device.time, device.milli, device.unit), (read.datetime, read.value * 1000, read.unit)
    what = code.partition(":")[2]
    if what == "24.1.0":
        return device.kind, TYPES[int(read.value)]
    if what.startswith("96.1."):
        return device.id, readable(read.value or "")
    if what == "24.4.0":
        return device.valve, int(read.value)
    return device, read
