"""The emulated Pico: rp2040py, mended, with a house on its pins, a console on its USB and its file system in a file."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from random import Random
from typing import Any, Final, Protocol

from rp2040py.boards import BoardSpec, FlashLayout
from rp2040py.device.base_device import BaseDevice, ResetCause
from rp2040py.execute_batch import execute_batch
from rp2040py.memory_map import FLASH_START_ADDRESS

from house import mends
from house.burst import BurstConverter
from house.console import MemoryConsole
from house.converter import HouseSource
from house.flash_times import FlashTimes
from house.flashfile import FS_BLOCK_BYTES, FS_BLOCKS, FS_START, FlashFile
from house.housefile import House
from house.p1_meter import Meter, P1Port
from house.panel import Panel
from house.pulses import PulseLine
from house.radio import HouseRadio
from house.serial_bus import SerialBus

CORE_HZ: Final = 125_000_000
SLICE_NS: Final = 5_000_000
"""Emulated time between two looks at console and wall clock: the latency of the console. A paced run is at most two ahead."""

CLOCK_BATCH: Final = 1
"""Instructions that pass before the clock is told (rp2040py's RP2040PY_CLOCK_TICK_BATCH). Busy code ran no faster with 8 to 256
(7.5 to 8.4 million cycles a second, 8.6 with 1; medians of eight runs), so that every alarm may be exact."""

_LAG_RESYNC_S: Final = 1.0
"""A burst of work on the chip takes long to emulate; up to this much is caught up afterwards, more is let go."""


class PolledConsole(mends.Console, Protocol):
    """A console that the run loop looks after."""

    def poll(self) -> None:
        """Moves what can be moved, without waiting."""
        ...

    def wait(self, timeout_s: float) -> None:
        """Waits for the program, at most ``timeout_s``."""
        ...

    def close(self) -> None:
        """Gives back what it holds."""
        ...


class _IdlePio:
    """After every instruction the emulator asks both PIO blocks whether they run, a sixth of its time.
    No firmware of ours uses them, so they are off its list, except while the chip is reset."""

    def __init__(self, mcu: Any) -> None:
        self._mcu = mcu
        self._blocks = mcu.pio
        mcu.pio = []

    @contextmanager
    def listed(self) -> Iterator[None]:
        """Both blocks are where the emulator's reset looks for them."""
        self._mcu.pio = self._blocks
        try:
            yield
        finally:
            self._mcu.pio = []


class _Device(BaseDevice):
    """rp2040py's device with a socket before each chip reset, which loses the count of cycles. Its own run loop stays unused,
    and with it the newline that it would type into the console after boot."""

    before_reset: Callable[[], None]
    idle_pio: _IdlePio

    def _enter_reset(self, cause: ResetCause) -> None:
        self.before_reset()
        mends.stop_watchdog(self.mcu)
        with self.idle_pio.listed():
            super()._enter_reset(cause)


@dataclass(slots=True)
class Pace:
    """How a paced run keeps up. ``ratio`` is emulated over wall time since the last look."""

    wall_s: float = 0.0
    emulated_s: float = 0.0

    @property
    def ratio(self) -> float:
        """1.0 is real time; below, this machine is too slow."""
        return self.emulated_s / self.wall_s if self.wall_s > 0 else 1.0


class EmulatedPico:
    """A Raspberry Pi Pico with the given MicroPython image (UF2) in the given house.

    Runs in the caller's thread: ``run_for`` and ``run_until`` as fast as the machine can, ``run_paced`` by the wall clock.
    ``flash`` names a file that keeps the board's file system. ``exact`` converts sample by sample instead of in blocks.
    """

    def __init__(
        self, image: Path, house: House, *, flash: Path | None = None, exact: bool = False, console: Any = None
    ) -> None:
        mends.check_version()
        self.house = house
        self.console: Any = MemoryConsole() if console is None else console
        layout = FlashLayout(fs_start=FS_START, fs_blockcount=FS_BLOCKS, fs_blocksize=FS_BLOCK_BYTES)
        self._device = _Device(board=BoardSpec(image=image, layout=layout))
        self._device.before_reset = self._keep_cycles
        self._device.idle_pio = _IdlePio(self._device.mcu)
        self.mcu: Any = self._device.mcu
        self._simulator = self._device.simulator
        self._kept_cycles = 0
        self._attach_house(house, exact)
        self.usb = mends.UsbHost(self.mcu, self._device.cdc, self.console)
        self._flash = FlashFile(flash, self.mcu) if flash is not None else None
        self.flash = FlashTimes(self.mcu, self._flash.changed if self._flash is not None else lambda: None)
        self.powered = True
        self._chance = Random(house.converter.seed)
        self.asleep = False
        """The chip slept through most of the last slice: it has started up and waits for something to do."""
        self._slice_over = False
        self._slice_alarm = self.mcu.clock.create_alarm(self._end_slice)
        self.mcu.core.pc = FLASH_START_ADDRESS

    def _attach_house(self, house: House, exact: bool) -> None:
        source = HouseSource(house)
        mends.mend(self.mcu, source)
        mends.unique_id(self.mcu, sha256(f"emulated Pico {house.converter.seed}".encode()).digest()[:8])
        self.burst = None if exact else BurstConverter(self.mcu, source)
        self._lines = [PulseLine(self.mcu, pulse) for pulse in house.pulse]
        self.p1 = P1Port(self.mcu, Meter(house)) if house.p1 is not None else None
        self.panel = Panel(self.mcu, house.press)
        self.serial_bus = SerialBus(self.mcu, house)
        self.radio = HouseRadio(self.mcu, house)

    # --- what a test looks at ---

    @property
    def nanos(self) -> int:
        """Emulated time since the power came on, in ns. It goes on through resets, as the house does."""
        return round(self._clock_ns())

    @property
    def cycles(self) -> int:
        """Core cycles since the power came on, asleep or not (125 MHz)."""
        return round(self._clock_ns() * CORE_HZ / 1e9)

    @property
    def busy_cycles(self) -> int:
        """Core cycles in which the chip was not asleep: its own count of executed cycles, kept across resets."""
        return self._kept_cycles + int(self.mcu.core.cycles)

    def _clock_ns(self) -> float:
        return float(self.mcu.clock.nanos)

    def _keep_cycles(self) -> None:
        self._kept_cycles += int(self.mcu.core.cycles)

    # --- running ---

    def run_for(self, seconds: float) -> None:
        """Lets ``seconds`` of emulated time pass, as fast as this machine can."""
        self._run_to(self._clock_ns() + seconds * 1e9)

    def run_until(self, predicate: Callable[[], bool], timeout_s: float) -> bool:
        """Runs until ``predicate`` holds (looked at every 5 ms of emulated time); False if it does not within ``timeout_s``."""
        end_ns = self._clock_ns() + timeout_s * 1e9
        while not predicate():
            if self._clock_ns() >= end_ns:
                return False
            self._run_slice(SLICE_NS)
        return True

    def run_paced(
        self, stop: Callable[[], bool], on_pace: Callable[[Pace], None] | None = None, pace_every_s: float = 10.0
    ) -> None:
        """Runs at the pace of the wall clock until ``stop`` says so, never more than 10 ms ahead of it.

        A machine that is too slow makes emulated time run slower; ``on_pace`` hears every ``pace_every_s`` how it goes.
        """
        wall_0, emulated_0 = time.monotonic(), self._clock_ns() / 1e9
        told_wall, told_emulated = wall_0, emulated_0
        while not stop():
            self._run_slice(SLICE_NS)
            wall, emulated = time.monotonic(), self._clock_ns() / 1e9
            ahead_s = (emulated - emulated_0) - (wall - wall_0)
            if ahead_s > 0:
                self.console.wait(ahead_s)
                time.sleep(max(0.0, wall_0 + emulated - emulated_0 - time.monotonic() - SLICE_NS / 1e9))
            elif ahead_s < -_LAG_RESYNC_S:
                wall_0, emulated_0 = wall, emulated
            if on_pace is not None and wall - told_wall >= pace_every_s:
                on_pace(Pace(wall - told_wall, emulated - told_emulated))
                told_wall, told_emulated = wall, emulated

    def _run_to(self, end_ns: float) -> None:
        while (left_ns := end_ns - self._clock_ns()) > 0.5:
            self._run_slice(min(left_ns, SLICE_NS))

    def _run_slice(self, length_ns: float) -> None:
        """A stretch of emulated time, ended by an alarm so that a sleeping chip can't run past it; then the world outside."""
        self._slice_over = False
        self._slice_alarm.schedule(length_ns)
        busy = self.busy_cycles
        while not self._slice_over:
            if not self.powered:
                self.mcu.clock.tick(self.mcu.clock.nanos_to_next_alarm)
                continue
            self._simulator.stopped = False
            execute_batch(self._simulator, CLOCK_BATCH)
        self.asleep = self.busy_cycles - busy < length_ns / 1e9 * CORE_HZ / 2
        self.console.poll()
        self.usb.poll()
        if self._flash is not None:
            self._flash.save_if_quiet()

    def _end_slice(self) -> None:
        self._slice_over = True
        self._simulator.stopped = True

    # --- the person at the board ---

    def press_reset(self) -> None:
        """Taps the RUN pin: the chip starts anew, memory (not flash) keeps its content as on the chip."""
        self._device.hard_reset(cause=ResetCause.RUN_PIN)

    def power_cut(self) -> None:
        """The power goes, now: the board is gone from the bus, its memory lost, a flash command under way is done in part. Time
        and the house go on."""
        self.flash.cut(self._chance)
        self.powered = False
        self._device.hard_reset(cause=ResetCause.POWER_ON)
        self.mcu.sram[:] = self._chance.randbytes(len(self.mcu.sram))

    def power_on(self) -> None:
        """The power comes back."""
        self.powered = True
        self.radio.power_on()

    def power_cycle(self) -> None:
        """Power off and on at once."""
        self.power_cut()
        self.power_on()

    def close(self) -> None:
        """Saves the file system and gives back the console."""
        if self._flash is not None:
            self._flash.save()
        self.console.close()
