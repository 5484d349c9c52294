"""The `metering` benchmark: every figure of accuracy. Truths, and why a limit is what it is, stand in accuracy_*.py."""

from collections.abc import Iterator

from accuracy_current import current_figures, frequency_figures, no_load_figures
from accuracy_energy import energy_figures
from accuracy_power import mirrored_figures, power_figures, starless_figures
from accuracy_shapes import cut_figures, harmonics_figures, shape_figures
from accuracy_waves import BIASES_LSB, CURVES, RP2040, Figure

MANY_BIASES_LSB = tuple(step / 2 for step in range(-14, 15))


def figures(full: bool) -> Iterator[Figure]:
    """All of them; ``full``: more biases, and other luck twice more."""
    yield from current_figures(CURVES, MANY_BIASES_LSB if full else BIASES_LSB)
    yield from no_load_figures(("ideal", *RP2040), 6000 if full else 600)
    yield from no_load_figures(("ideal", *RP2040), 6000 if full else 600, rate_hz=4000)
    yield from frequency_figures(RP2040, 300 if full else 20)
    yield from power_figures(RP2040, (49.7, 49.85, 50.0, 50.15, 50.3) if full else (49.7, 50.3))
    yield from mirrored_figures(1_000_000 if full else 100_000)
    yield from starless_figures(100_000, RP2040, 3000 if full else 300)
    yield from energy_figures()
    yield from harmonics_figures(CURVES, seeds=10 if full else 1)
    yield from shape_figures(CURVES)
    yield from cut_figures(CURVES, sizes=240 if full else 24)
    if full:
        for seed in (2, 3):
            yield from other_luck(seed)


def other_luck(seed: int) -> Iterator[Figure]:
    """What has luck in it, with other noise and other loads."""
    for one in (
        current_figures(RP2040, seed=seed),
        no_load_figures(RP2040, 600, seed=seed),
        frequency_figures(RP2040, 20, seed),
        power_figures(RP2040, seed=seed),
        starless_figures(10_000, RP2040, 300, seed),
        energy_figures(seed=seed),
        shape_figures(RP2040, seed),
    ):
        for figure in one:
            yield Figure(
                metric=f"{figure.metric}_seed_{seed}",
                value=figure.value,
                unit=figure.unit,
                limit=figure.limit,
                at_least=figure.at_least,
            )
