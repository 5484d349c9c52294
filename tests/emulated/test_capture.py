"""Raw captures: every code is what the house's wave says at its moment, without a gap."""

import numpy as np
import numpy.typing as npt
import pytest

from house.converter import convert
from house.waves import clamp_on, phase, pin_lsb

pytestmark = pytest.mark.emulated

THREE = """
[[clamp]]
port = 1
current_a = 40.0
[[clamp]]
port = 2
current_a = 12.5
power_factor = 0.9
harmonics = { 3 = 0.15, 5 = 0.08 }
[[clamp]]
port = 3
current_a = 2.0
power_factor = -0.7
"""


def begin_ns(house, codes: npt.NDArray[np.uint16], rate_hz: int) -> int:
    """When in a cycle the first code of port 1, a pure sine over whole cycles, was taken."""
    t_ns = np.arange(len(codes), dtype=np.int64) * 1_000_000_000 // rate_hz
    angle = np.angle(np.sum(codes * np.exp(-1j * phase(house.mains.frequency_hz, t_ns)))) + np.pi / 2
    return round(angle % (2 * np.pi) / (2 * np.pi) * 1e9 / house.mains.frequency_hz)


def check(house, captured: dict[int, npt.NDArray[np.uint16]], rate_hz: int) -> None:
    """The converter takes the ports in turn, so the moments of all are known from the first one of port 1."""
    first_ns = begin_ns(house, captured[1], rate_hz)
    turn_ns = 1_000_000_000 / rate_hz / len(captured)
    for place, (port, codes) in enumerate(captured.items()):
        t_ns = first_ns + np.rint((np.arange(len(codes)) * len(captured) + place) * turn_ns).astype(np.int64)
        wanted = convert(None, pin_lsb(house, clamp_on(house, port), t_ns)).astype(int)
        # The first moment is known to a fraction of a microsecond, in which the wave moves by less than half a code.
        assert np.abs(codes - wanted).max() <= 1
        assert np.mean(codes != wanted) < 0.2


def test_a_moment_of_three_ports_and_a_second_of_one(make_board, record_property) -> None:
    board = make_board(THREE)
    board.run(3.0)
    board.set(rate_hz=4000)
    check(board.house, board.capture(0b111, 400), 4000)
    board.set(rate_hz=4000, clamp_ports=0b001)
    asked_ns = board.pico.nanos
    check(board.house, board.capture(0b001, 4000), 4000)
    record_property("seconds from the request of 4000 codes to the last", (board.pico.nanos - asked_ns) / 1e9)
    board.run(1.0)
    assert board.nothing_missing()
    assert board.of("clamp", 1)[-1]["gap_samples"] == 0 and not board.of("log")


def test_a_capture_at_the_default_rate_and_one_that_is_too_long(make_board) -> None:
    board = make_board(THREE)
    board.run(3.0)
    check(board.house, board.capture(0b111, 2000), 20000)
    with pytest.raises(AssertionError, match=r"capture\.sets: more than the board can hold"):
        board.capture(0b001, 4000, timeout_s=0.5)
    assert board.of("clamp", 1)[-1]["gap_samples"] == 0
