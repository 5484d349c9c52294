"""The release firmware on the emulated chip: what it measures, counts and survives."""

from itertools import pairwise

import pytest

from fluksometer.shared.records import GREET, SETTINGS
from house.pulses import true_pulse_count

pytestmark = pytest.mark.emulated

# 10 % to 100 % of a 50 A clamp on each input, seen through the measured curve of a real RP2040 with noise; contacts that bounce.
# Pulses begin after the board has started and end before the last look, so that every one of them must have been counted.
FIFTY_SECONDS = """
[converter]
curve = "rp2040-a"
noise_lsb = 1.0
[[clamp]]
port = 1
current_a = [[0, 5.0], [10, 10.0], [20, 20.0], [30, 35.0], [40, 50.0]]
[[clamp]]
port = 2
current_a = 12.5
power_factor = 0.9
harmonics = { 3 = 0.15, 5 = 0.08 }
[[clamp]]
port = 3
current_a = [[0, 42.0], [25, 6.0]]
[[pulse]]
port = 4
rate_hz = [[0, 0.0], [5, 0.5]]
width_ms = 30
bounce_ms = 2
count = 20
[[pulse]]
port = 5
rate_hz = [[0, 0.0], [5, 4.0]]
width_ms = 30
bounce_ms = 3
count = 160
"""
QUIET = "[[clamp]]\nport = 1\ncurrent_a = 10.0\n"
LSB_A = 3.3 / 4096 * 50  # of a 50 A clamp with 1 V at 50 A
STEP_A = LSB_A / 8


def rms_a(window) -> float:
    n, square, total = window["samples"], window["sum_sq"], window["sum_"]
    return ((n * square - total**2) / n**2) ** 0.5 * STEP_A


def test_fifty_seconds_without_a_gap_or_a_lost_pulse(make_board) -> None:
    board = make_board(FIFTY_SECONDS)
    board.run(3.0)
    board.set(rate_hz=4000)
    board.run(51.0)
    assert board.nothing_missing()
    for port in (1, 2, 3):
        windows = board.of("clamp", port)[5:]
        assert len(windows) >= 45
        assert {window["gap_samples"] for window in windows} == {0}
        assert {window["cycles"] for window in windows} == {50}
        assert {window["samples"] for window in windows} <= {3999, 4000, 4001}
        assert all(b["t_us"] - a["t_us"] == b["samples"] * 250 for a, b in pairwise(windows))
        check_currents(board, port, windows)
    for port in (4, 5):
        assert board.of("pulse", port)[-1]["count"] == true_pulse_count(board.house, port, 50.0)
    assert true_pulse_count(board.house, 5, 600.0) == 160
    assert {health["records_dropped"] for health in board.of("health")} == {0}


def check_currents(board, port: int, windows: list) -> None:
    """Each window against the house, 1 % of it; windows in which the current changes are left out."""
    clamp = next(clamp for clamp in board.house.clamp if clamp.port == port)
    # The board's clock starts within three seconds after the house's.
    changes = [t_s for t_s, _ in clamp.current_a if t_s > 0]
    compared = 0
    for window in windows:
        end_s = window["t_us"] / 1e6
        if any(end_s - 1.1 < change < end_s + 3.1 for change in changes):
            continue
        true_a = [amperes for t_s, amperes in clamp.current_a if t_s <= end_s][-1]
        assert rms_a(window) == pytest.approx(true_a, rel=0.01)
        compared += 1
    assert compared > 25


def test_starts_by_itself_with_a_hello_after_power_up_and_after_reset(make_board) -> None:
    board = make_board(QUIET)
    board.run(4.0)
    name, hello = board.records[0]
    assert name == "hello"
    names = ("wire_version", "chip", "rate_hz", "clamp_ports", "pulse_ports", "voltage_port", "pairs")
    assert [hello[name] for name in names] == [4, 1, 20000, 7, 24, 0, 0]
    assert (hello["table_crc"], hello["calibration_crc"]) == (0, 0)
    assert "RP2040" in hello["model"]
    for again in (board.pico.press_reset, board.pico.power_cycle):
        before = len(board.of("hello"))
        again()
        board.run(4.0)
        hellos = board.of("hello")
        assert len(hellos) == before + 1
        assert hellos[-1]["boot_id"] != hellos[-2]["boot_id"]
    assert len(board.of("clamp", 1)) >= 6


