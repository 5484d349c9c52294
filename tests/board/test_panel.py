import asyncio

from fakes import Ticks

from meter.panel import Panel
from shared.layout import RangeError
from shared.terminal_records import BUTTON, LED_BLINK, LED_FAST, LED_OFF, LED_ON, LED_SLOW, PANEL

_STEP_MS = 20


class _Clock:
    def __init__(self, ticks):
        self.ticks = ticks

    def now_us(self):
        return self.ticks.now * 1000


class _Settings:
    def __init__(self, heartbeat_port=0):
        self.heartbeat_port = heartbeat_port


class _Rig:
    def __init__(self):
        self.ticks = ticks = Ticks()
        self.now = {}
        self.seen = []  # (ms, name, on): every change of a LED
        self.sent = []
        self.pressed = False
        self.levels = {4: 1}
        leds = {name: self._led(name) for name in ("wifi", "ethernet", "globe", "heartbeat")}
        self.panel = Panel(
            leds, lambda: 0 if self.pressed else 1, self.levels.get, ticks.ticks, ticks.diff, _Clock(ticks)
        )
        self.panel.apply(_Settings())

    def _led(self, name):
        def set_to(on):
            if self.now.get(name) != bool(on):
                self.now[name] = bool(on)
                self.seen.append((self.ticks.now, name, bool(on)))

        return set_to

    def ask(self, *modes):
        self.panel.handlers[PANEL.kind](PANEL.pack(*modes))

    def pass_ms(self, ms):
        for _ in range(ms // _STEP_MS):
            self.ticks.now += _STEP_MS
            self.panel._show(self.ticks.ticks())
            self.panel._watch_button(self.ticks.ticks(), lambda layout, *values: self.sent.append((layout, values)))

    def press(self, ms):
        self.pressed = True
        self.pass_ms(ms)
        self.pressed = False
        self.pass_ms(100)

    def lights(self, name):
        return [at for at, led, on in self.seen if led == name and on]


def test_without_a_bridge_the_heartbeat_is_on_and_the_others_are_off():
    rig = _Rig()
    rig.pass_ms(5000)
    assert rig.now == {"wifi": False, "ethernet": False, "globe": False, "heartbeat": True}
    assert len(rig.seen) == 4


def test_rates():
    rig = _Rig()
    rig.ask(LED_FAST, LED_SLOW, LED_ON)
    rig.pass_ms(12000)
    for name, period_ms in (("wifi", 500), ("ethernet", 3000), ("heartbeat", 1000)):
        times = rig.lights(name)
        gaps = [later - earlier for earlier, later in zip(times, times[1:])]
        assert len(gaps) >= 12000 // period_ms - 2 and max([abs(gap - period_ms) for gap in gaps]) <= _STEP_MS, name
    assert rig.now["globe"] and len(rig.lights("globe")) == 1


def test_a_blink_is_dark_for_a_moment_and_lit_before_and_after():
    rig = _Rig()
    rig.ask(LED_OFF, LED_OFF, LED_ON)
    rig.pass_ms(1000)
    for _ in range(2):
        rig.ask(LED_OFF, LED_OFF, LED_BLINK)
        rig.pass_ms(1000)
    globe = [(at, on) for at, name, on in rig.seen if name == "globe"]
    assert [on for _at, on in globe] == [True, False, True, False, True]
    off = [at for at, on in globe if not on][-2:]
    on = [at for at, on in globe if on][-2:]
    assert [later - earlier for earlier, later in zip(off, on)] == [80, 80] and off[1] - off[0] == 1000


def test_a_bridge_that_is_gone_leaves_only_the_heartbeat_lit():
    rig = _Rig()
    rig.ask(LED_ON, LED_ON, LED_ON)
    rig.pass_ms(29000)
    assert rig.now["wifi"]
    rig.ask(LED_ON, LED_ON, LED_ON)
    rig.pass_ms(29000)
    assert rig.now["wifi"]
    rig.pass_ms(2000)
    rig.seen.clear()
    rig.pass_ms(10000)
    assert rig.now == {"wifi": False, "ethernet": False, "globe": False, "heartbeat": True} and not rig.seen


def test_the_heartbeat_follows_a_pulse_port():
    rig = _Rig()
    rig.ask(LED_OFF, LED_OFF, LED_OFF)
    rig.panel.apply(_Settings(heartbeat_port=4))
    rig.pass_ms(3000)
    assert rig.now["heartbeat"] and len(rig.lights("heartbeat")) == 1
    for level in (0, 1, 0):
        rig.levels[4] = level
        rig.pass_ms(40)
        assert rig.now["heartbeat"] == bool(level)
    rig.panel.apply(_Settings())
    rig.pass_ms(200)
    assert rig.now["heartbeat"]


def test_a_panel_record_that_is_none_changes_nothing():
    rig = _Rig()
    rig.ask(LED_ON, LED_ON, LED_ON)
    for payload in (b"", b"\x01\x01", b"\x05\x00\x00", b"\x00\x00\x00\x00"):
        try:
            rig.panel.handlers[PANEL.kind](payload)
            raise AssertionError(payload)
        except RangeError:
            pass
    rig.pass_ms(100)
    assert rig.now["globe"]


def test_the_button_is_told_when_it_is_let_go():
    rig = _Rig()
    for ms in (60, 1000, 3000, 7000, 15000, 90000):
        rig.pressed = True
        rig.pass_ms(ms)
        assert not rig.sent
        rig.pressed = False
        rig.pass_ms(100)
        ((layout, (t_us, held_ms)),) = rig.sent
        assert layout is BUTTON and abs(held_ms - ms) <= _STEP_MS and (rig.ticks.now - 100) * 1000 <= t_us
        rig.sent.clear()


def test_a_button_that_bounces_is_pressed_once():
    rig = _Rig()
    for pressed, ms in ((1, 20), (0, 20), (1, 20), (0, 20), (1, 5000), (0, 20), (1, 20), (0, 20), (1, 20), (0, 1000)):
        rig.pressed = bool(pressed)
        rig.pass_ms(ms)
    ((_layout, (_t_us, held_ms)),) = rig.sent
    assert 4900 <= held_ms <= 5200


def test_a_spike_on_the_wire_is_no_press():
    rig = _Rig()
    rig.press(20)
    rig.pass_ms(1000)
    assert not rig.sent


def test_held_over_the_wrap_of_the_ticks():
    rig = _Rig()
    rig.ticks.now = (1 << 30) - 2000
    rig.press(5000)
    assert abs(rig.sent[0][1][1] - 5000) <= _STEP_MS


def _looks(pressed, follows):
    """How often its task looks in 410 ms."""
    rig = _Rig()
    rig.panel._follows = follows
    looks = []
    rig.panel._button = lambda: looks.append(1) or 1 - pressed

    async def bounded():
        task = asyncio.create_task(rig.panel.run(None, None))
        await asyncio.sleep_ms(410)
        task.cancel()

    asyncio.run(bounded())
    return len(looks)


def test_it_looks_as_often_as_it_has_to():
    assert 6 <= _looks(0, 0) <= 9
    assert 15 <= _looks(1, 0) <= 21 and 15 <= _looks(0, 4) <= 21
