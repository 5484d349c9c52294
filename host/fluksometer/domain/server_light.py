"""Whether the server takes what is sent it, for the globe LED (the manual's section on the LEDs)."""

from typing import Final

from fluksometer.shared.terminal_records import LED_FAST, LED_OFF, LED_ON

BLINK_S: Final = 1.0


class ServerLight:
    """``called`` is for the uploading thread, ``mode`` for the loop's."""

    def __init__(self) -> None:
        self._up = False
        self._successes = 0
        self._shown = 0
        self._blink_until_s = 0.0

    def called(self, success: bool) -> None:
        """A call has ended, with 200 or 204 if a ``success``."""
        self._up = success
        self._successes += success

    def mode(self, now_s: float) -> int:
        """On while the last call went well, blinking for a moment after each that did, else off."""
        if self._successes != self._shown:
            self._shown, self._blink_until_s = self._successes, now_s + BLINK_S
        if not self._up:
            return LED_OFF
        return LED_FAST if now_s < self._blink_until_s else LED_ON
