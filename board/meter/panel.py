# Five LEDs and a button, as the original's manual has them. The bridge says what wifi, ethernet and globe show; power is lit by
# wiring.py and stays. One task looks at everything, often enough for a finger, and for an S0 pulse of 30 ms that a LED follows.
import asyncio

from shared._compat import const
from shared.terminal_records import BUTTON, LED_BLINK, LED_OFF, LED_ON, LED_SLOW, PANEL

_REST_MS = const(50)  # each look costs the core 0.8 ms, the waking included
_STEP_MS = const(20)  # while a LED follows a pulse input, or the button is pressed
_SLOW_MS = const(3000)
_FAST_MS = const(500)
_BEAT_MS = const(1000)
_DARK_MS = const(100)  # of a blink
_BRIDGE_GONE_MS = const(30000)  # it sends a panel record every ten seconds
_OF_BRIDGE = ("wifi", "ethernet", "globe")  # in the order of the panel record


class Panel:
    """leds: {name: function(on)}; button() is 0 while it is pressed; level_of(port): what a pulse input is at."""

    def __init__(self, leds, button, level_of, ticks_ms, ticks_diff, clock):
        self.on_round = lambda: None
        self.handlers = {PANEL.kind: self._take}
        self._leds = [leds[name] for name in _OF_BRIDGE]
        self._heartbeat = leds["heartbeat"]
        self._button = button
        self._level_of = level_of
        self._ticks_ms = ticks_ms
        self._ticks_diff = ticks_diff
        self._clock = clock
        self._follows = 0  # the pulse port of the heartbeat
        self._modes = (LED_OFF, LED_OFF, LED_OFF)
        self._dark_at = None  # ticks of the last blink that was asked for
        self._heard_at = None  # ticks of the last panel record; None: no bridge
        self._level = 1  # of the button at the last look
        self._pressed_at = None  # ticks; None: it is not pressed
        self._changed_at = 0  # ticks of the look that first saw this level

    def apply(self, settings):
        self._follows = settings.heartbeat_port

    def report(self, send):
        pass

    async def run(self, send, _keep):
        while True:
            now = self._ticks_ms()
            self._show(now)
            self._watch_button(now, send)
            self.on_round()
            await asyncio.sleep_ms(_STEP_MS if self._follows or not self._level else _REST_MS)

    def _take(self, payload):
        self._modes = PANEL.unpack(payload)
        self._heard_at = self._ticks_ms()
        if LED_BLINK in self._modes:
            self._dark_at = self._heard_at

    def _show(self, now):
        if self._heard_at is not None and self._ticks_diff(now, self._heard_at) > _BRIDGE_GONE_MS:
            self._heard_at, self._modes = None, (LED_OFF, LED_OFF, LED_OFF)
        if self._dark_at is not None and self._ticks_diff(now, self._dark_at) >= _DARK_MS:
            self._dark_at = None
        for index in range(3):
            self._leds[index](self._lit(self._modes[index], now))
        if self._follows:
            self._heartbeat(self._level_of(self._follows))
        else:  # lit while this program runs; a bridge that reads makes it beat
            self._heartbeat(self._heard_at is None or now % _BEAT_MS >= _DARK_MS)

    def _lit(self, mode, now):
        if mode <= LED_ON:
            return mode
        if mode == LED_BLINK:
            return self._dark_at is None
        period_ms = _SLOW_MS if mode == LED_SLOW else _FAST_MS
        return now % period_ms < period_ms // 2

    def _watch_button(self, now, send):
        level = self._button()
        if level != self._level:  # counts when the next look sees it too
            self._level, self._changed_at = level, now
        elif not level and self._pressed_at is None:
            self._pressed_at = self._changed_at
        elif level and self._pressed_at is not None:
            held_ms = self._ticks_diff(self._changed_at, self._pressed_at)
            self._pressed_at = None
            send(BUTTON, self._clock.now_us(), max(held_ms, 0))
