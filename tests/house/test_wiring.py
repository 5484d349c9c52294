"""The wiring table: pins that exist, none used twice."""

import pins
from house.wiring import ADC_CHANNEL, BUTTON_GPIO, CLAMP_GPIO, LED_GPIO, PULSE_GPIO


def test_every_port_has_a_pin_of_its_own():
    used = [*CLAMP_GPIO.values(), *PULSE_GPIO.values(), *LED_GPIO.values(), BUTTON_GPIO]
    assert len(set(used)) == len(used)


def test_clamps_are_on_the_converters_inputs():
    assert ADC_CHANNEL == {1: 0, 2: 1, 3: 2}


def test_pulse_port_n_is_pin_n():
    assert all(port == gpio for port, gpio in PULSE_GPIO.items())


def test_the_panel_is_where_the_board_has_it():
    assert (LED_GPIO, BUTTON_GPIO) == (pins.LED_GPIO, pins.BUTTON_GPIO)
