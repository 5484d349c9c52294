"""Random scenes for the metering core: waves, noise, steps and saturation, gaps, and tables of all kinds."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from hypothesis import strategies as st
from native.reference import Reference

from fluksometer import metering
from fluksometer.metering import Closed, Codes, Core, Steps

PAIRS = [(0, 1), (0, 2), (1, 2)]


def symmetrical(lsb: float = metering.STEPS) -> Steps:
    """table[4095 - code] = -table[code], so that a wave can be negated exactly. The middle lies between two codes."""
    table = np.round((np.arange(4096) - 2047.5) * lsb).astype(np.int16)
    assert (table == -table[::-1]).all()
    return table


def random_table(seed: int) -> Steps:
    """No converter is like this; the core has to add it up all the same."""
    return np.random.default_rng(seed).integers(-metering.MAX_STEP, metering.MAX_STEP + 1, 4096).astype(np.int16)


@dataclass(frozen=True, kw_only=True)
class Scene:
    """What hypothesis draws; the samples follow from it."""

    channels: int
    rate_hz: int
    sets: int
    seed: int
    kind: str
    hz: float
    amplitude_lsb: float
    noise_lsb: float
    table_seed: int | None
    floors_q20: list[int]
    phases: dict[tuple[int, int], tuple[int, int]]
    watched: int | None
    events: list[tuple[int, str]]  # set before which something happens
    longest_cut: int

    def table(self) -> Steps:
        return symmetrical() if self.table_seed is None else random_table(self.table_seed)

    def codes(self) -> Codes:
        rng = np.random.default_rng(self.seed)
        t = np.arange(self.sets)[:, None] / self.rate_hz
        angle = 2 * np.pi * self.hz * t + rng.uniform(0, 6, self.channels)
        wave = self._shape(angle, rng) * rng.uniform(0.1, 1, self.channels)
        noise = rng.normal(0, 1, (self.sets, self.channels)) * self.noise_lsb
        middle = 2048 + rng.integers(-300, 300, self.channels)
        return np.clip(np.round(middle + self.amplitude_lsb * wave + noise), 0, 4095).astype(np.uint16)

    def _shape(self, angle: npt.NDArray[np.float64], rng: np.random.Generator) -> npt.NDArray[np.float64]:
        if self.kind == "switched":
            on = rng.integers(0, 2, 20)[np.arange(self.sets) * 20 // max(self.sets, 1)]
            return np.sin(angle) * on[:, None]
        if self.kind == "steps":
            return rng.uniform(-1, 1, 20)[np.arange(self.sets) * 20 // max(self.sets, 1)][:, None] + 0 * angle
        if self.kind == "saturated":
            return 3 * np.sin(angle)
        if self.kind == "rectifier":
            return np.sign(np.sin(angle)) * (np.abs(np.sin(angle)) > 0.9)
        return np.sin(angle)

    def windows(self, core: Core | Reference, cuts: bool) -> list[Closed]:
        """All windows of the scene, the samples cut at random or as whole as the events let them be."""
        rng = np.random.default_rng(self.seed + 1)
        for channel, floor_q20 in enumerate(self.floors_q20[: self.channels]):
            core.subtract_noise(channel, floor_q20)
        for pair, phase in self.phases.items():
            core.multiply(*pair, *phase)
        if self.watched is not None:
            core.watch(self.watched)
        codes, closed, at = self.codes(), [], 0
        for until, what in [*sorted(self.events), (self.sets, "end")]:
            while at < until:
                to = min(until, at + int(rng.integers(1, self.longest_cut + 1))) if cuts else until
                closed += core.fold(codes[at:to])
                at = to
            self._happen(core, what)
        return closed

    def _happen(self, core: Core | Reference, what: str) -> None:
        if what == "gap":
            core.gap()
        elif what == "noise":
            core.subtract_noise(0, self.seed)
        elif what == "phase":
            for pair in self.phases:
                core.multiply(*pair, -777, self.seed % 9999)


coefficients = st.one_of(st.integers(-(1 << 20), 1 << 20), st.sampled_from([1 << 14, 0, 1 << 20, -(1 << 20)]))


@st.composite
def scenes(draw: st.DrawFn, rates: st.SearchStrategy[int], most_sets: int = 9000) -> Scene:
    channels, rate_hz = draw(st.integers(1, 3)), draw(rates)
    sets = min(most_sets, draw(st.sampled_from([0, 1, 3, 6])) * rate_hz + draw(st.integers(0, rate_hz)))
    pairs = draw(st.sets(st.sampled_from([pair for pair in PAIRS if pair[1] < channels]))) if channels > 1 else set()
    floors_q20 = st.one_of(st.just(0), st.integers(0, 1 << 29), st.integers(0, 2**31 - 1))
    events = st.tuples(st.integers(0, sets), st.sampled_from(["gap", "gap", "noise", "phase"]))
    return Scene(
        channels=channels,
        rate_hz=rate_hz,
        sets=sets,
        seed=draw(st.integers(0, 2**31 - 1)),
        kind=draw(st.sampled_from(["sine", "switched", "steps", "saturated", "rectifier"])),
        hz=draw(st.floats(44, 66)),
        amplitude_lsb=draw(st.sampled_from([0, 2, 5, 30, 175, 1000, 2000])),
        noise_lsb=draw(st.sampled_from([0, 1.2, 3, 30, 3000])),
        table_seed=draw(st.one_of(st.none(), st.integers(0, 99))),
        floors_q20=draw(st.lists(floors_q20, min_size=3, max_size=3)),
        phases={pair: (draw(coefficients), draw(coefficients)) for pair in sorted(pairs)},
        watched=draw(st.one_of(st.none(), st.integers(0, channels - 1))),
        events=draw(st.lists(events, max_size=3)),
        longest_cut=draw(st.sampled_from([1, 3, 20, 97, 999, 9999])),
    )
