"""The wiring table: pins that exist, none used twice."""

from house.wiring import ADC_CHANNEL, CLAMP_GPIO, PULSE_GPIO


def test_every_port_has_a_pin_of_its_own():
    pins = [*CLAMP_GPIO.values(), *PULSE_GPIO.values()]
    assert len(set(pins)) == len(pins)


def test_clamps_are_on_the_converters_inputs():
    assert ADC_CHANNEL == {1: 0, 2: 1, 3: 2}


def test_pulse_port_n_is_pin_n():
    assert all(port == gpio for port, gpio in PULSE_GPIO.items())
