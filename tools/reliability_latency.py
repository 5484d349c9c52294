"""How long a reading takes from the end of the board's window to a subscriber's callback, while everything is in use."""

import random
import time
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from pathlib import Path

from accuracy_waves import Figure
from board_world import CLAMP_PORTS
from bridge_forks import BridgeForks
from reliability_broker import Heard
from reliability_site import Site
from reliability_truth import W_PER_STEP, Boot, sensor_id

QUICK_S, FULL_S = 20, 600
MOST_P50_MS, MOST_P99_MS = 40.0, 150.0
WARM_UP_S = 5.0
BUCKETS_MS = (5, 10, 15, 20, 25, 30, 40, 60, 80, 100, 150, 250, 500, 1000)


def latencies_ms(boot: Boot, heard: Sequence[Heard], wall_less_mono_s: float) -> list[float]:
    """Of each clamp window whose reading was heard: from its end to the callback. A reading tells its window by its value."""
    ends = {
        (sensor_id(port), round(steps * W_PER_STEP)): boot.utc_s(t_us)
        for t_us, windows in boot.windows
        for port, steps in zip(CLAMP_PORTS, windows, strict=True)
    }
    gauges = [one for one in heard if one.kind == "gauge" and (one.sensor_id, round(one.value)) in ends]
    return [1000 * (one.at_s + wall_less_mono_s - ends[one.sensor_id, round(one.value)]) for one in gauges]


def figures(folder: Path, full: bool) -> Iterator[Figure]:
    """Three clamps, a smart meter each second, 20 pulses a second."""
    forks = BridgeForks()
    site = Site(folder / "latency", forks, random.Random(1), uid=99, p1=True)
    try:
        time.sleep(WARM_UP_S)
        before = len(site.subscriber.heard)
        time.sleep(FULL_S if full else QUICK_S)
        site.check()
        heard = site.subscriber.heard[before:]
        told = {one.sensor_id for one in heard} - {sensor_id(port) for port in range(1, 6)}
        took_ms = sorted(latencies_ms(site.truth()[0], heard, time.time() - time.monotonic()))
        yield Figure(metric="latency_readings", value=len(took_ms), unit="readings")
        yield Figure(metric="latency_p1_sensors", value=len(told), unit="sensors", limit=1, at_least=True)
        yield from _of(took_ms)
    finally:
        site.close()
        forks.close()


def _of(took_ms: list[float]) -> Iterator[Figure]:
    yield Figure(metric="latency_p50", value=took_ms[len(took_ms) // 2], unit="ms", limit=MOST_P50_MS)
    yield Figure(metric="latency_p99", value=took_ms[len(took_ms) * 99 // 100], unit="ms", limit=MOST_P99_MS)
    yield Figure(metric="latency_longest", value=took_ms[-1], unit="ms")
    below = 0
    for most in BUCKETS_MS:
        until = bisect_left(took_ms, most)
        yield Figure(metric=f"latency_below_{most}_ms", value=until - below, unit="readings")
        below = until
    yield Figure(metric=f"latency_from_{BUCKETS_MS[-1]}_ms", value=len(took_ms) - below, unit="readings")
