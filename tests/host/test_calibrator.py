"""The calibration at work: noise floors learned from a board's windows, told to the board and kept."""

import json

import numpy as np
import pytest
import structlog
from host.core_board import CoreBoard
from host.making import make_hello, make_pulse_sensor, make_sensor, make_window

from fluksometer.adapters.calibration_file import CalibrationFile
from fluksometer.calibrator import Calibrator
from fluksometer.domain.board_calibration import IDENTITY
from fluksometer.domain.power import DAY_S
from fluksometer.domain.readings import BoardSettings
from fluksometer.domain.sensors import SensorClass
from fluksometer.domain.wire import BIAS_MOVED, CLIPPED, GAP, NO_MAINS, NO_SIGNAL
from fluksometer.linearity_tables import tables_by_chip

HELLO = make_hello(uid=0xE66141040396962A)
UID = "e66141040396962a"
BENT = (*IDENTITY[:9], IDENTITY[9] + 1, *IDENTITY[10:])
CLAMPS = [make_sensor(port=1, phase_deg=2.7), make_sensor(port=2), make_pulse_sensor()]


def make(folder, sensors=CLAMPS, tables=None):
    return Calibrator(CalibrationFile(folder), sensors, tables or {}, mains_hz=50)


def kept(folder):
    return json.loads((folder / "calibration.json").read_text())["boards"]


def window(square_lsb2, at_s, *, port=1, flags=NO_MAINS):
    samples = 20_000
    return make_window(
        port=port, samples=samples, t_us=round(at_s * 1e6), flags=flags, sum_sq=round(square_lsb2 * 64 * samples)
    )


def live(calibrator, *, floor=1.44, begin_s=0, seconds=700, port=1, flags=NO_MAINS, hello=HELLO, seed=1):
    """Seconds at which the floor became another one."""
    noise = floor * np.random.default_rng(seed).chisquare(20_000, seconds) / 20_000
    return [
        second
        for second, square in enumerate(noise.tolist())
        if calibrator.learn(hello, window(square, begin_s + second, port=port, flags=flags))
    ]


def test_ten_quiet_minutes_make_a_floor_which_the_board_gets_and_the_book_keeps(tmp_path):
    calibrator = make(tmp_path)
    assert calibrator.for_board(HELLO).floor_q20 == (0, 0, 0)
    assert live(calibrator) == [599]
    found = calibrator.known(HELLO)[1].floor_lsb2
    assert found == pytest.approx(1.44, rel=0.002)
    assert calibrator.for_board(HELLO).floor_q20 == (round(found * 64 * 2**20), 0, 0)
    assert calibrator.known(HELLO)[2].floor_lsb2 == 0
    told = kept(tmp_path)[UID]["1"]["floor_lsb2"]
    assert told["value"] == pytest.approx(found, abs=1e-6) and told["how"] == "learned from quiet minutes"
    assert told["date"].endswith("Z")
    again = make(tmp_path)
    assert again.known(HELLO)[1].floor_lsb2 == pytest.approx(found, abs=1e-6)


def test_the_boards_own_windows_teach_it(tmp_path):
    """Sums of the metering core, no load, 0.8 LSB of noise and the converter's own rounding."""
    calibrator = make(tmp_path)
    wanted = BoardSettings(rate_hz=1000, clamp_ports=0b11, pulse_ports=0)
    board = CoreBoard(wanted)
    for moment in board.run({2: {1: 40.0}}, 650):
        for one in moment.windows.values():
            calibrator.learn(board.hello, one)
    known = calibrator.known(board.hello)
    assert known[1].floor_lsb2 == pytest.approx(0.64 + 1 / 12, rel=0.01)
    assert known[2].floor_lsb2 == 0  # a load is no noise


@pytest.mark.parametrize("flags", [CLIPPED, GAP, NO_SIGNAL, BIAS_MOVED, GAP | NO_MAINS])
def test_flagged_windows_teach_nothing(tmp_path, flags):
    assert live(make(tmp_path), flags=flags) == []


def test_loads_pulses_voltages_and_disabled_clamps_teach_nothing(tmp_path):
    sensors = [
        make_sensor(port=1, enabled=False),
        make_sensor(port=2, sensor_class=SensorClass.VOLTAGE, adapter_v=400),
        make_sensor(port=3),
    ]
    calibrator = make(tmp_path, sensors)
    for port in (1, 2, 4, 6):
        assert live(calibrator, port=port) == []
    assert live(calibrator, port=3, floor=2.5) == []


