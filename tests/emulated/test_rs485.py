"""Port 6 on the emulated chip: the driver is on for a piece and not a moment longer, and nothing is lost either way."""

import struct

import pytest
from emulated.board import FirmwareBoard
from emulated.conftest import MakeBoard
from pymodbus.framer import FramerRTU

from fluksometer.shared.terminal_records import SERIAL_OUT

pytestmark = pytest.mark.emulated

HOUSE = """
[[clamp]]
port = 1
current_a = 4.0
[[clamp]]
port = 2
current_a = 2.0
[[clamp]]
port = 3
current_a = 1.0
[[pulse]]
port = 4
rate_hz = 16
width_ms = 20
bounce_ms = 5
[rs485]
echo = {echo}
[[modbus]]
address = 1
model = "sdm120"
turnaround_us = 304
[[modbus]]
address = 2
model = "sdm120"
baud = 9600
format = "8E1"
"""
SLAVE_US = 304  # 3.5 characters at 115200 baud: the fastest that a meter may answer


def request(address: int, function: int, first: int, count: int) -> bytes:
    head = struct.pack(">BBHH", address, function, first, count)
    return head + FramerRTU.compute_CRC(head).to_bytes(2, "big")


def received(board: FirmwareBoard) -> bytes:
    return b"".join(record["data"] for record in board.of("serial_in"))


def ask(board: FirmwareBoard, data: bytes, more: int) -> bytes:
    """Sends a piece; what has come behind it when ``more`` bytes were there."""
    before = len(received(board))
    board.send(SERIAL_OUT.kind, SERIAL_OUT.pack(data))
    board.wait(lambda: len(received(board)) >= before + more, f"{more} bytes from RS-485")
    return received(board)[before:]


@pytest.mark.parametrize("echo", ["true", "false"], ids=["receiver always on", "receiver off while sending"])
def test_the_driver_is_released_before_a_fast_meter_answers(make_board: MakeBoard, echo: str) -> None:
    """At full sampling rate, with pulses that bounce and the collector at work; then another speed, and pieces of any length."""
    board = make_board(HOUSE.format(echo=echo))
    board.run(0.8)
    board.set(rate_hz=20_000, serial_baud=115_200)
    bus, rounds = board.pico.serial_bus, 15 if echo == "true" else 4
    for count in range(rounds):
        check_answer(board, 1, 2 + 4 * count)
    assert bus.meters[0].answered == rounds == len(bus.releases)
    worst_us = max(bus.releases) / 1000
    print(f"released {min(bus.releases) / 1000:.1f} to {worst_us:.1f} us after the last stop bit of {rounds} requests")
    assert min(bus.releases) > 0 and worst_us < SLAVE_US
    if echo == "true":
        board.set(rate_hz=20_000, serial_baud=9600, serial_format=1)
        check_answer(board, 2, 10)
        assert bus.meters[1].answered == 1 and 0 < bus.releases[-1] < 3.5 * 11e9 / 9600
        check_pieces(board)
    assert (bus.unheard, bus.collisions, bus.line.overrun) == (0, 0, 0)
    assert max(bus.gaps) < 10_000  # ns: no piece has a gap inside


def check_answer(board: FirmwareBoard, address: int, registers: int) -> None:
    """A meter's whole answer comes, with a right CRC, and nothing beside it."""
    answer = ask(board, request(address, 4, 0, registers), 5 + 2 * registers)
    assert answer[:3] == bytes([address, 4, 2 * registers]) and len(answer) == 5 + 2 * registers
    assert FramerRTU.check_CRC(answer[:-2], int.from_bytes(answer[-2:], "big"))


def check_pieces(board: FirmwareBoard) -> None:
    """Pieces of one byte and of nearly a thousand go out whole, in order, with silence between; none of the echo comes back."""
    bus, before = board.pico.serial_bus, len(received(board))
    board.set(rate_hz=20_000, serial_baud=460_800, serial_format=3)
    pieces = [bytes([7]), b"abc", bytes(range(256)) * 3 + bytes(229)]
    frames = len(bus.frames)
    for piece in pieces:
        board.send(SERIAL_OUT.kind, SERIAL_OUT.pack(piece))
    board.wait(lambda: len(bus.frames) >= frames + 3, "three pieces")
    board.run(0.1)
    assert list(bus.frames)[frames:] == pieces
    assert min(list(bus.releases)[-3:]) > 0 and len(received(board)) == before
