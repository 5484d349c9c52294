"""Hours of a link that damages what it carries: the board's own link code and the bridge's session, in one process."""

import random
import sys
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

from accuracy_waves import Figure
from board_world import CHARGE_PER_STEP, CLAMP_PORTS, PULSES_PER_KS, edge_us, pulses_until, steps_rms
from fluksometer.domain import wire
from fluksometer.domain.link_events import (
    Event,
    HealthReported,
    PulsesCounted,
    TerminalSpoke,
    WindowClosed,
)
from fluksometer.domain.readings import BoardSettings, Reading
from fluksometer.link_session import LinkSession
from fluksometer.shared.records import ACK, CLAMP, GREET, HEALTH, HELLO, PULSE, SETTINGS
from fluksometer.shared.terminal_records import P1_CRC_OK, P1_PIECE_BYTES, P1_TELEGRAM

ROOT = Path(__file__).resolve().parent.parent
QUICK_S, FULL_S = 600, 24 * 3600
BIT_ERRORS, LOST_BYTES = 1e-4, 1e-4
_CAPACITY = 65_536  # bytes for kept records
_TELEGRAM_EVERY_S, _TELEGRAM_BYTES = 10, 1200  # as meters of the fourth generation send it
_AFTER_S = 60
_BOOT_ID = 4711


class Noise:
    """Turns bits and loses bytes at random."""

    def __init__(self, rng: random.Random, bit_errors: float = BIT_ERRORS, lost_bytes: float = LOST_BYTES) -> None:
        self._rng = rng
        self._rates = (bit_errors, lost_bytes)
        self._bit, self._byte = self._pause(bit_errors), self._pause(lost_bytes)  # until the next accident
        self.turned = self.lost = 0

    def __call__(self, data: bytes) -> bytes:
        """What arrives of these bytes."""
        made = bytearray(data)
        while self._bit < 8 * len(data):
            made[self._bit >> 3] ^= 1 << (self._bit & 7)
            self.turned += 1
            self._bit += 1 + self._pause(self._rates[0])
        self._bit -= 8 * len(data)
        gone = []
        while self._byte < len(data):
            gone.append(self._byte)
            self._byte += 1 + self._pause(self._rates[1])
        self._byte -= len(data)
        for at in reversed(gone):
            del made[at]
        self.lost += len(gone)
        return bytes(made)

    def _pause(self, rate: float) -> int:
        return int(self._rng.expovariate(rate)) if rate else 1 << 62


class _Board:
    """The board's own store and link; what it has to say comes from board_world."""

    def __init__(self) -> None:
        if str(ROOT / "board") not in sys.path:
            sys.path.append(str(ROOT / "board"))
        from meter.host_link import HostLink
        from meter.kept import Kept

        self._out = bytearray()
        self.link: Any = HostLink(self._write, lambda: True, None, lambda: 0, lambda a, b: a - b, Kept(_CAPACITY))
        self._settings = [max(field[2], min(field[3], 0)) for field in SETTINGS.fields]
        self._charge = dict.fromkeys(CLAMP_PORTS, 0)
        self._pulses = dict.fromkeys(PULSES_PER_KS, -1)
        self.t_us = 0
        self.kept: list[Reading] = []
        self.passing: set[Reading] = set()

    def _write(self, piece: bytes) -> int:
        self._out += piece
        return len(piece)

    def take_out(self) -> bytes:
        """All that the link wants to send now: what write_forever() does, without waiting."""
        while self.link._frame or self.link._choose():
            self.link._write_piece()
        data, self._out = bytes(self._out), bytearray()
        return data

    def hear(self, data: bytes) -> None:
        """Bytes from the bridge."""
        for kind, _seq, _prev, payload in self.link._lines.push(data):
            try:
                self._handle(kind, payload)
            except Exception as error:
                if type(error).__name__ != "RangeError":  # of either copy of the shared modules
                    raise

    def _handle(self, kind: int, payload: bytes) -> None:
        if kind == ACK.kind:
            boot_id, seq, resume = ACK.unpack(payload)
            if boot_id == _BOOT_ID:
                self.link.acknowledge(seq, resume)
        elif kind == SETTINGS.kind:
            self._settings = list(SETTINGS.unpack(payload))
            self.say_hello()
        elif kind == GREET.kind:
            self.say_hello()

    def say_hello(self) -> None:
        """As board.py."""
        head = (wire.WIRE_VERSION, 0, 1, 0, 1, 25, 0, 1, 1, _BOOT_ID, 1)
        self.link.send_hello(lambda: HELLO.pack(*head, *self._settings, 0, 0, self.t_us, "noise"))

    def second(self, number: int, rng: random.Random) -> None:
        """The records of a second."""
        self.t_us = number * 1_000_000
        self._keep(list(self._windows(number)))
        for port in PULSES_PER_KS:
            self._count(port)
        if number % 10 == 0:
            self._pass(HEALTH.kind, HEALTH.pack(self.t_us, 1, 1, 1, 1, 12_000, 0, number, 0, 0))
        if number % _TELEGRAM_EVERY_S == 5:
            data = rng.randbytes(_TELEGRAM_BYTES)
            parts = [data[at : at + P1_PIECE_BYTES] for at in range(0, len(data), P1_PIECE_BYTES)]
            values = [(self.t_us, number, index, len(parts), P1_CRC_OK, 0, part) for index, part in enumerate(parts)]
            self._keep([(P1_TELEGRAM.kind, P1_TELEGRAM.pack(*one)) for one in values])

    def _windows(self, number: int) -> Iterator[tuple[int, bytes]]:
        for port in CLAMP_PORTS:
            steps = steps_rms(port, number)
            self._charge[port] += steps * CHARGE_PER_STEP
            values = (port, 7, 20_000, self.t_us, 0, self._charge[port], steps * steps * 20_000, 0, 20_000, 50_000)
            yield CLAMP.kind, CLAMP.pack(*values, -steps, steps, 0, 50)

    def _count(self, port: int) -> None:
        count = pulses_until(port, self.t_us)
        payload = PULSE.pack(port, self.t_us, count, edge_us(port, count) if count else 0, 0, 0, 0)
        changed, self._pulses[port] = count != self._pulses[port], count
        if changed:
            self._keep([(PULSE.kind, payload)])
        else:
            self._pass(PULSE.kind, payload)

    def _keep(self, records: list[tuple[int, bytes]]) -> None:
        self.link.keep(records)
        self.kept += [wire.decode(kind, payload) for kind, payload in records]

    def _pass(self, kind: int, payload: bytes) -> None:
        self.link.send(kind, payload)
        self.passing.add(wire.decode(kind, payload))