def test_a_kept_floor_moves_slowly_and_small_moves_are_not_worth_telling(tmp_path):
    live(make(tmp_path))
    day = int(DAY_S)
    steady = make(tmp_path)
    assert live(steady, seconds=day + 1, seed=2) == []
    warmer = make(tmp_path)
    assert live(warmer, seconds=day, floor=1.8, seed=3) == [day - 1]
    assert warmer.known(HELLO)[1].floor_lsb2 == pytest.approx(1.44 * 1.2 ** (1 / 7), rel=0.003)


def test_each_board_has_floors_of_its_own(tmp_path):
    calibrator = make(tmp_path)
    other = make_hello(uid=5)
    assert live(calibrator, seconds=300) == []
    assert live(calibrator, hello=other, floor=0.7, seconds=650) == [599]  # begins anew
    assert calibrator.known(HELLO)[1].floor_lsb2 == 0
    assert calibrator.known(other)[1].floor_lsb2 == pytest.approx(0.7, rel=0.002)
    assert set(kept(tmp_path)) == {UID, f"{5:016x}"}  # a board is entered when it is seen


def test_what_another_hand_writes_counts_more(tmp_path):
    calibrator = make(tmp_path)
    calibrator.for_board(HELLO)
    live(calibrator, seconds=599)
    by_hand = {"value": 2.0, "date": "2025-01-31T12:00:00Z", "how": "by hand"}
    text = json.dumps({"format": "fluksometer calibration 1", "boards": {UID: {"1": {"floor_lsb2": by_hand}}}})
    (tmp_path / "calibration.json").write_text(text)
    assert calibrator.learn(HELLO, window(1.44, 599))  # ten minutes are over: what is written counts
    assert calibrator.known(HELLO)[1].floor_lsb2 == 2.0
    assert kept(tmp_path)[UID]["1"]["floor_lsb2"] == by_hand
    assert not calibrator.reread()


def test_a_change_of_the_book_is_read_once(tmp_path):
    calibrator = make(tmp_path)
    calibrator.for_board(HELLO)
    assert not calibrator.reread()
    other = CalibrationFile(tmp_path)
    book = other.read()
    other.write(book.with_port(UID, 2))
    assert calibrator.reread() and not calibrator.reread()


def test_a_book_damaged_meanwhile_is_told_once_and_never_written_over(tmp_path):
    calibrator = make(tmp_path)
    calibrator.for_board(HELLO)
    (tmp_path / "calibration.json").write_text("{")
    with structlog.testing.capture_logs() as lines:
        assert not calibrator.reread() and not calibrator.reread()
        assert live(calibrator) == [599]  # the board still gets what is learned
    assert [line["event"] for line in lines] == ["calibration_not_read", "noise_floor_learned", "calibration_not_kept"]
    assert (tmp_path / "calibration.json").read_text() == "{"
    assert calibrator.known(HELLO)[1].floor_lsb2 > 1


def test_a_disk_that_takes_nothing_stops_no_metering(tmp_path):
    calibrator = make(tmp_path / "state")
    (tmp_path / "state").write_text("a file")
    with structlog.testing.capture_logs() as lines:
        calibrator.for_board(HELLO)
        assert live(calibrator) == [599]
    assert "calibration_not_kept" in [line["event"] for line in lines]


def test_a_table_for_another_chip_is_told_once(tmp_path):
    calibrator = make(tmp_path, tables={1: BENT})
    with structlog.testing.capture_logs() as lines:
        assert calibrator.for_board(HELLO).table == BENT
        for _ in range(3):
            assert calibrator.for_board(make_hello(chip=2, uid=6)).table == IDENTITY
    assert [line["event"] for line in lines] == ["linearity_not_used"]
    with structlog.testing.capture_logs() as lines:
        make(tmp_path).for_board(make_hello(chip=2))
    assert lines == []


def test_the_default_tables_are_for_their_chips(tmp_path):
    calibrator = make(tmp_path, tables=tables_by_chip("chip", tmp_path / "meter.toml"))
    tables = [calibrator.for_board(make_hello(chip=chip, uid=chip)).table for chip in (1, 2, 0)]
    assert tables[0] != tables[1] and tables[2] == IDENTITY and IDENTITY not in tables[:2]
