"""docs/radio.md says what the code does."""

import json
import re

from places import ROOT

from fluksometer.shared.kube import ERRORS, FLK01B, KUBES, SENSORS, decode

RADIO = (ROOT / "docs" / "radio.md").read_text(encoding="utf-8")
VECTORS = json.loads((ROOT / "tests/vectors/rf12.json").read_text(encoding="utf-8"))


def rows(heading: str) -> list[list[str]]:
    """Cells of the table under a line that begins so."""
    table = RADIO.partition(heading)[2].partition("|---|")[2].partition("\n\n")[0]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()[1:]]


def test_every_word_is_described():
    told = [word for row in rows("| word for group 93") for word in re.findall(r"`(\w{4})`", row[0])]
    assert " ".join(told) == VECTORS["rfm12b"][0]["words"]
    jeenode = VECTORS["rfm12b"][1]["words"].split()
    assert re.search(r"For JeeNodes `(\w+)`, `(\w+)` and `(\w+)` differ", RADIO).groups() == tuple(
        word for word in jeenode if word not in told and not word.startswith("ce")
    )


def test_every_register_is_described():
    told = []
    for row in rows("| address | register"):
        first = int(re.findall(r"0x(\w\w)", row[0])[0], 16)
        told += [f"{first + at:02x}{value}" for at, value in enumerate(row[2].split())]
    assert " ".join(told) == VECTORS["rfm69"][0]["registers"]


def test_every_sensor_unit_and_error_is_described():
    for sensor, (unit, _counts) in SENSORS.items():
        assert f"`{sensor}`{f' {unit}' if unit else ''}" in RADIO
    for bit, error in enumerate(ERRORS):
        assert f"{bit} {error}" in RADIO
    for hw_type, sensors in KUBES.items():
        assert f"{hw_type}\n(0x{hw_type:04X})" in RADIO or f"{hw_type} (0x{hw_type:04X})" in RADIO
        assert ("five for an\nA" if len(sensors) == 5 else "eight for a B") in RADIO


def test_the_table_of_the_battery():
    steps = [int(cell) for cell in RADIO.partition("\n| n | ")[2].partition("\n")[0].strip(" |").split("|")]
    volts = [float(cell) for cell in RADIO.partition("\n| V | ")[2].partition("\n")[0].strip(" |").split("|")]
    for step, volt in zip(steps, volts, strict=True):
        last = (step & 7) << 14 | (0x20 if step > 12 else 0) << 17
        assert decode(FLK01B, bytes(6) + last.to_bytes(3, "little"))["battery"] == round(volt * 1000)
