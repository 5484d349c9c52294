from meter.settings import mask_of, ports_of, settings_from
from shared.records import SETTINGS, RangeError


def _refusal(*values):
    try:
        settings_from(SETTINGS.pack(*values), {1: 0, 2: 1, 3: 2}, {2: 0, 3: 0, 4: 0, 5: 0})
    except RangeError as error:
        return str(error)
    return None


def test_masks_and_ports():
    for mask in range(64):
        assert mask_of(ports_of(mask)) == mask
    assert ports_of(0b11001) == (1, 4, 5)


def test_settings_from_the_wire():
    settings = settings_from(SETTINGS.pack(4000, 0b001, 0b11110, 2500), {1: 0}, {2: 0, 3: 0, 4: 0, 5: 0})
    assert (settings.rate_hz, settings.clamp_ports, settings.pulse_ports, settings.min_width_us) == (
        4000,
        (1,),
        (2, 3, 4, 5),
        2500,
    )


def test_what_cannot_be_done_is_refused_by_name():
    assert "pulse_ports" in _refusal(4000, 0b011, 0b00010, 5000)
    assert _refusal(20000, 0, 0b11000, 5000) is None


def test_rates_that_the_converter_or_the_ring_cannot_follow_are_refused():
    # 733 conversions a second are what its divider reaches; above 120000 the ring is too short for the sampling timer.
    for rate_hz, clamps, fits in (
        (40000, 0b111, True),
        (40001, 0b111, False),
        (100000, 0b001, True),
        (245, 0b111, True),
        (244, 0b111, False),
        (732, 0b001, False),
        (100, 0, True),
    ):
        refusal = _refusal(rate_hz, clamps, 0b11000, 5000)
        assert refusal is None if fits else "settings.rate_hz" in refusal


def test_inputs_that_this_board_has_not_are_refused():
    for clamps, pulses, name in (((1, 2), (4, 5), "clamp_ports"), ((1, 2, 3), (4,), "pulse_ports")):
        try:
            settings_from(SETTINGS.pack(4000, 0b111, 0b11000, 5000), clamps, pulses)
        except RangeError as error:
            assert "settings." + name in str(error)
        else:
            raise AssertionError("not refused")
