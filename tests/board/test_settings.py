from meter.settings import mask_of, ports_of, settings_from
from shared.records import SETTINGS, RangeError


def _refusal(*values):
    try:
        settings_from(SETTINGS.pack(*values))
    except RangeError as error:
        return str(error)
    return None


def test_masks_and_ports():
    for mask in range(64):
        assert mask_of(ports_of(mask)) == mask
    assert ports_of(0b11001) == (1, 4, 5)


def test_settings_from_the_wire():
    settings = settings_from(SETTINGS.pack(4000, 0b001, 0b11110, 2500))
    assert (settings.rate_hz, settings.clamp_ports, settings.pulse_ports, settings.min_width_us) == (
        4000,
        (1,),
        (2, 3, 4, 5),
        2500,
    )


def test_what_cannot_be_done_is_refused_by_name():
    assert "pulse_ports" in _refusal(4000, 0b011, 0b00010, 5000)
    assert _refusal(100000, 0b111, 0b11000, 5000) is None
    assert _refusal(20000, 0, 0b11000, 5000) is None
