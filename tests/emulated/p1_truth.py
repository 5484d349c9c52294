"""What a stranger has to hear over MQTT of a house's smart meter: worked out from the house alone, by the table of docs/p1.md."""

from fractions import Fraction
from math import floor
from typing import Any

from house.housefile import House
from house.p1_dialects import DIALECTS, rows_of
from house.p1_meter import PEAK_KW
from house.p1_values import Values

LOW_AND_NORMAL = dict.fromkeys(("dsmr2", "dsmr3", "dsmr4", "dsmr5", "smr5.5"), ("low", "normal"))
TARIFFS = LOW_AND_NORMAL | {"emucs": ("normal", "low")}
OF_LINES = {"v": ("voltage", "V"), "a": ("current", "A")}
REACTIVE = {
    "var_import": "varh import",
    "var_export": "varh export",
    "q_import": "var import",
    "q_export": "var export",
}
COUNTED = {"96.7.21": "failures", "96.7.9": "long failures"}
COUNTED |= {
    f"{2 * line + 1}2.{d}.0": f"{what} L{line}" for line in (1, 2, 3) for d, what in ((32, "sags"), (36, "swells"))
}
PEAK_S = -24 * 3600 + 3050
"""The month's peak was at 8:00 UTC of the day before; houses begin at 7:09:10."""


def shown(house: House, t_s: float) -> dict[str, Fraction]:
    """By the names of p1_values, in W, Wh, V ...: each number with the digits that the meter shows of it."""
    assert house.p1 is not None
    values, found = Values(house), {}
    for _code, name, *form in rows_of(DIALECTS[house.p1.dialect], house.p1.phases):
        if form:
            unit = form[1] if len(form) > 1 else ""
            step = Fraction(1000 if unit.startswith("k") else 1, 10 ** int(form[0].partition(".")[2]))
            value = values.number(name, t_s)
            found[name] = floor(abs(value) / step) * step * (-1 if value < 0 else 1)
    return found


def published(house: House, t_s: float) -> dict[str, list[Any]]:
    """By function and kind, as Chain.told: [value, unit], or with the second before them where a value has its own."""
    assert house.p1 is not None
    now, said = shown(house, t_s), {}
    energy = {way: _energy(now, way) for way in ("import", "export")}
    tariffs = TARIFFS.get(house.p1.dialect, tuple("1234"))
    for way, parts in energy.items():
        said[f"{way} counter"] = [now.get(way, sum(parts)), "Wh"]
        said |= {f"{way} {tariffs[at]} counter": [part, "Wh"] for at, part in enumerate(parts)}
    said["net counter"] = [said["import counter"][0] - said["export counter"][0], "Wh"]
    said["power gauge"] = said["net gauge"] = [now["p_import"] - now["p_export"], "W"]
    for name, value in now.items():
        if name[0] in OF_LINES and name[1:].isdigit():
            what, unit = OF_LINES[name[0]]
            said[f"{what} L{name[1:]} gauge"] = [value, unit]
        elif name in REACTIVE:
            counts = name.startswith("var")
            said[f"{REACTIVE[name]} {'counter' if counts else 'gauge'}"] = [value, "varh" if counts else "var"]
        elif name[0] == "p" and name.endswith("_import") and name != "p_import":
            said[f"power L{name[1]} gauge"] = [value - now[f"p{name[1]}_export"], "W"]
    said |= {"frequency gauge": [now["hz"], "Hz"]} if "hz" in now else {}
    said |= {"demand gauge": [now["demand"], "W"]} if "demand" in now else {}
    return {f"P1 {name}": value for name, value in (said | _others(house, t_s)).items()} | _devices(house, t_s)


def _energy(now: dict[str, Fraction], way: str) -> list[Fraction]:
    return [value for name, value in sorted(now.items()) if name.startswith(f"{way}_")]


def _others(house: House, t_s: float) -> dict[str, list[Any]]:
    assert house.p1 is not None
    said: dict[str, list[Any]] = {}
    for code, name, *_form in rows_of(DIALECTS[house.p1.dialect], house.p1.phases):
        value_group = code.partition(":")[2]
        if value_group in COUNTED:
            said[f"{COUNTED[value_group]} counter"] = [int(name[1:]), ""]
        elif name == "tariff":
            said["tariff gauge"] = [Values(house).tariff(t_s), ""]
        elif name == "peak":
            said["month peak gauge"] = [PEAK_S, PEAK_KW * 1000, "W"]
    return said


def _devices(house: House, t_s: float) -> dict[str, list[Any]]:
    assert house.p1 is not None
    said: dict[str, list[Any]] = {}
    for device in house.p1.device if DIALECTS[house.p1.dialect].mbus else ():
        if device.dead:
            continue
        read_s = t_s // device.every_s * device.every_s
        amount = Fraction(repr(device.start)) + Fraction(repr(device.rate_per_h)) * Fraction(repr(read_s)) / 3600
        thousandths = floor(1000 * amount)
        value, unit = (Fraction(thousandths, 1000), "GJ") if device.type == "heat" else (thousandths, "L")
        said[f"P1 {device.type} counter"] = [int(read_s), value, unit]
    return said
