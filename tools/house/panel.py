"""The panel of the emulated board: what each LED did, and a finger on the button."""

from collections.abc import Iterable
from typing import Any, Final

from rp2040py.gpio_pin import GPIOPinState

from house.housefile import Press
from house.waves import SECOND_NS
from house.wiring import BUTTON_GPIO, LED_GPIO

Change = tuple[int, bool]
"""Moment in ns since the power came on, and whether the LED is lit from then on."""


class Panel:
    """``leds`` grows by each change of a LED; they are dark when the power comes on."""

    def __init__(self, mcu: Any, presses: Iterable[Press]) -> None:
        self.leds: Final[dict[str, list[Change]]] = {name: [] for name in LED_GPIO}
        self._clock = mcu.clock
        for name, gpio in LED_GPIO.items():
            self._watch(mcu.gpio[gpio], self.leds[name])
        button = mcu.gpio[BUTTON_GPIO]
        for press in presses:
            self._at(press.at_s, lambda: button.set_input_value(False))
            self._at(press.at_s + press.for_s, button.release_input)

    def lit(self, name: str) -> bool:
        """Whether a LED is lit now."""
        changes = self.leds[name]
        return bool(changes) and changes[-1][1]

    def _watch(self, pin: Any, changes: list[Change]) -> None:
        def look(state: GPIOPinState, _before: GPIOPinState) -> None:
            lit = state == GPIOPinState.HIGH
            if lit != (bool(changes) and changes[-1][1]):
                changes.append((round(self._clock.nanos), lit))

        pin.add_listener(look)

    def _at(self, t_s: float, act: Any) -> None:
        self._clock.create_alarm(act).schedule(t_s * SECOND_NS - self._clock.nanos)
