"""The flash chip's times, what a power cut leaves of a command under way, and how often each sector was erased.

Defect 13: rp2040py erases and programs in no time. On a Pico the chip is busy meanwhile, and MicroPython keeps its interrupts
off, because no code can be read from flash. Here the chip answers "busy" for as long as its data sheet says (W25Q16JV,
revision H, 9.6, AC electrical characteristics).
"""

from collections.abc import Callable
from random import Random
from typing import Any, Final

from rp2040py.peripherals.ssi import (
    CMD_BLOCK_ERASE,
    CMD_PAGE_PROGRAM,
    CMD_READ_STATUS_1,
    CMD_SECTOR_ERASE,
    FLASH_BLOCK_SIZE,
    FLASH_PAGE_SIZE,
    FLASH_SECTOR_SIZE,
)

TYPICAL_NS: Final = {CMD_PAGE_PROGRAM: 0.4e6, CMD_SECTOR_ERASE: 45e6, CMD_BLOCK_ERASE: 150e6}
LONGEST_NS: Final = {CMD_PAGE_PROGRAM: 3e6, CMD_SECTOR_ERASE: 400e6, CMD_BLOCK_ERASE: 2000e6}
_SIZES: Final = {
    CMD_PAGE_PROGRAM: FLASH_PAGE_SIZE,
    CMD_SECTOR_ERASE: FLASH_SECTOR_SIZE,
    CMD_BLOCK_ERASE: FLASH_BLOCK_SIZE,
}
_HEAD: Final = 4
"""Command and address."""

_BUSY: Final = 1
_CYCLES_PER_NS: Final = 0.125


class FlashTimes:
    """Takes over the flash chip of ``mcu``. ``on_change`` is called after each command that erased or programmed.

    ``times_ns``: by command, may be changed at any time. ``erased``: (sector's address, emulated ns), one for each sector that
    was erased, oldest first. ``pages``: how many were programmed.
    """

    def __init__(self, mcu: Any, on_change: Callable[[], None]) -> None:
        self._mcu, self._ssi, self._on_change = mcu, mcu.ssi, on_change
        self.times_ns = dict(TYPICAL_NS)
        self.erased: list[tuple[int, int]] = []
        self.pages = 0
        self._busy_until_ns = 0.0
        self._under_way: tuple[int, bytes] = (0, b"")
        """Address of what the last command changes, and what stood there before."""
        self._apply, self._shift = mcu.ssi._apply_command, mcu.ssi._shift_byte
        mcu.ssi._apply_command = self._apply_command
        mcu.ssi._shift_byte = self._shift_byte

    @property
    def busy(self) -> bool:
        """Whether a command is under way now."""
        return float(self._mcu.clock.nanos) < self._busy_until_ns

    def cut(self, chance: Random) -> None:
        """The power goes: of a command under way some of the bits are changed already, the others not yet."""
        if not self.busy:
            return
        address, before = self._under_way
        after = self._mcu.flash[address : address + len(before)]
        done = chance.randbytes(len(before))
        torn = bytes(b ^ ((b ^ a) & d) for b, a, d in zip(before, after, done, strict=True))
        self._mcu.flash[address : address + len(before)] = torn
        self._busy_until_ns = 0.0
        self._on_change()

    def _apply_command(self) -> None:
        command = bytes(self._ssi._tx_buffer)
        size = _SIZES.get(command[0], 0) if len(command) >= _HEAD and self._ssi._write_enabled else 0
        if not size:
            self._apply()
            return
        address = int.from_bytes(command[1:_HEAD], "big") & ~(size - 1)
        self._under_way = address, bytes(self._mcu.flash[address : address + size])
        self._apply()
        now_ns = float(self._mcu.clock.nanos)
        self._busy_until_ns = now_ns + self.times_ns[command[0]]
        if command[0] == CMD_PAGE_PROGRAM:
            self.pages += 1
        else:
            self.erased += [(sector, round(now_ns)) for sector in range(address, address + size, FLASH_SECTOR_SIZE)]
        self._on_change()

    def _shift_byte(self, byte_out: int) -> int:
        answer = int(self._shift(byte_out))
        if self.busy and len(self._ssi._tx_buffer) > 1 and self._ssi._tx_buffer[0] == CMD_READ_STATUS_1:
            self._wait()
            return answer | _BUSY
        return answer

    def _wait(self) -> None:
        """The chip asks for nothing but the status now: time goes on to the next alarm, or to the end of the command."""
        clock = self._mcu.clock
        left_ns = self._busy_until_ns - clock.nanos
        step_ns = min(left_ns, clock.nanos_to_next_alarm) if clock.has_scheduled_alarm else left_ns
        self._mcu.core.cycles += round(step_ns * _CYCLES_PER_NS)
        clock.tick(step_ns)