def test_ctrl_c_gives_the_prompt_within_a_second_and_a_soft_reset_starts_it_again(make_board) -> None:
    board = make_board(QUIET)
    board.run(4.0)
    board.pico.console.send(b"\x03")
    board.pico.run_for(1.0)
    assert bytes(board.pico.console.written).endswith(b"\r\n>>> ")
    board.pico.console.send(b"print(6 * 7)\r")
    board.pico.run_for(0.5)
    assert b"\r\n42\r\n>>> " in board.pico.console.written
    board.pico.console.send(b"\x04")
    board.run(4.0)
    assert len(board.of("hello")) == 2
    assert any(b"KeyboardInterrupt" in text for text in board.text)


def test_a_host_that_does_not_read_never_stalls_sampling(make_board) -> None:
    board = make_board(QUIET)
    board.run(4.0)
    before = board.of("clamp", 1)[-1]
    board.pico.console.reading = False
    board.pico.run_for(20.0)
    board.pico.console.reading = True
    board.run(12.0)
    after = board.of("clamp", 1)[-1]
    assert after["gap_samples"] == 0
    # The running total shows that every window in between was measured: 10 A is 1985.9 steps rms.
    seconds = (after["t_us"] - before["t_us"]) / 1e6
    assert 30 <= seconds == pytest.approx(round(seconds), abs=1e-3)
    assert (after["charge"] - before["charge"]) / 1024 / 1000 / seconds == pytest.approx(10 / STEP_A, rel=2e-3)
    assert board.of("health")[-1]["records_dropped"] > 0
    assert board.deframer.dropped <= 1


def test_a_host_that_was_away_gets_everything_that_was_measured_meanwhile(make_board) -> None:
    board = make_board(QUIET + "[[pulse]]\nport = 4\nrate_hz = 2.0\nwidth_ms = 30.0\n")
    board.run(4.0)
    board.acknowledging = False
    board.run(3.0)  # it reads, and stores nothing
    taken = len(board.kept)
    board.pico.console.reading = False
    board.pico.run_for(6.0)
    board.pico.console.reading = True
    board.acknowledging = True
    board.wait(lambda: len(board.kept) > taken + 25, "what was kept")
    board.run(1.0)
    assert board.kept == list(range(1, len(board.kept) + 1))
    windows = board.of("clamp", 1)
    assert all(b["t_us"] - a["t_us"] == b["samples"] * 50 for a, b in pairwise(windows))
    counts = [pulse["count"] for pulse in board.of("pulse", 4)]
    assert counts == sorted(counts) and counts[-1] >= 20
    assert windows[-1]["gap_samples"] == 0


def test_nobody_on_the_line_and_then_somebody(make_board) -> None:
    board = make_board(QUIET)
    board.pico.console.connected = False
    board.pico.run_for(20.0)
    board.pico.console.connected = True
    board.run(3.0)
    board.send(GREET.kind, b"")
    board.wait(
        lambda: board.of("clamp", 1) and board.of("clamp", 1)[-1]["t_us"] > 25e6, "what was kept and the present"
    )
    assert board.of("hello") and board.of("clamp", 1)[-1]["gap_samples"] == 0
    assert board.of("clamp", 1)[-1]["t_us"] > 20e6


def test_settings_change_the_rate_and_the_ports_while_it_runs(make_board) -> None:
    board = make_board(
        "[[clamp]]\nport = 2\ncurrent_a = 25.0\n[[pulse]]\nport = 3\nrate_hz = [[0, 0.0], [8, 5.0]]\nwidth_ms = 3\ncount = 40\n"
    )
    board.run(3.0)
    board.set(rate_hz=1000, clamp_ports=0b010, pulse_ports=0b10100, width_us_3=2000, width_us_5=2000)
    mark = len(board.records)
    board.run(20.0)
    later = board.records[mark:]
    assert {fields["port"] for name, fields in later if name == "clamp"} == {2}
    assert {fields["port"] for name, fields in later if name == "pulse"} == {3, 5}
    assert board.of("clamp", 2)[-1]["samples"] == 1000
    assert rms_a(board.of("clamp", 2)[-1]) == pytest.approx(25.0, rel=1e-3)
    assert board.of("pulse", 3)[-1]["count"] == 40


def test_settings_it_cannot_do_are_refused_with_a_reason(make_board) -> None:
    board = make_board(QUIET)
    board.run(4.0)
    board.send(SETTINGS.kind, bytes(SETTINGS.size))
    board.pico.console.send(b"help()\n:not base64\n")
    board.run(1.0)
    assert "settings.rate_hz" in board.of("log")[-1]["text"]
    assert board.of("hello")[-1]["rate_hz"] == 20000
    board.run(10.0)
    assert board.of("health")[-1]["lines_dropped"] == 2
