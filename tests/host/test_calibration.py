"""What is known of a board: what it gets of it, and how it is kept."""

import json
import sys
from array import array
from fractions import Fraction
from zlib import crc32

import pytest
from host.making import make_hello, make_pulse_sensor, make_sensor
from hypothesis import given
from hypothesis import strategies as st

from fluksometer.adapters.calibration_file import FILE_NAME, CalibrationFile
from fluksometer.domain.board_calibration import IDENTITY, LEAST_RISE, MOST_RISE, BoardCalibration
from fluksometer.domain.calibration import Book, Floor, Gain, Phase, board_calibration, calibrations, uid_of
from fluksometer.domain.linearity import default_table, steps_of
from fluksometer.domain.meters import InputCalibration
from fluksometer.domain.power import compensation
from fluksometer.domain.sensors import SensorClass
from fluksometer.errors import StateFault
from fluksometer.metering import identity
from fluksometer.shared import records

UID = "e66141040396962a"
HELLO = make_hello(uid=int(UID, 16), clamp_ports=0b111, rate_hz=20_000)
ABOUT = {"date": "2025-01-31T12:00:00Z", "how": "kettle"}


def known(**phases):
    return {int(port[1]): InputCalibration(phase_deg=deg) for port, deg in phases.items()}


# For the board


def test_the_ideal_table_is_that_of_the_core():
    assert tuple(identity().tolist()) == IDENTITY


@pytest.mark.parametrize("chip", ["rp2040", "rp2350"])
def test_the_default_tables_can_be_sent(chip):
    calibration = BoardCalibration(table=steps_of(default_table(chip)))
    steps = array("h", calibration.table)
    assert sys.byteorder == "little" and calibration.table_crc == crc32(steps.tobytes())


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({0: -16384}, "4096 steps within"),
        ({4095: 16384}, "4096 steps within"),
        ({2000: IDENTITY[1999] + MOST_RISE + 1}, "rises by"),
        ({2000: IDENTITY[1999] + LEAST_RISE - 1}, "rises by"),
    ],
)
def test_a_table_that_the_wire_can_not_carry_is_refused(change, why):
    table = [change.get(code, step) for code, step in enumerate(IDENTITY)]
    with pytest.raises(ValueError, match=why):
        BoardCalibration(table=tuple(table))
    with pytest.raises(ValueError, match="4096 steps"):
        BoardCalibration(table=IDENTITY[:-1])


def test_what_differs_is_told_by_checksums():
    plain = BoardCalibration()
    wanted = BoardCalibration(floor_q20=(1, 2, 3))
    assert not plain.rest_differs(make_hello()) and not plain.table_differs(make_hello())
    assert wanted.rest_differs(make_hello()) and not wanted.table_differs(make_hello())
    assert wanted.crc == crc32(records.CALIBRATION.pack(*wanted.values()))
    assert not wanted.rest_differs(make_hello(calibration_crc=wanted.crc))
    assert plain.rest_differs(make_hello(calibration_crc=wanted.crc))
    assert plain.table_differs(make_hello(table_crc=5))
    assert not plain.table_differs(make_hello(table_crc=plain.table_crc))
    bent = BoardCalibration(table=(*IDENTITY[:9], IDENTITY[9] + 1, *IDENTITY[10:]))
    assert bent.table_differs(make_hello()) and bent.table_differs(make_hello(table_crc=plain.table_crc))


def test_a_pair_is_delayed_by_its_leads_and_the_time_between_conversions():
    wanted = board_calibration(HELLO, known(p1=2.7, p2=0.0, p3=1.0), IDENTITY, mains_hz=50)
    for (c0, c1), delay_deg in zip(wanted.compensation, (2.7 - 0.3, 1.7 - 0.6, -1.0 - 0.3), strict=True):
        exact = compensation(delay_deg, 50, 20_000)
        assert (c0 / 2**14, c1 / 2**14) == pytest.approx(exact, abs=2**-15)
    two = board_calibration(make_hello(clamp_ports=0b101), known(p1=0.0, p3=0.0), IDENTITY, mains_hz=60)
    assert two.compensation[1][1] / 2**14 == pytest.approx(compensation(-0.54, 60, 20_000)[1], abs=2**-15)
    assert two.compensation[0] == two.compensation[2] == (1 << 14, 0)


@pytest.mark.parametrize("voltage_port", [1, 2, 3])
def test_floors_and_compensation_with_the_voltage_on_any_port(voltage_port):
    sensors = [make_sensor(port=port, phase_deg=2.0) for port in (1, 2, 3) if port != voltage_port]
    sensors.append(make_sensor(port=voltage_port, sensor_class=SensorClass.VOLTAGE, adapter_v=400, phase_deg=-1.0))
    book = Book().with_port(UID, sensors[0].port, floor_lsb2=Floor(value=1.44, **ABOUT))
    wanted = board_calibration(HELLO, calibrations(book, UID, sensors), IDENTITY, mains_hz=50)
    assert wanted.floor_q20[sensors[0].port - 1] == round(1.44 * 64 * 2**20)
    assert sum(1 for floor in wanted.floor_q20 if floor) == 1
    leads = {port: -1.0 if port == voltage_port else 2.0 for port in (1, 2, 3)}
    for (a, b), (_c0, c1) in zip(((1, 2), (1, 3), (2, 3)), wanted.compensation, strict=True):
        delay_deg = leads[a] - leads[b] - 0.3 * (b - a)
        assert c1 / 2**14 == pytest.approx(compensation(delay_deg, 50, 20_000)[1], abs=2**-15)


