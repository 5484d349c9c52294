"""What survives on the emulated chip: a power cut, also inside a write to flash, and a program that hangs."""

from pathlib import Path
from random import Random
from zlib import crc32

import numpy as np
import pytest
from emulated import flash_files
from emulated.board import FirmwareBoard

from fluksometer.faults import parse_toml
from fluksometer.shared.records import CALIBRATION, PULSE
from house.housefile import House

pytestmark = pytest.mark.emulated

HOUSE = """
[[clamp]]
port = 1
current_a = 10.0
[[pulse]]
port = 4
rate_hz = 5.0
width_ms = 30
"""
# A maker's pins.py may hold any code: here the keeper's second is half a minute.
FAST = """
from meter.keeper import Keeper
_look = Keeper.look
def look(self, *values):
    self._second += 29
    return _look(self, *values)
Keeper.look = look
"""
# A task that never comes back three seconds after the start.
HANGS = """
import asyncio, time
async def hang():
    await asyncio.sleep(3)
    time.sleep(1000)
asyncio.create_task(hang())
"""
SETTINGS = {"rate_hz": 1000, "clamp_ports": 0b001, "pulse_ports": 0b01000}
CALIBRATED = ((11, 22, 33), (16384, 0, 16000, 5, -7, 16384))
TABLE = np.array([-16383] + [8 * (code - 2048) + code % 5 for code in range(1, 4096)], np.int16)


def make(image: Path, flashed: Path, folder: Path, code: str) -> FirmwareBoard:
    own = folder / "pico.flash"
    own.write_bytes(flashed.read_bytes())
    flash_files.append(own, "/pins.py", code)
    return FirmwareBoard(image, parse_toml(HOUSE, House, source="house"), own)


def restart(board: FirmwareBoard) -> None:
    """The power comes back; until the board says hello."""
    before = len(board.of("hello"))
    board.run(0.3)
    board.pico.power_on()
    board.wait(lambda: len(board.of("hello")) > before, "hello after the power cut")


def in_force(board: FirmwareBoard) -> tuple[int, ...]:
    hello = board.of("hello")[-1]
    return tuple(hello[name] for name in ("rate_hz", "clamp_ports", "pulse_ports", "calibration_crc", "table_crc"))


def cut_inside_a_save(board: FirmwareBoard, chance: Random) -> None:
    erased = len(board.pico.flash.erased)
    assert board.pico.run_until(lambda: len(board.pico.flash.erased) > erased, 10.0), "no save"
    board.pico.run_for(chance.random() * 0.03)
    assert board.pico.flash.busy
    board.pico.power_cut()


def test_settings_and_counters_survive_power_cuts(image, flashed, tmp_path) -> None:
    board = make(image, flashed, tmp_path, FAST)
    board.wait(lambda: board.of("hello"), "hello")
    board.set(**SETTINGS)
    board.calibrate(*CALIBRATED)
    board.push_table(TABLE)
    mine = (1000, 0b001, 0b01000, crc32(CALIBRATION.pack(*CALIBRATED[0], *CALIBRATED[1])), crc32(TABLE.tobytes()))
    assert in_force(board) == mine
    first_boot = board.of("hello")[-1]["boot_id"]
    board.acknowledging = False
    board.run(10.0)
    pulses = {pulse["t_us"]: pulse["count"] for pulse in board.of("pulse", 4)}
    board.pico.power_cut()
    restart(board)
    assert in_force(board) == mine and board.of("hello")[-1]["reset_cause"] == 1
    board.acknowledging = True
    board.run(1.5)
    earlier = [record for record in board.of("earlier") if record["kind"] == PULSE.kind]
    assert {record["boot_id"] for record in board.of("earlier")} == {first_boot}
    assert len(board.of("earlier")) == 2 and len(earlier) == 1  # a clamp and a pulse input
    _port, t_us, count, *_rest = PULSE.unpack(earlier[0]["record"])
    assert count > 20 and pulses[t_us] == count
    # Other settings, and the power goes while they are written: one or the other is in force, all of it.
    board.set(**(SETTINGS | {"rate_hz": 2000}))
    cut_inside_a_save(board, Random(3))
    restart(board)
    assert in_force(board) in (mine, (2000, *mine[1:]))
    board.pico.close()


def test_a_task_that_hangs_leads_to_a_reset_and_the_prompt_stays(image, flashed, tmp_path) -> None:
    board = make(image, flashed, tmp_path, HANGS)
    board.run(4.0)
    board.wait(lambda: len(board.of("hello")) == 2, "hello after the watchdog", 10.0)
    assert [hello["reset_cause"] for hello in board.of("hello")] == [1, 3]
    board.pico.console.send(b"\x03")
    board.pico.run_for(10.0)  # at the prompt nothing feeds the watchdog
    assert bytes(board.pico.console.written).endswith(b"\r\n>>> ")
    board.pico.console.send(b"import machine; machine.reset()\r\n")
    board.wait(lambda: len(board.of("hello")) == 3, "hello after machine.reset()")
    assert board.of("hello")[-1]["reset_cause"] == 4
    board.pico.close()
