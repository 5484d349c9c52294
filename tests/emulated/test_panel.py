"""The panel of the release firmware on the emulated chip: when each LED was lit, and what the board tells of the button."""

from itertools import pairwise

import pytest

from fluksometer.domain.button import action_of
from fluksometer.shared.terminal_records import LED_FAST, LED_ON, LED_SLOW, PANEL

pytestmark = pytest.mark.emulated

PRESSES = {3.5: 1.0, 5.5: 3.0}
HOUSE = "".join(f"[[press]]\nat_s = {at}\nfor_s = {length}\n" for at, length in PRESSES.items())
PULSES = "[[pulse]]\nport = 4\nrate_hz = [[0, 0], [3, 2]]\nwidth_ms = 100\n"


def periods_s(changes, begin_s):
    """Seconds between the moments at which a LED was lit."""
    lit = [at / 1e9 for at, on in changes if on and at / 1e9 > begin_s]
    return [later - earlier for earlier, later in pairwise(lit)]


def test_rates_of_the_leds_and_presses_of_the_button(make_board) -> None:
    board = make_board(HOUSE)
    board.run(3.0)
    panel = board.pico.panel
    assert {name: panel.lit(name) for name in panel.leds} == {
        "wifi": False,
        "ethernet": False,
        "globe": False,
        "heartbeat": True,  # the program runs, and no bridge has come yet
        "power": True,
    }
    assert panel.leds["power"][0][0] < 2e9 and len(panel.leds["heartbeat"]) == 1
    board.set(rate_hz=1000, clamp_ports=0, pulse_ports=0)
    board.send(PANEL.kind, PANEL.pack(LED_FAST, LED_SLOW, LED_ON))
    begin_s = board.pico.nanos / 1e9 + 0.1
    board.run(13.0 - begin_s)
    for name, period_s in (("wifi", 0.5), ("ethernet", 3.0), ("heartbeat", 1.0)):
        found = periods_s(panel.leds[name], begin_s)
        assert len(found) >= (13.0 - begin_s) / period_s - 2.5, name
        assert all(abs(one - period_s) <= 0.06 for one in found), (name, found)
    assert panel.lit("globe")
    held_ms = [told["held_ms"] for told in board.of("button")]
    assert held_ms == pytest.approx([1000 * length for length in PRESSES.values()], abs=60)
    assert [action_of(held) for held in held_ms] == [None, "toggle network"]


def test_the_heartbeat_follows_a_pulse_input(make_board) -> None:
    board = make_board(PULSES)
    board.run(2.0)
    board.set(rate_hz=1000, clamp_ports=0, heartbeat_port=4)
    board.run(5.2 - board.pico.nanos / 1e9)
    changes = [(at / 1e9, on) for at, on in board.pico.panel.leds["heartbeat"] if at > 3e9]
    dark = [later - earlier for (earlier, on), (later, _) in pairwise(changes) if not on]
    assert all(abs(one - 0.1) <= 0.03 for one in dark)
    # A look each 20 ms, and a collection of the heap may come before it.
    assert [at for at, on in changes if not on] == pytest.approx([3.5, 4.0, 4.5, 5.0], abs=0.045)
    board.pico.console.send(b"\x03")
    board.pico.run_for(0.5)
    assert not board.pico.panel.lit("heartbeat") and board.pico.panel.lit("power")  # the program has ended
