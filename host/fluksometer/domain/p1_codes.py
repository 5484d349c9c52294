"""OBIS codes that are known: those of the standards in docs/p1.md. Others are named to a person, and credited to nothing."""

import re

_ELECTRICITY = (
    r"(?:[1-8]|15|16)\.[4678]\.\d",  # active, reactive, apparent: average, peak, present, energy (by tariff)
    r"(?:9|10|11|12|13|14|31|32|51|52|71|72|81|91)\.[78]\.\d+",  # apparent, current, voltage, power factor, frequency, angles
    r"(?:2[1-9]|30|33|4[1-9]|50|53|6[1-9]|70|73)\.[4678]\.\d",  # each phase
    r"[1357]1\.4\.\d",  # fuses
    r"[357]2\.3[26]\.0",  # sags and swells
    r"[01]\.[0-9]\.\d+",  # versions, ids, clock
    r"99\.97\.0",  # failures
    r"96\.\d+\.\d+",
)
_METER = (r"[01]\.[0-9]\.\d+", r"17\.0\.0", r"42\.0\.0", r"9[68]\.\d+\.\d+")
_DEVICE = (r"24\.[1-4]\.\d", r"96\.1\.\d")
_KNOWN = re.compile(
    rf"1-\d:(?:{'|'.join(_ELECTRICITY)})(?:\*\d+)?|0-0:(?:{'|'.join(_METER)})|0-[1-9]:(?:{'|'.join((*_DEVICE, *_METER))})"
)


def is_known(code: str) -> bool:
    """Whether some standard that is read here has this code."""
    return _KNOWN.fullmatch(code) is not None
