"""The judge: what a virtual board's surroundings wrote of themselves against what a subscriber heard. Pure functions."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from board_world import CHARGE_PER_STEP, CLAMP_PORTS, PULSES_PER_KS, WINDOW_US, pulses_until, steps_rms
from fluksometer.domain.units import LSB_V, STEPS, uwh_per_charge
from reliability_broker import Heard

CLAMP_A, VOLTAGE_V = 500, 230
CONSTANT_MILLI = {4: 500, 5: 10_000}
"""mWh and mL a pulse, by port."""
W_PER_STEP = float(LSB_V * CLAMP_A * VOLTAGE_V) / STEPS
UWH_PER_CHARGE = uwh_per_charge(clamp_a=CLAMP_A, voltage_v=VOLTAGE_V)
_MISPLACED_S = 0.4
"""So much the bridge may be wrong about when a window ended, and the second that it publishes be another than the window's.
A reading up to 0.25 s early may have the second that follows."""
_COUNTS = ("contradictions", "falls", "out_of_order", "windows_lost", "windows_doubled", "windows_made_up")
_COUNTS += ("windows_misplaced", "wh_wrong", "pulses_wrong")


def sensor_id(port: int) -> str:
    """The id that the configuration of a site gives a port's sensor."""
    return f"{port:032x}"


@dataclass
class Boot:
    """What was true while a board had power."""

    boot_id: int
    start_ns: int  # UTC when its clock showed zero
    windows: list[tuple[int, tuple[int, ...]]] = field(default_factory=list)  # end in us, steps of the clamps
    quiet_us: int | None = None
    cut_us: int | None = None  # when its power was cut

    @property
    def end_us(self) -> int | None:
        """From when on nothing flowed and pulsed for it."""
        return self.cut_us if self.quiet_us is None else self.quiet_us

    def utc_s(self, t_us: int) -> float:
        """UTC of a moment of its clock."""
        return self.start_ns / 1e9 + t_us / 1e6


def read_truth(text: str) -> list[Boot]:
    """The book of tools/linux_board_main.py. A line that the power cut in two did not happen."""
    boots: list[Boot] = []
    for line in text.splitlines(keepends=True):
        words = line.split()
        if not line.endswith("\n"):
            break
        what, numbers = words[0], [int(word) for word in words[1:]]
        if what == "boot":
            boots.append(Boot(numbers[0], numbers[1]))
        elif what == "window":
            _check(boots[-1], numbers)
            boots[-1].windows.append((numbers[2], tuple(numbers[3:])))
        elif what == "quiet":
            boots[-1].quiet_us = numbers[1]
        elif what == "cut":
            boots[-1].cut_us = (numbers[1] - boots[-1].start_ns) // 1000
    return boots


def _check(boot: Boot, numbers: Sequence[int]) -> None:
    boot_id, window, t_us, *steps = numbers
    flows = boot.quiet_us is None
    assert t_us == window * WINDOW_US and len(boot.windows) == window - 1, numbers
    assert steps == [steps_rms(port, window, boot_id) if flows else 0 for port in CLAMP_PORTS], numbers


@dataclass
class Verdict:
    """Counts of what must not be, over all sensors; each is 0 where nothing was lost or made up."""

    contradictions: int = 0  # (sensor, kind, second) with two values
    falls: int = 0  # a total below one of an earlier second
    out_of_order: int = 0  # a reading that came, for the first time, behind one of a later second
    windows_lost: int = 0  # that closed while the board had power, and of which no reading came
    windows_doubled: int = 0  # whose reading came under two seconds
    windows_made_up: int = 0  # readings that no window explains
    windows_misplaced: int = 0  # whose reading has another second than the window's end, and that is not near
    wh_wrong: int = 0  # total against what flowed, in whole Wh
    pulses_wrong: int = 0  # total against what pulsed
    lost_s: list[float] = field(
        default_factory=list
    )  # for each power cut: how long before it the last reading's window ended
    windows: int = 0
    wh: int = 0
    pulses: int = 0
    notes: list[str] = field(default_factory=list)

    @property
    def counts(self) -> dict[str, int]:
        """What must be 0, by name."""
        return {name: getattr(self, name) for name in _COUNTS}


def judge(boots: list[Boot], heard: Iterable[Heard]) -> Verdict:
    """Hold what was heard against what was true. The last boot must have become quiet, and time have passed since."""
    verdict = Verdict()
    series: dict[tuple[str, str], dict[int, float]] = defaultdict(dict)
    for one in heard:
        _arrive(verdict, one, series[one.sensor_id, one.kind])
    for (one_id, kind), values in series.items():
        if kind == "counter":
            ordered = [values[second] for second in sorted(values)]
            falls = sum(after < before for before, after in pairwise(ordered))
            verdict.falls += falls
            if falls:
                verdict.notes.append(f"{one_id[-1]} fell {falls} times")
    seen: dict[tuple[int, int], int] = {}  # port, boot: end of its last window that was heard of
    for port in CLAMP_PORTS:
        _judge_windows(verdict, port, boots, series[sensor_id(port), "gauge"], seen)
    for port in CLAMP_PORTS:
        _judge_energy(verdict, port, boots, series[sensor_id(port), "counter"], seen)
    for port in PULSES_PER_KS:
        _judge_pulses(verdict, port, boots, series[sensor_id(port), "counter"], seen)
    for boot in boots:
        if boot.cut_us is not None:
            verdict.lost_s.append((boot.cut_us - _seen_us(seen, boot)) / 1e6)
    return verdict


