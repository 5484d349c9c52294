"""What the board makes of its samples with what the host tells it: linearity table, noise, phase; power with its sign."""

from itertools import pairwise
from math import pi, sin
from zlib import crc32

import numpy as np
import numpy.typing as npt
import pytest

from fluksometer.shared.records import PAIR_1_2, PAIR_1_3
from house.converter import lower_edges
from house.waves import true_power_w, true_rms_a

pytestmark = pytest.mark.emulated

LSB_A = 3.3 / 4096 * 50  # of a 50 A clamp with 1 V at 50 A
STEP_A = LSB_A / 8
RATE_HZ = 4000

BENT = """
[converter]
curve = "rp2040-a"
noise_lsb = 1.0
[[clamp]]
port = 2
current_a = 5.0
[[clamp]]
port = 3
current_a = 25.0
"""

# The clamp on port 1 plays the voltage: 23 A stand for 230 V. Port 2 draws and lags by 60 degrees, port 3 feeds in.
POWER = """
[[clamp]]
port = 1
current_a = 23.0
[[clamp]]
port = 2
current_a = 10.0
power_factor = 0.5
[[clamp]]
port = 3
current_a = 5.0
power_factor = -0.8
"""


def rms_a(window) -> float:
    n = window["samples"]
    return ((n * window["sum_sq"] - window["sum_"] ** 2) / n**2) ** 0.5 * STEP_A


def exact_table(curve: str) -> npt.NDArray[np.int16]:
    """For each code the middle between its edges, in steps: what a perfect calibration would find."""
    edges = lower_edges(curve)
    assert edges is not None
    middles = np.append((edges[:-1] + edges[1:]) / 2, edges[-1])
    return np.clip(np.rint((middles - 2048) * 8), -16383, 16383).astype(np.int16)


def mean_a(board, port: int, windows: int) -> float:
    return float(np.mean([rms_a(window) for window in board.of("clamp", port)[-windows:]]))


def test_a_table_and_a_noise_floor_that_the_host_sends_change_what_is_measured(make_board) -> None:
    board = make_board(BENT)
    board.run(3.0)
    board.set(rate_hz=RATE_HZ)
    board.run(2.2)
    small, half = true_rms_a(board.house, 2, 0, 1), true_rms_a(board.house, 3, 0, 1)
    # At 10 % of range, relative to half of it: the unit of docs/calibration.md.
    assert abs(mean_a(board, 2, 2) / mean_a(board, 3, 2) / (small / half) - 1) > 0.01
    table = exact_table("rp2040-a")
    board.push_table(table)
    assert board.of("hello")[-1]["table_crc"] == crc32(table.astype("<i2").tobytes())
    board.run(3.2)
    assert mean_a(board, 2, 2) == pytest.approx(small, rel=0.003)
    assert mean_a(board, 3, 2) == pytest.approx(half, rel=0.003)
    check_noise_floor(board)
    assert not board.of("log") and board.of("clamp")[-1]["gap_samples"] == 0


def check_noise_floor(board) -> None:
    """Port 1 has no clamp: with its noise as the floor nothing is left that always has the same sign."""
    before = [window["charge"] for window in board.of("clamp", 1)[-2:]]
    variance = (mean_a(board, 1, 2) / STEP_A) ** 2
    board.calibrate((round(variance * 2**20), 0, 0), (1 << 14, 0) * 3)
    board.run(3.2)
    after = [window["charge"] for window in board.of("clamp", 1)[-3:]]
    noise = before[1] - before[0]
    assert noise / 1024 / 1000 == pytest.approx(variance**0.5, rel=0.1)
    assert all(abs(later - earlier) < noise / 2 for earlier, later in pairwise(after))


def compensation(share: float) -> tuple[int, int]:
    """c0 and c1 that undo a delay of so many sets at 50 Hz between two channels (docs/wire.md)."""
    cycle = 2 * pi * 50 / RATE_HZ
    return round(sin(cycle * (share + 1)) / sin(cycle) * 2**14), round(-sin(cycle * share) / sin(cycle) * 2**14)


def test_power_has_the_size_and_the_sign_of_the_house(make_board) -> None:
    board = make_board(POWER)
    board.run(3.0)
    board.calibrate((0, 0, 0), (*compensation(1 / 3), *compensation(2 / 3), 1 << 14, 0))
    board.set(rate_hz=RATE_HZ, voltage_port=1, pairs=PAIR_1_2 | PAIR_1_3)
    board.run(3.3)
    records = board.of("pair")
    assert [(pair["a_port"], pair["b_port"]) for pair in records[:4]] == [(1, 2), (1, 3)] * 2
    watts = 10 * LSB_A**2  # of one LSB^2: port 1 has 10 V for each A
    for port in (2, 3):
        first, *_, last = [pair for pair in records if pair["b_port"] == port]
        true_w = true_power_w(board.house, port, 0, 1)
        passed_ms = (last["t_us"] - first["t_us"]) / 1000
        grown = [(last[name] - first[name]) / 16 / passed_ms * watts for name in ("import_total", "export_total")]
        assert grown == pytest.approx([true_w, 0] if true_w > 0 else [0, -true_w], rel=0.001)
        # Without compensation the later sample of the current makes the angle smaller.
        assert abs(last["product"] / 16 / 64 * watts / true_w - 1) > 0.01
    # Every pair belongs to the window of its clamps.
    assert {pair["t_us"] for pair in records} <= {window["t_us"] for window in board.of("clamp")}
