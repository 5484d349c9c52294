"""Four pulse inputs at once beside sampling at the highest rate: none lost, none twice, each at its time; and storms."""

from dataclasses import asdict

import pytest

from house.pulses import true_pulse_count
from pulse_truth import OPTO_METERS, PORTS, S0_METERS, judge, settings_of, storm, zero_ns

pytestmark = pytest.mark.emulated

RATE_HZ = 20_000
WORST_US = 50


def check(board, ports=PORTS) -> None:
    last = board.of("pulse", ports[0])[-1]
    began_ns = zero_ns(board.pico, ports[0], last["edge_us"])
    for pulse in board.house.pulse:
        if pulse.port in ports:
            verdict = judge(pulse, board.of("pulse", pulse.port), began_ns)
            assert (verdict.counted, verdict.lost) == (pulse.count, 0)
            assert verdict.compared >= 4
            assert verdict.least_us >= -1 and verdict.worst_us <= WORST_US


def test_sixteen_pulses_a_second_with_bounce_on_four_ports(make_board) -> None:
    board = make_board(S0_METERS.house(6.0))
    board.run(3.0)
    board.set(**asdict(settings_of("s0", RATE_HZ)))
    board.run(10.0)
    check(board)
    assert all(100 < board.of("pulse", port)[-1]["rejected"] < 96 * 20 for port in PORTS)
    check_board(board)


def test_a_thousand_short_pulses_a_second_on_four_ports(make_board) -> None:
    board = make_board(OPTO_METERS.house(7.0))
    board.run(3.0)
    board.set(**asdict(settings_of("opto", RATE_HZ)))
    board.run(11.0)
    check(board)
    assert {board.of("pulse", port)[-1]["rejected"] for port in PORTS} == {0}
    assert len(board.of("health")) == 1  # with which the heap is collected
    check_board(board)


def check_board(board) -> None:
    """Nothing else suffered."""
    assert {pulse["storms"] for pulse in board.of("pulse") if pulse["port"] != 3} == {0}
    assert board.of("clamp", 1)[-1]["gap_samples"] == 0
    assert board.deframer.dropped == 0 and board.sequence == list(range(len(board.sequence)))


def test_a_storm_on_one_port_leaves_the_others_alone_and_ends(make_board) -> None:
    board = make_board(storm(5, 8, 50_000) + S0_METERS.house(3.0, ports=(2, 4, 5)))
    board.run(3.0)
    board.set(**asdict(settings_of("s0", RATE_HZ)))
    shares = []
    for idle_s in (0.5, 1.5):  # before the storm, and in it
        board.run(idle_s)
        busy = board.pico.busy_cycles
        board.run(1.0)
        shares.append((board.pico.busy_cycles - busy) / 125e6)
    board.run(4.5)
    check(board, (2, 4, 5))
    chatter = board.of("pulse", 3)[-1]
    assert true_pulse_count(board.house, 3, 12.0) == 149_999
    assert chatter["storms"] > 150 and chatter["count"] <= 1
    assert shares[1] - shares[0] < 0.2
    check_board(board)
