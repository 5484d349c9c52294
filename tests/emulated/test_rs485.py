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
baud = {baud}
format = "{format}"
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
    """At full sampling rate, with pulses that bounce and the collector at work."""
    board = make_board(HOUSE.format(echo=echo, baud=115200, format="8N1"))
    board.run(1.0)
    board.set(rate_hz=20_000, serial_baud=115200)
    bus = board.pico.serial_bus
    for count in range(60):
        registers = 2 + 2 * (count % 30)
        answer = ask(board, request(1, 4, 0, registers), 5 + 2 * registers)
        assert answer[:3] == bytes([1, 4, 2 * registers]) and len(answer) == 5 + 2 * registers
        assert FramerRTU.check_CRC(answer[:-2], int.from_bytes(answer[-2:], "big"))
    assert bus.meters[0].answered == 60 == len(bus.releases)
    print(
        "release us",
        min(bus.releases) / 1e3,
        sorted(bus.releases)[len(bus.releases) // 2] / 1e3,
        max(bus.releases) / 1e3,
    )
    assert (bus.unheard, bus.collisions, bus.line.overrun) == (0, 0, 0)
    assert min(bus.releases) > 0 and max(bus.releases) < SLAVE_US * 1000
