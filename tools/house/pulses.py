"""Pulse inputs: when each contact closes and opens, and the truth about how often. One alarm per port is pending at a time."""

from collections.abc import Callable, Iterator
from fractions import Fraction
from random import Random
from typing import Any, Final

from house.housefile import House, Pulse, Steps
from house.waves import SECOND_NS
from house.wiring import PULSE_GPIO

Edge = tuple[int, bool]
"""Moment in ns since the power came on, and whether the contact is closed from then on."""

_CHATTERS: Final = (1, 4)
"""A bouncing contact opens this often (from, to) before it comes to rest."""


def pulse_times(pulse: Pulse) -> Iterator[int]:
    """Moments in ns at which pulses begin: whenever the integral of the rate reaches a whole number, and the delay after."""
    done = Fraction(0)
    sent = 0
    delay_ns = round(pulse.delay_ms * 1e6)
    for begin_ns, end_ns, rate_hz in _spans(pulse.rate_hz):
        while rate_hz > 0:
            at_ns = begin_ns + (sent + 1 - done) / rate_hz * SECOND_NS
            if (end_ns is not None and at_ns >= end_ns) or sent == pulse.count:
                break
            sent += 1
            yield round(at_ns) + delay_ns
        if end_ns is not None:
            done += rate_hz * Fraction(end_ns - begin_ns, SECOND_NS)


def _spans(steps: Steps) -> list[tuple[int, int | None, Fraction]]:
    """Stretches of constant rate: begin and end in ns (None: for ever), rate in Hz."""
    begins = [round(t_s * SECOND_NS) for t_s, _ in steps]
    ends: list[int | None] = [*begins[1:], None]
    return [(b, e, Fraction(repr(hz))) for b, e, (_, hz) in zip(begins, ends, steps, strict=True)]


def pulse_edges(pulse: Pulse) -> Iterator[Edge]:
    """All edges of a pulse input in order, chatter included; the same for the same seed."""
    width_ns = round(pulse.width_ms * 1e6)
    bounce_ns = round(pulse.bounce_ms * 1e6)
    for number, begin_ns in enumerate(pulse_times(pulse)):
        if bounce_ns < 1000:
            yield begin_ns, True
            yield begin_ns + width_ns, False
            continue
        random = Random(f"{pulse.seed}/{pulse.port}/{number}")
        yield from _settle(begin_ns, bounce_ns, True, random)
        yield from _settle(begin_ns + width_ns, bounce_ns, False, random)


def _settle(at_ns: int, bounce_ns: int, closed: bool, random: Random) -> list[Edge]:
    """A change of the contact at a moment, with chatter in the time after it."""
    moments = sorted(random.sample(range(1, bounce_ns), 2 * random.randint(*_CHATTERS)))
    chatter = [(at_ns + moment, closed if i % 2 else not closed) for i, moment in enumerate(moments)]
    return [(at_ns, closed), *chatter]


def true_pulse_count(house: House, port: int, t_s: float) -> int:
    """How many pulses of a port have begun by a time, in s since the power came on."""
    until_ns = round(t_s * SECOND_NS)
    count = 0
    for pulse in house.pulse:
        if pulse.port == port:
            for at_ns in pulse_times(pulse):
                if at_ns > until_ns:
                    break
                count += 1
    return count


class PulseLine:
    """Moves one pin as its pulse input says. An open contact leaves the pin to the pull-up that the firmware set."""

    def __init__(self, mcu: Any, pulse: Pulse) -> None:
        self._pin = mcu.gpio[PULSE_GPIO[pulse.port]]
        self._clock = mcu.clock
        self._edges = pulse_edges(pulse)
        self._next: Edge | None = None
        fire: Callable[[], None] = self._fire
        self._alarm = self._clock.create_alarm(fire)
        self._arm()

    def _arm(self) -> None:
        self._next = next(self._edges, None)
        if self._next is not None:
            self._alarm.schedule(max(0.0, self._next[0] - self._clock.nanos))

    def _fire(self) -> None:
        assert self._next is not None
        if self._next[1]:
            self._pin.set_input_value(False)
        else:
            self._pin.release_input()
        self._arm()
