"""LEDs and button of the emulated board, without the firmware."""

import pytest

from fluksometer.faults import FileFaults
from house.rawrepl import execute

PROGRAM = """
from machine import Pin
import time
led, button = Pin(12, Pin.OUT), Pin(15, Pin.IN, Pin.PULL_UP)
began, seen = time.ticks_ms(), []
while time.ticks_diff(time.ticks_ms(), began) < 500:
    time.sleep_ms(1)
    if not seen or seen[-1] != button.value():
        seen.append(button.value())
        led(not seen[-1])
print(seen)
"""


def test_a_finger_moves_the_pin_and_each_change_of_a_led_is_noted(boot):
    board = boot("[[press]]\nat_s = 1.5\nfor_s = 0.1\n")
    board.run_for(1.3 - board.nanos / 1e9)
    assert execute(board, PROGRAM).strip() == "[1, 0, 1]"
    (lit, lit_on), (dark, dark_on) = board.panel.leds["globe"]
    assert (lit_on, dark_on) == (True, False)
    assert lit / 1e9 == pytest.approx(1.5, abs=0.004) and dark / 1e9 == pytest.approx(1.6, abs=0.004)
    assert not board.panel.lit("globe") and board.panel.leds["wifi"] == []


def test_a_press_while_it_is_pressed_is_a_fault(house_from):
    with pytest.raises(FileFaults) as caught:
        house_from("[[press]]\nat_s = 1\nfor_s = 5\n[[press]]\nat_s = 4\nfor_s = 1\n")
    assert any("press: at 4 s it is still held" in fault for fault in caught.value.faults)
