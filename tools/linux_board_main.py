# The virtual board: the board's own code on MicroPython for Linux. Its clamps and pulse inputs show exactly what board_world.py
# says; standard input and output are its USB console. house/linux_board.py starts it.
#   MICROPYPATH=... micropython linux_board_main.py FOLDER BOOT_ID UID
# FOLDER/truth gets a line for what was true: "boot ID NANOSECONDS" (UTC at t_us 0), "window ID NUMBER T_US STEPS STEPS STEPS",
# "quiet ID T_US". From the moment that there is a file FOLDER/quiet nothing flows or pulses any more. Where there is a file
# FOLDER/telegram a smart meter sends it each second, when it is asked, with a total that grows.
import asyncio
import os
import select
import sys
import time

from board_world import CHARGE_PER_STEP, CLAMP_PORTS, PULSES_PER_KS, WINDOW_US, edge_us, pulses_until, steps_rms
from meter.board import Board
from meter.calibration import Calibration
from meter.clock import BoardClock
from meter.host_link import HostLink
from meter.keeper import Keeper
from meter.kept import Kept
from meter.p1_port import P1Port
from meter.state import Slots
from shared.crc16 import crc16
from shared.records import CLAMP, PULSE

POLL_MS = 16
KEPT_BYTES = 65536  # as on a board with a P1 port and a radio
BYTES_PER_S = 11520  # of the smart meter
PENDING_MAX = 4  # windows, as the real sampler


class World:
    """What happens around this board, and the book of it."""

    def __init__(self, clock, folder, boot_id):
        self._clock = clock
        self._quiet_file = folder + "/quiet"
        self._book = open(folder + "/truth", "ab")
        self.boot_id = boot_id
        self.quiet_us = None
        # A pause between the two clocks would make the boot seem earlier.
        self.write("boot", max([time.time_ns() - 1000 * clock.now_us() for _ in range(10)]))

    def write(self, what, *values):
        """One line of truth, written before anybody is told."""
        self._book.write(" ".join([what, str(self.boot_id)] + [str(value) for value in values]) + "\n")
        self._book.flush()

    def look(self):
        """Has it become quiet?"""
        if self.quiet_us is None:
            try:
                os.stat(self._quiet_file)
            except OSError:
                return
            self.quiet_us = self._clock.now_us()
            self.write("quiet", self.quiet_us)


class ExactSampler:
    """What the board needs of a sampler. Every window lasts a second, whatever the settings, and none is lost to them."""

    inputs = {port: port - 1 for port in CLAMP_PORTS}

    def __init__(self, world, clock):
        self._world, self._clock = world, clock
        self.on_window = None
        self.ports, self.pairs, self.rate_hz = (), (), 0
        self.ring_us, self.ring_samples = 200000, 12000
        self.busy_us = self.backlog_samples = self.stalls = self.windows_dropped = self.gap_samples = 0
        self._closed = 0
        self._charge = dict.fromkeys(CLAMP_PORTS, 0)
        self._windows = []  # each a list of records

    def start(self, ports, rate_hz, voltage_port=0, pairs=()):
        self.ports, self.rate_hz = tuple(sorted(ports)), rate_hz

    def stop(self):
        pass

    def calibrate(self):
        pass

    def poll(self):
        self._clock.tick()
        self._world.look()
        while self._clock.now_us() >= (self._closed + 1) * WINDOW_US:
            self._close()

    def _close(self):
        self._closed += 1
        t_us = self._closed * WINDOW_US
        flows = self._world.quiet_us is None
        steps = {port: steps_rms(port, self._closed, self._world.boot_id) if flows else 0 for port in CLAMP_PORTS}
        self._world.write("window", self._closed, t_us, *[steps[port] for port in CLAMP_PORTS])
        for port in CLAMP_PORTS:
            self._charge[port] += steps[port] * CHARGE_PER_STEP
        mask = sum([1 << (port - 1) for port in self.ports])
        records = []
        for port in self.ports:
            high, samples = steps[port], self.rate_hz
            values = (port, mask, self.rate_hz, t_us, 0, self._charge[port], high * high * samples, 0, samples, 50000)
            records.append((CLAMP.kind, CLAMP.pack(*values, -high, high, 0, 50)))
        self._windows.append(records)
        if len(self._windows) > PENDING_MAX:
            self.windows_dropped += len(self._windows.pop(0))
        self.on_window()

    def take(self):
        return self._windows.pop(0) if self._windows else None


