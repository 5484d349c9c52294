"""What telegrams of every dialect say."""

import json
import re
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from host.p1_vectors import FOLDER, TELEGRAMS, WITH_CRC, crc, sealed

from fluksometer.domain.p1 import Telegram
from fluksometer.domain.p1_dialect import TARIFF_NAMES
from fluksometer.domain.p1_stream import P1Stream
from fluksometer.p1_command import record


def one(data: bytes, **how) -> Telegram:
    stream = P1Stream(**how)
    (telegram,) = stream.push(data) + stream.pause()
    assert not stream.bad
    return telegram


@pytest.mark.parametrize("name", TELEGRAMS)
def test_every_vector_says_what_its_json_has(name):
    expected = json.loads((FOLDER / f"{name}.json").read_text())
    assert json.loads(json.dumps(record(one(TELEGRAMS[name]), net=True))) == expected


@pytest.mark.parametrize("name", TELEGRAMS)
def test_every_number_of_a_vector_is_there_exactly(name):
    """Read with other means: every line of one number, by regular expression and decimal arithmetic."""
    telegram = one(TELEGRAMS[name])
    lines = re.findall(r"^(\d-0:[\d.]+)(?:\*255)?\((-?[\d.]+)\*(\w+)\)\r$", TELEGRAMS[name].decode("latin-1"), re.M)
    assert lines
    for code, number, unit in lines:
        register = telegram.registers[code]
        assert register.unit == unit
        assert register.milli == int(Decimal(number) * 1000)


@pytest.mark.parametrize("name", WITH_CRC)
def test_the_vectors_have_the_right_crc(name):
    body, _, digits = WITH_CRC[name].rpartition(b"!")
    assert int(digits, 16) == crc(body + b"!")


def test_the_vectors_speak_every_dialect():
    spoken = {one(data).dialect for data in TELEGRAMS.values()}
    dutch = {"dsmr2", "dsmr3", "dsmr4", "dsmr5", "smr5.5"}
    others = {"emucs", "luxembourg", "sweden", "hungary", "austria", "switzerland", "iskra-ie", "iec62056"}
    assert spoken == dutch | others


def test_tariff_numbers_mean_the_other_way_round_in_belgium():
    assert TARIFF_NAMES["dsmr5"] == {1: "low", 2: "normal"}
    assert one(TELEGRAMS["dsmr5"]).tariff_name == "normal"
    assert one(TELEGRAMS["emucs-13-peaks"]).tariff_name == "low"  # both telegrams say 0002
    assert one(TELEGRAMS["hungary"]).tariff_name is None


def test_import_and_export_are_counters_of_their_own():
    telegram = one(TELEGRAMS["hungary"])
    found = {(each.direction, each.tariff, each.phase): each.energy_uwh for each in telegram.counters}
    assert found[("import", None, None)] == 812_421_000_000
    assert found[("import", 1, None)] + found[("import", 2, None)] == 812_421_000_000
    assert found[("export", 2, None)] == 480_956_000_000
    assert len(found) == 10
    assert telegram.energy_uwh("import") == 812_421_000_000, "the total, not the total and its parts"


def test_phases_are_counters_of_their_own():
    telegram = one(sealed("1-0:21.8.0(1.5*kWh)", "1-0:62.8.0(2.5*kWh)", "1-0:23.8.0(9*kvarh)", "1-0:41.7.0(7*W)"))
    found = {(each.direction, each.tariff, each.phase): each.energy_uwh for each in telegram.counters}
    assert found == {("import", None, 1): 1_500_000_000, ("export", None, 3): 2_500_000_000}
    assert telegram.energy_uwh("import") is None, "one phase is not all"
    assert [(each.direction, each.phase, each.power_mw) for each in telegram.powers] == [("import", 2, 7000)]


def test_units_of_counters():
    for line in ("1-0:1.8.0(006545766*Wh)", "1-0:1.8.0(6545.766*kWh)", "1-0:1.8.0(6.545766*MWh)"):
        assert one(sealed(line)).energy_uwh("import") in (6_545_766_000_000, 6_545_000_000_000)
    assert one(sealed("1-0:1.8.0(5*florins)")).counters == ()


def test_the_netted_counter_of_the_original():
    telegram = one(TELEGRAMS["dsmr4"])
    assert (telegram.net_uwh, telegram.net_mw) == (135_625_000_000, -1_250_000)
    assert (one(TELEGRAMS["dsmr2"]).net_uwh, one(TELEGRAMS["dsmr2"]).net_mw) == (135_625_000_000, 770_000)
    assert one(TELEGRAMS["dsmr5-minimal"]).net_uwh is None, "missing is missing, not zero"
    assert one(TELEGRAMS["sweden"]).net_uwh == (119_841 - 533_758) * 1_000_000


def test_past_values_never_pass_for_present_ones():
    telegram = one(TELEGRAMS["d0-electronic-meter"])
    assert telegram.energy_uwh("import") == 52_185_782_000_000
    assert telegram.registers["1-0:1.8.0*01"].milli == 51_000_000


@pytest.mark.parametrize("stamp", ["632525252525W", "700101010000W", "000101000001W", "", "26080112345S", "nonsense"])
def test_an_invalid_clock_never_discards_a_telegram(stamp):
    telegram = one(sealed(f"0-0:1.0.0({stamp})", "1-0:1.8.1(1.000*kWh)"))
    assert telegram.time is None
    assert telegram.energy_uwh("import") == 1_000_000_000


def test_the_suffix_decides_the_hour_that_comes_twice():
    assert one(TELEGRAMS["dsmr5-fold-summer"]).time == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    assert one(TELEGRAMS["dsmr5-fold-winter"]).time == datetime(2026, 10, 25, 1, 30, tzinfo=UTC)


def test_the_meter_id_is_readable_or_as_it_came():
    assert one(sealed("0-0:96.1.1(4B454D31)")).meter_id == "KEM1"
    for text in ("3960221976967177082151037881335713", "E001", "123"):
        assert one(sealed(f"0-0:96.1.1({text})")).meter_id == text
    assert one(sealed("0-0:96.1.1()", "0-0:42.0.0(53414731)")).meter_id == "SAG1"
    assert one(sealed("1-0:1.7.0(1*kW)")).meter_id == "TST5\\TEST"


def test_codes_nobody_knows_are_kept_and_credited_to_nothing():
    telegram = one(sealed("1-0:77.88.99(5*kWh)", "1-7:1.8.0(x)", "9-9:1.8.1(5*kWh)", "gibberish"))
    assert telegram.counters == () and telegram.devices == ()
    assert telegram.registers["1-0:77.88.99"].milli == 5000
    assert telegram.left_out == 1
