"""The converter at its limits: the highest rate, and what happens when its queue runs over."""

import numpy as np
import pytest

pytestmark = pytest.mark.emulated

HOUSE = """
[[clamp]]
port = 1
current_a = 40.0
[[clamp]]
port = 2
current_a = 10.0
[[clamp]]
port = 3
current_a = 2.5
"""
LSB_A = 3.3 / 4096 * 50
CURRENTS_A = {1: 40.0, 2: 10.0, 3: 2.5}
ADC_FIFO_OVER = 1 << 11  # of its register FCS


def rms_a(window) -> float:
    n = window["samples"]
    return ((n * window["sum_sq"] - window["sum_"] ** 2) / n**2) ** 0.5 * LSB_A / 8


def test_three_clamps_at_the_highest_rate_lose_nothing(make_board, record_property) -> None:
    board = make_board(HOUSE)
    board.run(3.0)
    board.set(rate_hz=100000, voltage_port=1, pairs=0b111)
    busy, cycles = board.pico.busy_cycles, board.pico.cycles
    board.run(5.2)
    share = (board.pico.busy_cycles - busy) / (board.pico.cycles - cycles)
    board.wait(lambda: board.of("health"), "health")
    health = board.of("health")[-1]
    record_property("share of the core at 3 x 100 kS/s", round(share, 3))
    record_property("free heap in bytes", health["heap_free"])
    record_property("longest wait in the ring in ms", round(health["backlog_samples"] / 300, 1))
    assert share < 0.5 and health["heap_free"] > 40000
    assert health["backlog_samples"] < 0.6 * health["ring_samples"]
    for port, amperes in CURRENTS_A.items():
        windows = [window for window in board.of("clamp", port) if window["samples"] > 20000]
        assert len(windows) >= 5 and {window["gap_samples"] for window in windows} == {0}
        for window in windows:
            assert window["cycles"] == 50 and abs(window["samples"] - 100000) <= 1
            assert rms_a(window) == pytest.approx(amperes, rel=1e-3)
    assert len(board.of("pair")) == 3 * len(windows)
    # What memory is left is enough for the largest capture.
    swing = np.ptp(board.capture(0b001, 8192)[1].astype(int))
    assert swing * LSB_A / 8**0.5 == pytest.approx(CURRENTS_A[1], rel=0.01)


def stall_dma(board) -> None:
    """Keeps the DMA from the converter's queue until that has run over."""
    dma, adc = board.pico.mcu.dma, board.pico.mcu.adc
    data = next(channel for channel in dma.channels if channel.treq == adc.dreq and channel.active)
    control = 0x40 * data.index + 0x10  # AL1_CTRL
    running = dma.read_uint32(control)
    for _ in range(5):  # the board may look in the middle of it and mend it at once
        dma.write_uint32(control, running & ~1)
        board.run(0.001)
        if adc.fcs & ADC_FIFO_OVER:
            break
    dma.write_uint32(control, running)
    assert adc.fcs & ADC_FIFO_OVER


def test_a_queue_that_ran_over_begins_again_with_the_first_channel(make_board) -> None:
    board = make_board(HOUSE)
    board.run(3.0)
    board.set(rate_hz=4000)
    board.run(2.3)
    stall_dma(board)
    board.run(0.040)  # or a little more than a look each 16 ms, while the heap is collected
    assert not board.pico.mcu.adc.fcs & ADC_FIFO_OVER  # it was started again, which clears the mark
    before = {port: board.of("clamp", port)[-1] for port in CURRENTS_A}
    board.run(2.2)
    for port, amperes in CURRENTS_A.items():
        at = board.of("clamp", port).index(before[port])
        hit, after = board.of("clamp", port)[at + 1 : at + 3]
        # Lost is what came between the last fold, at most 64 ms ago, and the new start; time and samples still agree.
        assert hit["flags"] == 2 and after["flags"] == 0
        assert 20 <= hit["gap_samples"] == after["gap_samples"] <= 4000 * 0.09
        passed = (hit["t_us"] - before[port]["t_us"]) * 4 / 1000
        assert passed == pytest.approx(hit["samples"] + hit["gap_samples"], abs=4)
        assert rms_a(after) == pytest.approx(
            amperes, rel=2e-3
        )  # it still makes up for what the one before was short of
        assert rms_a(hit) == pytest.approx(amperes, rel=0.03)
    captured = board.capture(0b111, 400)
    swings = {port: int(np.ptp(codes.astype(int))) * LSB_A / 8**0.5 for port, codes in captured.items()}
    assert swings == pytest.approx(CURRENTS_A, rel=0.01)
