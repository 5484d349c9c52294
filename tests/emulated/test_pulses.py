"""Four pulse inputs at once beside sampling at the highest rate: none lost, none twice, each at its time; and storms."""

from dataclasses import asdict

import pytest

from house.pulses import true_pulse_count
from pulse_truth import OPTO_METERS, PORTS, S0_METERS, judge, settings_of, storm, zero_ns

pytestmark = pytest.mark.emulated

RATE_HZ = 20_000
WORST_US = 50


def check(board, ports=PORTS, least=4) -> None:
    last = board.of("pulse", ports[0])[-1]
    began_ns = zero_ns(board.pico, ports[0], last["edge_us"])
    for pulse in board.house.pulse:
        if pulse.port in ports:
            verdict = judge(pulse, board.of("pulse", pulse.port), began_ns)
            assert (verdict.counted, verdict.lost) == (pulse.count, 0)
            assert verdict.compared >= least
            assert verdict.least_us >= -1 and verdict.worst_us <= WORST_US


def run_to(board, t_s: float) -> None:
    """Runs until so long after the power came on."""
    board.run(t_s - board.pico.nanos / 1e9)


def test_sixteen_pulses_a_second_with_bounce_on_four_ports(make_board) -> None:
    board = make_board(S0_METERS.house(3.5, first_s=1.5))
    board.run(1.0)
    board.set(**asdict(settings_of("s0", RATE_HZ)))
    run_to(board, 6.4)  # a record each second
    check(board)
    assert all(50 < board.of("pulse", port)[-1]["rejected"] < 56 * 20 for port in PORTS)
    check_board(board)


def test_a_thousand_short_pulses_a_second_on_four_ports(make_board) -> None:
    """Also while the heap is collected and a longer ring is made, as another rate asks for it."""
    board = make_board(OPTO_METERS.house(2.0, first_s=1.5))
    board.run(1.0)
    settings = asdict(settings_of("opto", RATE_HZ))
    board.set(**settings | {"rate_hz": RATE_HZ // 2})
    run_to(board, 2.4)
    board.set(**settings)
    set_us = board.of("hello")[-1]["t_us"]
    run_to(board, 5.3)
    check(board)
    assert {board.of("pulse", port)[-1]["rejected"] for port in PORTS} == {0}
    counts = [pulse["count"] for pulse in board.of("pulse", PORTS[0]) if pulse["t_us"] < set_us]
    assert 0 < counts[-1] < 1000
    check_board(board)


def check_board(board) -> None:
    """Nothing else suffered."""
    assert {pulse["storms"] for pulse in board.of("pulse") if pulse["port"] != 3} == {0}
    assert board.of("clamp", 1)[-1]["gap_samples"] == 0
    assert board.nothing_missing()


def test_a_storm_on_one_port_leaves_the_others_alone_and_ends(make_board) -> None:
    board = make_board(storm(2.2, 3.7, 50_000) + S0_METERS.house(3.0, ports=(2, 4, 5), first_s=1.8))
    board.run(0.8)
    board.set(**asdict(settings_of("s0", RATE_HZ)))
    shares = []
    for begin_s in (1.2, 2.7):  # before the storm, and in it
        run_to(board, begin_s)
        busy = board.pico.busy_cycles
        board.run(1.0)
        shares.append((board.pico.busy_cycles - busy) / 125e6)
    run_to(board, 6.3)
    check(board, (2, 4, 5))
    chatter = board.of("pulse", 3)[-1]
    assert true_pulse_count(board.house, 3, 6.3) == 74_999
    assert chatter["storms"] > 75 and chatter["count"] <= 1
    assert shares[1] - shares[0] < 0.2
    check_board(board)
