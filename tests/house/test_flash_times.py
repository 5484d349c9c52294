"""Flash that takes its time, and power that goes in the midst of it."""

import pytest

from house.flash_times import LONGEST_NS
from house.rawrepl import execute

pytestmark = pytest.mark.emulated

MS = "import time; t = time.ticks_us(); {}; print(time.ticks_diff(time.ticks_us(), t) / 1000)"
ERASE = "import rp2; flash = rp2.Flash(); flash.ioctl(6, 350)"
PROGRAM = "import rp2; flash = rp2.Flash(); flash.writeblocks(350, bytes(256), 0)"


def test_erasing_and_programming_take_the_time_of_the_data_sheet(boot):
    board = boot()
    formatted, pages = len(board.flash.erased), board.flash.pages
    assert 45 < float(execute(board, MS.format(ERASE))) < 46
    assert 0.4 < float(execute(board, MS.format(PROGRAM))) < 2
    board.flash.times_ns = dict(LONGEST_NS)
    assert 400 < float(execute(board, MS.format(ERASE))) < 401
    address = 0xA0000 + 350 * 4096
    assert [sector for sector, _ in board.flash.erased[formatted:]] == [address, address]
    assert board.flash.pages == pages + 1


def test_a_power_cut_in_the_midst_leaves_it_half_done_and_the_memory_lost(boot):
    board = boot()
    address = 0xA0000 + 350 * 4096
    execute(board, ERASE + "; flash.writeblocks(350, bytes(4096), 0)")
    cells = memoryview(board.mcu.flash)[address : address + 4096]
    assert bytes(cells) == bytes(4096)
    board.console.send(b"\r\n" + ERASE.encode() + b"\r\n")
    assert board.run_until(lambda: board.flash.busy, 1.0)
    board.run_for(0.0123)
    assert board.flash.busy
    board.power_cut()
    ones = sum(byte.bit_count() for byte in bytes(cells))
    assert 0.4 < ones / 8 / 4096 < 0.6
    nanos = board.nanos
    board.run_for(0.5)
    assert board.nanos - nanos == 500_000_000 and not board.usb.enumerated
    board.power_on()
    assert board.run_until(lambda: board.usb.enumerated, 3)
    assert execute(board, "print(6 * 7)") == "42\r\n"


def test_nothing_of_an_idle_flash_changes_in_a_power_cut(boot):
    board = boot()
    before = bytes(board.mcu.flash)
    board.power_cycle()
    assert bytes(board.mcu.flash) == before
    assert board.run_until(lambda: board.usb.enumerated, 3)


def test_the_watchdog_comes_once_and_is_off_after_a_reset(boot):
    board = boot()
    board.console.send(b"import machine; w = machine.WDT(timeout=500)\r\n")
    board.run_for(0.3)
    assert board.run_until(lambda: not board.usb.enumerated, 0.5)
    assert board.run_until(lambda: board.usb.enumerated, 3)
    board.run_for(2.0)
    assert execute(board, "import machine; print(machine.mem32[0x40058008])") == "1\r\n"  # REASON: the timer
    board.console.send(b"w = machine.WDT(timeout=2000)\r\n")
    board.run_for(0.1)
    board.press_reset()
    assert board.run_until(lambda: board.usb.enumerated, 1.9)
    board.run_for(3.0)
    assert execute(board, "import machine; print(machine.mem32[0x40058008])") == "0\r\n"
