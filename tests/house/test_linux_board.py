"""The virtual board: the board's own code on this machine, its cable and its power."""

import time

import pytest
import serial

from fluksometer.domain import wire
from fluksometer.domain.readings import ClampWindow, Hello, PulseCount
from fluksometer.shared.deframer import Deframer
from fluksometer.shared.records import ACK, GREET
from house.linux_board import LinuxBoard
from reliability_truth import read_truth


class Host:
    """Somebody who has opened the port."""

    def __init__(self, board):
        self.port = serial.Serial(str(board.cable.link), 115200, timeout=0.05)
        self.port.write(wire.line(0, GREET))
        self._deframer = Deframer()

    def hear(self, seconds):
        """(number, reading) of what comes in that time."""
        end_s, heard = time.monotonic() + seconds, []
        while time.monotonic() < end_s:
            records = self._deframer.push(self.port.read(1000))
            heard += [(seq, wire.decode(kind, payload)) for kind, seq, _prev, payload in records]
        return heard

    def acknowledge(self, board, seq, resume=0):
        self.port.write(wire.line(1, ACK, board.boot_id, seq, resume))


@pytest.fixture
def board(tmp_path):
    board = LinuxBoard(tmp_path, uid=77)
    board.power_up()
    board.cable.plug()
    yield board
    board.close()
    assert board.errors == ""


def of(heard, kind):
    return [reading for _seq, reading in heard if isinstance(reading, kind)]


def truth(board):
    return read_truth((board.folder / "truth").read_text())


def test_it_is_a_board_whose_truth_is_known(board):
    host = Host(board)
    heard = host.hear(2.3)
    hello = of(heard, Hello)[-1]
    assert (hello.uid, hello.boot_id, hello.model) == (77, 1, "MicroPython for Linux")
    (boot,) = truth(board)
    windows = [window for window in of(heard, ClampWindow) if window.port == 2]
    assert [(window.t_us, window.high) for window in windows] == [(t_us, steps[1]) for t_us, steps in boot.windows]
    assert len(windows) == 2 and windows[1].charge - windows[0].charge == windows[1].high * 1024 * 1000
    assert [pulses.count for pulses in of(heard, PulseCount) if pulses.port == 4] == [20, 40]
    board.be_quiet()
    quiet = host.hear(2.3)
    last = [pulses.count for pulses in of(quiet, PulseCount) if pulses.port == 4][-1]
    assert last == truth(board)[0].quiet_us // 50_000 and of(quiet, ClampWindow)[-1].high == 0


def test_what_was_not_acknowledged_comes_again_over_another_port(board):
    host = Host(board)
    before = host.hear(2.2)
    name = board.cable.link.readlink()
    board.cable.pull()
    assert not board.cable.link.exists()
    with pytest.raises(serial.SerialException):
        host.hear(0.5)
    board.cable.plug(renamed=True)
    assert board.cable.link.readlink() != name
    host = Host(board)
    host.acknowledge(board, 0, resume=1)
    again = {seq: reading for seq, reading in host.hear(0.6) if seq}
    kept = {seq: reading for seq, reading in before if seq}
    assert kept and {seq: again.get(seq) for seq in kept} == kept


def test_a_board_without_power_begins_anew_and_all_it_had_is_gone(board):
    Host(board).hear(1.2)
    board.power_cut()
    assert not board.running
    board.power_up()
    heard = Host(board).hear(1.3)
    assert of(heard, Hello)[-1].boot_id == 2 and of(heard, ClampWindow)[0].t_us == 1_000_000
    assert [boot.boot_id for boot in truth(board)] == [1, 2]


def test_a_cable_can_damage_what_it_carries(board):
    board.cable.disturb = lambda data: bytes(byte ^ (index % 40 == 0) for index, byte in enumerate(data))
    host = Host(board)
    assert host.hear(1.3) == [] and host._deframer.dropped > 3
