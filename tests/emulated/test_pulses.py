"""Four pulse inputs at once beside sampling at the highest rate: none lost, none twice, each at its time; and storms."""

import pytest

from house.pulses import true_pulse_count
from pulse_truth import judge, zero_ns

pytestmark = pytest.mark.emulated

CLAMP = "[[clamp]]\nport = 1\ncurrent_a = 20.0\n"
PORTS = (2, 3, 4, 5)
ALL_PULSES = {"rate_hz": 100_000, "clamp_ports": 0b00001, "pulse_ports": 0b11110}
WORST_US = 50
S0 = {"width_us": 12_000, "gap_us": 40_000}
OPTO = {"width_us": 20, "gap_us": 300}


def house(rate_hz: float, width_ms: float, bounce_ms: float, count: int, delays_ms: tuple[float, ...]) -> str:
    """Pulses on all four ports from the fifth second on."""
    text = CLAMP
    for port, delay_ms in zip(PORTS, delays_ms, strict=True):
        text += f"[[pulse]]\nport = {port}\nrate_hz = [[0, 0.0], [5, {rate_hz}]]\ncount = {count}\ndelay_ms = {delay_ms}\n"
        text += f"width_ms = {width_ms}\nbounce_ms = {bounce_ms}\nseed = {port}\n"
    return text


def settings(width_us: int, gap_us: int) -> dict[str, int]:
    each = {f"width_us_{port}": width_us for port in PORTS} | {f"gap_us_{port}": gap_us for port in PORTS}
    return ALL_PULSES | each


def check(board, ports=PORTS) -> None:
    last = board.of("pulse", ports[0])[-1]
    began_ns = zero_ns(board.pico, ports[0], last["edge_us"])
    for pulse in board.house.pulse:
        if pulse.port in ports:
            verdict = judge(pulse, board.of("pulse", pulse.port), began_ns)
            print(pulse.port, verdict)
            assert (verdict.counted, verdict.lost) == (pulse.count, 0)
            assert verdict.compared >= 5
            assert -1 <= verdict.least_us and verdict.worst_us <= WORST_US


# Edges of two ports at once, of one a moment later, of one apart.
DELAYS = {"s0": (0.0, 0.0, 0.02, 31.0), "opto": (0.0, 0.0, 0.02, 0.5)}


def test_sixteen_pulses_a_second_with_bounce_on_four_ports(make_board) -> None:
    board = make_board(house(16.0, 30.0, 10.0, 96, DELAYS["s0"]))
    board.run(3.0)
    board.set(**settings(**S0))
    board.run(10.0)
    check(board)
    assert all(100 < board.of("pulse", port)[-1]["rejected"] < 96 * 20 for port in PORTS)
    check_board(board)


def test_a_thousand_short_pulses_a_second_on_four_ports(make_board) -> None:
    board = make_board(house(1000.0, 0.05, 0.0, 7000, DELAYS["opto"]))
    board.run(3.0)
    board.set(**settings(**OPTO))
    board.run(11.0)
    check(board)
    assert {board.of("pulse", port)[-1]["rejected"] for port in PORTS} == {0}
    assert len(board.of("health")) == 1  # with which the heap is collected
    check_board(board)


def check_board(board) -> None:
    """Nothing else suffered."""
    assert {pulse["storms"] for pulse in board.of("pulse")} <= {0}
    assert board.of("clamp", 1)[-1]["gap_samples"] == 0
    assert board.deframer.dropped == 0 and board.sequence == list(range(len(board.sequence)))


STORM = """
[[pulse]]
port = 3
rate_hz = [[0, 0.0], [5, 50000.0], [9, 0.0]]
width_ms = 0.01
"""


def test_a_storm_on_one_port_leaves_the_others_alone_and_ends(make_board) -> None:
    text = house(16.0, 30.0, 10.0, 64, DELAYS["s0"])
    kept = "".join(f"[[pulse]]{one}" for one in text.split("[[pulse]]")[1:] if "port = 3" not in one)
    board = make_board(CLAMP + STORM + kept)
    board.run(3.0)
    board.set(**settings(**S0))
    busy = board.pico.busy_cycles
    board.run(1.0)
    quiet = board.pico.busy_cycles - busy
    board.run(1.5)
    busy = board.pico.busy_cycles
    board.run(1.0)
    storming = board.pico.busy_cycles - busy
    board.run(5.5)
    check(board, (2, 4, 5))
    storm = board.of("pulse", 3)[-1]
    assert storm["storms"] > 200 and storm["count"] <= 1
    assert storming - quiet < 0.2 * 125e6
    assert true_pulse_count(board.house, 3, 12.0) == 199_999
    assert board.of("clamp", 1)[-1]["gap_samples"] == 0
    assert board.deframer.dropped == 0 and board.sequence == list(range(len(board.sequence)))