class ExactPulses:
    """What the board needs of a pulse input."""

    def __init__(self, port, world):
        self.port = port
        self._world = world
        self.count = self.edge_us = self.interval_us = 0

    @property
    def totals(self):
        return self.count, 0, 0

    def apply(self, width_us, gap_us):
        pass

    def poll(self, clock):
        self._see(clock.now_us())

    def _see(self, t_us):
        quiet_us = self._world.quiet_us
        self.count = pulses_until(self.port, t_us if quiet_us is None else min(t_us, quiet_us))
        self.edge_us = edge_us(self.port, self.count) if self.count else 0
        self.interval_us = self.edge_us - edge_us(self.port, self.count - 1) if self.count > 1 else 0

    def payload(self, t_us):
        self._see(t_us)
        return PULSE.pack(self.port, t_us, self.count, self.edge_us, self.interval_us, 0, 0)


class MeterLine:
    """A smart meter at 115200 baud, as the UART of its port sees it: FOLDER/telegram, with the watt-hours of its first total
    growing by one each second."""

    def __init__(self, folder, clock):
        with open(folder + "/telegram", "rb") as file:
            self._head, self._tail = file.read().split(b"!")[0].split(b"1-0:1.8.1(", 1)
        self._clock = clock
        self._sent = b""
        self._taken = self._second = 0
        self._on = 0

    def request(self, on):
        self._on = on

    def any(self):
        second, us = divmod(self._clock.now_us(), 1000000)
        if second != self._second:
            self._second, self._sent, self._taken = second, self._telegram(second) if self._on else b"", 0
        return min(len(self._sent), us * BYTES_PER_S // 1000000) - self._taken

    def read(self, count):
        data = self._sent[self._taken : self._taken + min(count, self.any())]
        self._taken += len(data)
        return data

    def _telegram(self, wh):
        body = self._head + b"1-0:1.8.1(%06d.%03d" % (wh // 1000, wh % 1000) + self._tail[10:] + b"!"
        return body + b"%04X\r\n" % crc16(0, body)


def slots(folder, name):
    """Two files that stand for the board's flash."""
    return Slots((folder + "/" + name + ".0", folder + "/" + name + ".1"), read_file, write_file)


def read_file(name):
    try:
        with open(name, "rb") as file:
            return file.read()
    except OSError:
        return None


def write_file(name, pieces):
    with open(name, "wb") as file:
        for piece in pieces:
            file.write(piece)


def meter_terminals(folder, clock):
    """The port of a smart meter, where there is one."""
    try:
        line = MeterLine(folder, clock)
    except OSError:
        return ()
    ticks = (time.ticks_ms, time.ticks_diff)
    return ((lambda settings: settings.p1, lambda: P1Port(line, nothing, lambda: 0, line.request, clock, *ticks)),)


def nothing(*_):
    pass


def console():
    """(write, writable, wait_input), as main.py on the chip."""
    out, keyboard = sys.stdout.buffer, sys.stdin.buffer
    stream, one = asyncio.StreamReader(keyboard), bytearray(1)
    can_write, can_read = select.poll(), select.poll()
    can_write.register(out, select.POLLOUT)
    can_read.register(keyboard, select.POLLIN)

    async def wait_input():
        received = bytearray(await stream.read(1))
        if not received:
            sys.exit(0)  # whoever started this is gone
        while len(received) < 64 and any(can_read.ipoll(0)):
            if not keyboard.readinto(one):
                sys.exit(0)
            received += one
        return received

    return out.write, lambda: bool(can_write.poll(0)), wait_input


def identity(boot_id, uid):
    return {
        "firmware": (0, 1, 0),
        "micropython": tuple(sys.implementation.version[:3]),
        "chip": 1,
        "reset_cause": 1,
        "boot_id": boot_id,
        "uid": uid,
        "model": "MicroPython for Linux",
    }


async def poll_forever(sampler):
    while True:
        sampler.poll()
        await asyncio.sleep_ms(POLL_MS)


async def main(folder, boot_id, uid):
    clock = BoardClock(time.ticks_us, time.ticks_diff)
    world = World(clock, folder, boot_id)
    sampler = ExactSampler(world, clock)
    inputs = {port: ExactPulses(port, world) for port in PULSES_PER_KS}
    calibration, terminals = Calibration(), meter_terminals(folder, clock)
    state = Keeper(slots(folder, "setup"), slots(folder, "counters"), boot_id)
    settings = state.load(calibration, sampler.inputs, inputs)
    board = Board(identity(boot_id, uid), settings, calibration, clock, sampler, inputs, terminals, state)
    link = HostLink(*console(), time.ticks_ms, time.ticks_diff, Kept(KEPT_BYTES))
    await asyncio.gather(poll_forever(sampler), board.run(link))


asyncio.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