def _seen_us(seen: dict[tuple[int, int], int], boot: Boot) -> int:
    # The end of the last window of a boot that was heard of from every clamp.
    return min(seen.get((port, boot.boot_id), 0) for port in CLAMP_PORTS)


def _arrive(verdict: Verdict, one: Heard, values: dict[int, float]) -> None:
    if one.second in values:
        if values[one.second] != one.value:
            verdict.contradictions += 1
            verdict.notes.append(f"{one}: before it was {values[one.second]}")
    else:
        if values and one.second < max(values):
            verdict.out_of_order += 1
            verdict.notes.append(f"{one} came behind {max(values)}")
        values[one.second] = one.value


def _judge_windows(
    verdict: Verdict, port: int, boots: list[Boot], gauge: dict[int, float], seen: dict[tuple[int, int], int]
) -> None:
    left = dict(gauge)
    for boot in boots:
        missing = []
        for t_us, steps in boot.windows:
            if boot.quiet_us is not None and t_us > boot.quiet_us:
                break
            verdict.windows += 1
            utc_s = boot.utc_s(t_us)
            watt = steps[CLAMP_PORTS.index(port)] * W_PER_STEP
            near = range(int(utc_s) - 3, int(utc_s) + 4)
            found = [second for second in near if second in left and abs(left[second] - watt) < W_PER_STEP / 2]
            if not found:
                missing.append(t_us)
                continue
            seen[port, boot.boot_id] = t_us
            verdict.windows_doubled += len(found) - 1
            if not int(utc_s - _MISPLACED_S) <= found[0] <= int(utc_s + _MISPLACED_S):
                verdict.windows_misplaced += 1
                verdict.notes.append(
                    f"port {port}, boot {boot.boot_id}, {t_us // 1000} ms: {utc_s:.3f} became {found[0]}"
                )
            for second in found:
                del left[second]
        # What was behind the last one heard of went with the power.
        lost = [t_us for t_us in missing if boot.cut_us is None or t_us < seen.get((port, boot.boot_id), 0)]
        verdict.windows_lost += len(lost)
        if lost:
            verdict.notes.append(
                f"port {port}, boot {boot.boot_id}: no reading of windows {[t // 1000 for t in lost]} ms"
            )
    made_up = {second: value for second, value in left.items() if value}
    verdict.windows_made_up += len(made_up)
    if made_up:
        verdict.notes.append(f"port {port}: no window explains {made_up}")


def _judge_energy(
    verdict: Verdict, port: int, boots: list[Boot], counter: dict[int, float], seen: dict[tuple[int, int], int]
) -> None:
    # Of a boot whose power was cut: up to its last window that was heard of, or more, if its flash had kept it.
    least = most = 0
    for boot in boots:
        for t_us, steps in boot.windows:
            charge = steps[CLAMP_PORTS.index(port)] * CHARGE_PER_STEP
            most += charge
            least += charge if boot.cut_us is None or t_us <= seen.get((port, boot.boot_id), 0) else 0
    least_wh, most_wh = (int(charge * UWH_PER_CHARGE / 1_000_000) for charge in (least, most))
    total_wh = int(max(counter.values(), default=0))
    wrong = max(least_wh - total_wh, total_wh - most_wh, 0)
    verdict.wh += most_wh
    verdict.wh_wrong += wrong
    if wrong:
        verdict.notes.append(f"port {port}: {total_wh} Wh of {least_wh} to {most_wh}")


def _judge_pulses(
    verdict: Verdict, port: int, boots: list[Boot], counter: dict[int, float], seen: dict[tuple[int, int], int]
) -> None:
    # Of a boot whose power was cut, all that was true up to its last window that was heard of, to what was true at the end.
    # Pulse records come up to a second before or behind a window's.
    least = most = 0
    for boot in boots:
        end_us = boot.end_us
        assert end_us is not None, "the last boot has not become quiet"
        most += pulses_until(port, end_us)
        heard_us = max(0, _seen_us(seen, boot) - WINDOW_US)
        least += pulses_until(port, end_us if boot.cut_us is None else min(heard_us, end_us))
    milli = round(1000 * max(counter.values(), default=0))
    total, rest = divmod(milli, CONSTANT_MILLI[port])
    wrong = max(least - total, total - most, 0) + (rest != 0)
    verdict.pulses += most
    verdict.pulses_wrong += wrong
    if wrong:
        verdict.notes.append(f"port {port}: {total} pulses of {least} to {most}")
