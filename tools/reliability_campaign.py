"""Faults at random moments: bridges killed, cables pulled, brokers stopped, boards without power, several sites side by side."""

import random
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from accuracy_waves import Figure
from bridge_forks import BridgeForks
from reliability_site import KINDS, Site
from reliability_truth import Verdict

EACH_QUICK, EACH_FULL = 200, 1000
MOST_BACK_S = 5.0
MOST_LOST_S = 1.2
"""The window that was open, a second, and what had just closed and was still leaving the board."""
# Power cuts have sites of their own: there a second of data may be missing, at the others nothing.
EXACT_SITES, POWER_SITES = 12, 6
_DEADLINE_S = 7200.0
_STAGGER_S = 0.3  # between two that begin


@dataclass
class Course:
    """What one site went through, and how it ended."""

    name: str
    plan: list[str]
    back_s: dict[str, list[float]]
    not_awaited: int = 0
    doubles: int = 0
    verdict: Verdict | None = None
    failure: str = ""


class Campaign:
    """``each``: faults of each kind. A site's decisions depend on ``seed`` and its number only."""

    def __init__(self, folder: Path, *, each: int, seed: int, say: Callable[[str], None]) -> None:
        self._folder, self._seed, self._say = folder, seed, say
        rng = random.Random(seed)
        others = [kind for kind in KINDS if kind != "power" for _ in range(each)]
        rng.shuffle(others)
        plans = [others[number::EXACT_SITES] for number in range(EXACT_SITES)]
        plans += [["power"] * len(range(number, each, POWER_SITES)) for number in range(POWER_SITES)]
        self.courses = [
            Course(f"site-{number}", plan, {kind: [] for kind in KINDS}) for number, plan in enumerate(plans) if plan
        ]
        self._done = 0
        self._all = sum(map(len, plans))

    def run(self) -> list[Course]:
        """All sites to their end. One that failed tells why in its ``failure``."""
        forks = BridgeForks()
        try:
            threads = [
                threading.Thread(target=self._go, args=(number, course, forks), daemon=True)
                for number, course in enumerate(self.courses, 1)
            ]
            for thread in threads:
                thread.start()
                time.sleep(_STAGGER_S)
            for thread in threads:
                thread.join(_DEADLINE_S)
        finally:
            forks.close()
        return self.courses

    def _go(self, number: int, course: Course, forks: BridgeForks) -> None:
        site = None
        try:
            rng = random.Random(f"{self._seed} {number}")
            site = Site(self._folder / course.name, forks, rng, uid=number)
            course.back_s = site.back_s
            for index, kind in enumerate(course.plan, 1):
                site.befall(kind, last=index == len(course.plan))
                site.check()
                self._done += 1
                if self._done % 100 == 0:
                    self._say(f"{self._done} of {self._all} faults")
            site.settle()
            course.not_awaited, course.doubles, course.verdict = site.not_awaited, site.doubles, site.verdict()
        except Exception:
            course.failure = traceback.format_exc()
        finally:
            if site:
                site.close()


def figures(courses: list[Course], say: Callable[[str], None]) -> Iterator[Figure]:
    """What the campaign showed."""
    failed = [course for course in courses if course.failure]
    for course in failed:
        say(f"{course.name} failed: {course.failure}")
    yield Figure(metric="sites_failed", value=len(failed), unit="sites", limit=0)
    for kind in KINDS:
        back_s = sorted(one for course in courses for one in course.back_s[kind])
        yield Figure(metric=f"{kind}_faults", value=sum(course.plan.count(kind) for course in courses), unit="faults")
        if back_s:
            yield Figure(metric=f"{kind}_back_median", value=back_s[len(back_s) // 2], unit="s")
            yield Figure(metric=f"{kind}_back_longest", value=back_s[-1], unit="s", limit=MOST_BACK_S)
    yield Figure(metric="hurried", value=sum(course.not_awaited for course in courses), unit="faults")
    yield Figure(metric="doubles", value=sum(course.doubles for course in courses), unit="faults")
    verdicts = {course.name: course.verdict for course in courses if course.verdict}
    for name, verdict in verdicts.items():
        for note in verdict.notes:
            say(f"{name}: {note}")
    for name in ("windows", "wh", "pulses"):
        yield Figure(metric=name, value=sum(getattr(one, name) for one in verdicts.values()), unit=name)
    for name in Verdict().counts:
        yield Figure(metric=name, value=sum(one.counts[name] for one in verdicts.values()), unit="", limit=0)
    lost_s = [one for verdict in verdicts.values() for one in verdict.lost_s]
    if lost_s:
        yield Figure(metric="power_lost_median", value=sorted(lost_s)[len(lost_s) // 2], unit="s")
        yield Figure(metric="power_lost_most", value=max(lost_s), unit="s", limit=MOST_LOST_S)


def campaign(folder: Path, *, each: int, seed: int, say: Callable[[str], None]) -> list[Figure]:
    """Run it, and its figures."""
    return list(figures(Campaign(folder, each=each, seed=seed, say=say).run(), say))