@given(st.integers(0, 7), st.integers(1, 500_000), st.floats(-30, 30), st.floats(0, 30), st.sampled_from([50, 60]))
def test_whatever_the_board_says_it_can_be_packed(ports, rate_hz, lead_deg, floor, mains_hz):
    inputs = {p: InputCalibration(phase_deg=lead_deg * (p - 2), floor_lsb2=floor) for p in (1, 2, 3)}
    hello = make_hello(clamp_ports=ports, rate_hz=rate_hz)
    records.CALIBRATION.pack(*board_calibration(hello, inputs, IDENTITY, mains_hz=mains_hz).values())


# The book


def test_measured_numbers_count_more_than_typical_ones():
    sensors = [
        make_sensor(port=1, phase_deg=2.7),
        make_sensor(port=2, further_ports=(3,), phase_deg=1.0),
        make_pulse_sensor(),
    ]
    book = Book().with_port(UID, 1, gain=Gain(value=1.0093, **ABOUT), phase_deg=Phase(value=-1.5, **ABOUT))
    found = calibrations(book, UID, sensors)
    assert found == {
        1: InputCalibration(gain=Fraction("1.0093"), phase_deg=-1.5),
        2: InputCalibration(phase_deg=1.0),
        3: InputCalibration(phase_deg=1.0),
    }
    assert calibrations(book, "0" * 16, sensors)[1] == InputCalibration(phase_deg=2.7)


def test_a_number_replaces_only_itself():
    book = Book().with_port(UID, 1, gain=Gain(value=1.1, **ABOUT)).with_port(UID, 1, floor_lsb2=Floor(value=1, **ABOUT))
    assert (book.port(UID, 1).gain.value, book.port(UID, 1).floor_lsb2.value) == (1.1, 1)
    assert book.with_port(UID, 1, gain=None).port(UID, 1).gain is None
    assert book.with_board(UID) is book and book.with_board("0" * 16).boards["0" * 16] == {}
    assert uid_of(HELLO) == UID


def test_a_book_is_kept_whole_and_for_its_owner_only(tmp_path):
    file = CalibrationFile(tmp_path / "deep" / "state")
    assert file.read() == Book() and not file.changed()
    book = Book().with_port(UID, 2, gain=Gain(value=0.5, residual=0.002, **ABOUT))
    file.write(book)
    assert not file.changed()
    assert CalibrationFile(tmp_path / "deep" / "state").read() == book
    assert file.path.stat().st_mode & 0o777 == 0o600
    assert [one.name for one in file.path.parent.iterdir()] == [FILE_NAME]
    assert json.loads(file.path.read_text()) == {
        "format": "fluksometer calibration 1",
        "boards": {UID: {"2": {"gain": {"value": 0.5, "date": ABOUT["date"], "how": "kettle", "residual": 0.002}}}},
    }


def text_of(**port):
    return json.dumps({"format": "fluksometer calibration 1", "boards": {UID: {"1": port}}})


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "not JSON"),
        ("{", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("[]", "file: a table"),
        ('{"format": "fluksometer calibration 2"}', "format"),
        ('{"format": "fluksometer calibration 1", "boards": {"E66": {}}}', "16 lower-case hex digits"),
        (text_of(gain={"value": 3, **ABOUT}), "gain.value: 3 is not allowed"),
        (text_of(gain={"value": "1", **ABOUT}), "gain.value: '1' is not allowed"),
        (text_of(gain={"value": float("nan"), **ABOUT}), "gain.value: nan is not allowed"),
        (text_of(phase_deg={"value": 31, **ABOUT}), "phase_deg.value"),
        (text_of(floor_lsb2={"value": -1, **ABOUT}), "floor_lsb2.value"),
        (text_of(gain={"value": 1}), "gain.date: is missing"),
        (text_of(again={"value": 1, **ABOUT}), "again: unknown key"),
        (text_of().replace('"1"', '"4"'), "'4' is not allowed"),
    ],
)
def test_a_damaged_book_is_told_of_and_stays(tmp_path, text, why):
    (tmp_path / FILE_NAME).write_text(text)
    file = CalibrationFile(tmp_path)
    with pytest.raises(StateFault, match="delete it to calibrate anew") as caught:
        file.read()
    assert why in str(caught.value) and str(file.path) in str(caught.value)
    with pytest.raises(StateFault, match="damaged"):
        file.write(Book())
    assert file.path.read_text() == text


def test_bytes_that_are_no_text_are_told_of(tmp_path):
    (tmp_path / FILE_NAME).write_bytes(b"\xff\xfe\x00")
    with pytest.raises(StateFault, match="calibrate anew"):
        CalibrationFile(tmp_path).read()


def test_another_hand_is_noticed(tmp_path):
    mine, other = CalibrationFile(tmp_path), CalibrationFile(tmp_path)
    mine.read()
    other.write(Book().with_board(UID))
    assert mine.changed() and UID in mine.read().boards and not mine.changed()
    mine.path.write_text("{")
    assert mine.changed()
    with pytest.raises(StateFault):
        mine.read()
    assert not mine.changed()  # told once
    other.path.write_text(json.dumps(Book().model_dump()))
    assert mine.changed() and mine.read() == Book()
    mine.write(Book().with_board(UID))
    mine.path.unlink()
    assert mine.changed() and mine.read() == Book() and not mine.changed()


def test_a_place_that_can_not_be_written_is_named(tmp_path):
    (tmp_path / "state").write_text("a file, not a directory")
    with pytest.raises(StateFault, match=r"can't be written: .*\. Set device\.state"):
        CalibrationFile(tmp_path / "state").write(Book())
    with pytest.raises(StateFault, match="can't be read"):
        CalibrationFile(tmp_path / "state").read()
