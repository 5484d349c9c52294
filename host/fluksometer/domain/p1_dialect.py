"""Which companion standard a telegram follows, told by what is in it; docs/p1.md lists them with their sources."""

from collections.abc import Mapping

NETHERLANDS = ("dsmr2", "dsmr3", "dsmr4", "dsmr5", "smr5.5")

# What the numbers of a tariff mean. Belgium counts the other way round than the Netherlands; elsewhere nobody has said.
TARIFF_NAMES = {dialect: {1: "low", 2: "normal"} for dialect in NETHERLANDS} | {"emucs": {1: "normal", 2: "low"}}

UNKNOWN = "iec62056"  # the common grammar, no standard that we know


def dialect(texts: Mapping[str, str], units: Mapping[str, str | None]) -> str:
    """Name of the dialect. ``texts``: values without a unit by code; ``units``: the unit of every code there is (or None)."""
    if "0-0:96.1.4" in texts or "1-1:1.8.1" in units:
        return "switzerland" if any(code.startswith("1-1:") for code in units) else "emucs"
    if "1-3:0.2.8" in texts:
        return _with_version(texts["1-3:0.2.8"], units)
    if "0-0:1.0.0" in texts:
        return _with_clock(units)
    if "0-0:96.14.0" in texts:
        return _before_crc(texts, units)
    return UNKNOWN


def _with_version(version: str, units: Mapping[str, str | None]) -> str:
    if "0-0:42.0.0" in units:
        return "luxembourg"  # says version 42, and has totals only
    if units.get("1-0:1.8.0") == "Wh":
        return "austria"  # Sagemcom T210-D-r
    if version.startswith("55"):
        return "smr5.5"
    return f"dsmr{version[0]}" if version[:1] in ("4", "5") else UNKNOWN


def _with_clock(units: Mapping[str, str | None]) -> str:
    if "1-0:15.8.0" in units or "0-0:42.0.0" in units:
        return "hungary"
    if "1-0:1.8.0" in units and "1-0:3.8.0" in units:
        return "sweden"
    return "iskra-ie" if "0-0:96.1.0" in units else UNKNOWN


def _before_crc(texts: Mapping[str, str], units: Mapping[str, str | None]) -> str:
    # 2.2 limits power in kW and writes a device type with one digit, 3.0 limits current in A and writes two.
    if "0-0:17.0.0" in units:
        return "dsmr3" if units["0-0:17.0.0"] == "A" else "dsmr2"
    types = (text for code, text in texts.items() if code.endswith(":24.1.0"))
    return "dsmr3" if any(len(text) == 2 for text in types) else "dsmr2"
