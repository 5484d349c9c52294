"""The `reliability` benchmark: is anything lost? docs/reliability.md says what each figure means."""

from collections.abc import Callable, Iterator
from pathlib import Path

import reliability_latency
import reliability_noise
from accuracy_waves import Figure
from bench_fuzz import link_figures
from reliability_campaign import EACH_FULL, EACH_QUICK, campaign

SEED = 20261122


def figures(folder: Path, full: bool, say: Callable[[str], None]) -> Iterator[Figure]:
    """All of them; progress by ``say``."""
    say("full load: how long a reading takes")
    yield from reliability_latency.figures(folder, full)
    each = EACH_FULL if full else EACH_QUICK
    say(f"{each} faults of each kind, seed {SEED}")
    yield from campaign(folder, each=each, seed=SEED, say=say)
    say("a noisy link")
    yield from reliability_noise.figures(full, SEED)
    say("fuzzed bytes")
    yield from link_figures(full)