class NoisyLink:
    """Both ends and the noise between them. ``wrong``: readings that were never said, or not then; see taken()."""

    def __init__(self, seed: int) -> None:
        self._rng = random.Random(seed)
        self.to_host, self.to_board = Noise(self._rng), Noise(self._rng)
        self.board = _Board()
        self.session = LinkSession(BoardSettings(rate_hz=20_000, clamp_ports=7, pulse_ports=24))
        self.wrong = 0
        self.taken = 0  # kept records, in their order

    def run(self, seconds: int) -> None:
        """So many emulated seconds, and then some in which nothing new is said."""
        self.session.open(0.0)
        self.board.say_hello()
        for number in count(1):
            self._pass_time(number - 1.0, float(number))
            if number <= seconds:
                self.board.second(number, self._rng)
            elif number > seconds + _AFTER_S or self.taken == len(self.board.kept):
                break
            self._exchange(float(number))
            if self.session.position:
                self.session.acknowledge(self.session.position)

    def _pass_time(self, now_s: float, until_s: float) -> None:
        self._exchange(now_s)
        while (due_s := self.session.next_deadline_s()) is not None and due_s < until_s:
            now_s = max(due_s, now_s + 0.001)
            self._judge(self.session.tick(now_s))
            self._exchange(now_s)

    def _exchange(self, now_s: float) -> None:
        while True:
            self.board.hear(self.to_board(self.session.data_to_send()))
            said = self.board.take_out()
            if not said:
                return
            self._judge(self.session.feed(self.to_host(said), now_s))

    def _judge(self, events: list[Event]) -> None:
        for event in events:
            match event:
                case WindowClosed(window=reading) | PulsesCounted(pulses=reading) | HealthReported(health=reading):
                    self._judge_reading(reading)
                case TerminalSpoke(reading=reading):
                    self._judge_reading(reading)

    def _judge_reading(self, reading: Reading) -> None:
        kept = self.board.kept
        if self.taken < len(kept) and kept[self.taken] == reading:
            self.taken += 1
        elif reading not in self.board.passing:
            self.wrong += 1


def figures(full: bool, seed: int = 1) -> Iterator[Figure]:
    """What came through."""
    seconds = FULL_S if full else QUICK_S
    link, began_s = NoisyLink(seed), time.monotonic()
    link.run(seconds)
    yield Figure(metric="noise_hours", value=seconds / 3600, unit="h")
    yield Figure(metric="noise_speed", value=seconds / (time.monotonic() - began_s), unit="x real time")
    yield Figure(metric="noise_bits_turned", value=link.to_host.turned + link.to_board.turned, unit="bits")
    yield Figure(metric="noise_bytes_lost", value=link.to_host.lost + link.to_board.lost, unit="bytes")
    yield Figure(metric="noise_frames_dropped", value=link.session.counts.dropped, unit="frames")
    yield Figure(metric="noise_records", value=len(link.board.kept), unit="records")
    yield Figure(metric="noise_records_lost", value=len(link.board.kept) - link.taken, unit="records", limit=0)
    yield Figure(metric="noise_records_wrong", value=link.wrong, unit="records", limit=0)
