"""The pulse core over meters that bounce, with interrupts and polls that come when they can: every pulse once, at its time."""

from collections.abc import Iterator
from random import Random
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from fluksometer._pulses import ffi, lib

PINS = (2, 3, 4, 5)
Edges = list[tuple[int, int]]


class Chip:
    """Registers and core; ``run`` lets edges of all pins happen, interrupts come late and polls in between."""

    def __init__(self, start_us: int, width_us: int, gap_us: int) -> None:
        self.words = ffi.new("uint32_t[10]")
        self.words[0], self.words[1] = start_us & 0xFFFFFFFF, 0xFFFFFFFF
        address = int(ffi.cast("uintptr_t", self.words))
        self.state = ffi.new("pulses_t *")
        registers = ffi.new("pulses_registers_t *", (address, address + 4, address + 8, address + 24))
        lib.pulses_init(self.state, registers)
        self.start_us = start_us
        self.seen = [0] * len(PINS)
        for place, pin in enumerate(PINS):
            assert lib.pulses_add(self.state, pin) == place
            lib.pulses_limits(self.state, place, width_us, gap_us)
            self.words[6] |= 0xC << 4 * pin

    def run(self, edges: list[Edges], latest_us: int, seed: int) -> Iterator[tuple[int, Any]]:
        """Yields (index, told) at each pulse that was counted."""
        random = Random(seed)
        events = sorted((t_us, place, level) for place, own in enumerate(edges) for t_us, level in own)
        last_us = events[-1][0] + 100_000
        events += [(t_us, -1, 0) for t_us in range(16_000, last_us, 16_000 + random.randrange(500))] + [
            (last_us, -1, 0)
        ]
        waiting: dict[int, int] = {}
        for t_us, place, level in sorted(events):
            for due_us, other in sorted((due_us, other) for other, due_us in waiting.items() if due_us <= t_us):
                del waiting[other]
                self._at(due_us)
                lib.pulses_edge(self.state, other)
                yield from self._news()
            self._at(t_us)
            if place < 0:
                lib.pulses_poll(self.state)
                yield from self._news()
            else:
                bit = 1 << PINS[place]
                self.words[1] = self.words[1] | bit if level else self.words[1] & ~bit
                waiting.setdefault(place, t_us + random.randint(0, latest_us))

    def _news(self) -> Iterator[tuple[int, Any]]:
        for index in range(len(PINS)):
            told = self.state.input[index].told
            if told.count != self.seen[index]:
                assert told.count == self.seen[index] + 1
                self.seen[index] = told.count
                yield index, told

    def _at(self, t_us: int) -> None:
        self.words[0] = (self.start_us + t_us) & 0xFFFFFFFF


def contact(random: Random, pulses: int, width_us: int, bounce_us: int) -> tuple[Edges, list[int]]:
    """Edges of a meter whose levels hold a little longer than the width once they have bounced; when its pulses begin."""
    edges: Edges = []
    begins = []
    t_us = random.randrange(1000, 100_000)
    for _ in range(pulses):
        begins.append(t_us)
        for level in (0, 1):
            turns = min(2 * random.randint(0, 4), bounce_us // 2 * 2)
            chatter = sorted(random.sample(range(1, bounce_us + 1), turns))
            moments = [t_us, *(t_us + moment for moment in chatter)]
            edges += [(moment, level ^ (turn & 1)) for turn, moment in enumerate(moments)]
            t_us = moments[-1] + width_us + random.randrange(60, 20_000)
    return edges, begins


@settings(max_examples=100, deadline=None)
@given(
    st.integers(0, 2**32 - 1), st.integers(1, 15_000), st.integers(0, 14_000), st.integers(0, 50), st.integers(0, 2**32)
)
@example(2**32 - 100_000, 12_000, 10_000, 30, 1)
def test_every_pulse_counts_once_at_its_time(start_us, width_us, bounce_us, latest_us, seed) -> None:
    random = Random(seed)
    bounce_us = max(0, min(bounce_us, width_us - latest_us - 1))  # an interrupt that is late makes a level look longer
    meters = [contact(random, random.randint(1, 12), width_us, bounce_us) for _ in PINS]
    chip = Chip(start_us, width_us, 0)
    told: list[list[int]] = [[] for _ in PINS]
    for index, one in chip.run([edges for edges, _ in meters], latest_us, seed):
        told[index].append((one.began_us - start_us) & 0xFFFFFFFF)
    for index, (_, begins) in enumerate(meters):
        assert len(told[index]) == len(begins)
        assert all(0 <= t_us - true_us <= latest_us for t_us, true_us in zip(told[index], begins, strict=True))
        assert chip.state.input[index].told.storms == 0


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(0, 5000), st.integers(1, 50_000), st.integers(0, 2**32))
def test_whatever_comes_no_two_pulses_begin_within_the_gap(start_us, width_us, gap_us, seed) -> None:
    random = Random(seed)
    edges = []
    for _ in PINS:
        moments = sorted(random.sample(range(1000, 500_000), random.randint(1, 150)))
        edges.append([(t_us, turn & 1) for turn, t_us in enumerate(moments)])
    last: dict[int, int] = {}
    for index, one in Chip(start_us, width_us, gap_us).run(edges, 30, seed):
        began_us = (one.began_us - start_us) & 0xFFFFFFFF
        assert began_us < 600_000
        if index in last:
            assert began_us - last[index] == one.interval_us >= gap_us
        last[index] = began_us


@pytest.mark.parametrize("gpio", [32, 1000])
def test_a_pin_that_the_chip_has_not_is_no_input(gpio) -> None:
    chip = Chip(0, 1000, 0)
    chip.state.inputs = 0
    assert lib.pulses_add(chip.state, gpio) == 0xFFFFFFFF
