from sampling import settings_values

from meter.settings import mask_of, pairs_of, ports_of, settings_from
from shared.layout import RangeError
from shared.records import PAIR_1_2, PAIR_1_3, PAIR_2_3, SETTINGS


def _refusal(rate_hz, clamp_ports, pulse_ports, **given):
    payload = SETTINGS.pack(*settings_values(rate_hz, clamp_ports, pulse_ports, **given))
    try:
        settings_from(payload, {1: 0, 2: 1, 3: 2}, {2: 0, 3: 0, 4: 0, 5: 0})
    except RangeError as error:
        return str(error)
    return None


def test_masks_and_ports():
    for mask in range(64):
        assert mask_of(ports_of(mask)) == mask
    assert ports_of(0b11001) == (1, 4, 5)


def test_pairs_of_a_mask():
    assert [pairs_of(mask) for mask in (0, PAIR_1_2, PAIR_1_3, PAIR_2_3)] == [(), ((1, 2),), ((1, 3),), ((2, 3),)]
    assert pairs_of(0b111) == ((1, 2), (1, 3), (2, 3))


def test_settings_from_the_wire():
    payload = SETTINGS.pack(
        *settings_values(4000, 0b101, 0b11010, width_us_4=2500, gap_us_4=7, voltage_port=3, pairs=PAIR_1_3)
    )
    settings = settings_from(payload, {1: 0, 3: 2}, {2: 0, 4: 0, 5: 0})
    assert (settings.rate_hz, settings.clamp_ports, settings.pulse_ports) == (4000, (1, 3), (2, 4, 5))
    assert (settings.voltage_port, settings.pairs) == (3, ((1, 3),))
    assert [settings.width_us(port) for port in (2, 4)] == [5000, 2500]
    assert [settings.gap_us(port) for port in (2, 4)] == [0, 7]


def test_what_cannot_be_done_is_refused_by_name():
    assert "pulse_ports" in _refusal(4000, 0b011, 0b00010)
    assert _refusal(20000, 0, 0b11000) is None


def test_the_voltage_has_to_be_sampled():
    for clamps, voltage_port, fits in ((0b111, 0, True), (0b100, 3, True), (0b011, 3, False), (0, 1, False)):
        refusal = _refusal(4000, clamps, 0b11000, voltage_port=voltage_port)
        assert refusal is None if fits else "settings.voltage_port: %d" % voltage_port in refusal


def test_pairs_have_to_be_sampled():
    for clamps, pairs, fits in (
        (0b111, 0b111, True),
        (0b101, PAIR_1_3, True),
        (0b101, PAIR_1_2, False),
        (0b110, PAIR_2_3, True),
        (0b110, PAIR_2_3 | PAIR_1_3, False),
        (0b001, PAIR_1_2, False),
    ):
        refusal = _refusal(4000, clamps, 0b11000, pairs=pairs)
        assert refusal is None if fits else "settings.pairs" in refusal


def test_rates_that_the_converter_or_the_ring_cannot_follow_are_refused():
    # 733 conversions a second are what the converter's divider reaches; above 300000 a ring of 200 ms would be too long.
    for rate_hz, clamps, fits in (
        (100000, 0b111, True),
        (100000, 0b001, True),
        (245, 0b111, True),
        (244, 0b111, False),
        (732, 0b001, False),
        (100, 0, True),
    ):
        refusal = _refusal(rate_hz, clamps, 0b11000)
        assert refusal is None if fits else "settings.rate_hz" in refusal


def test_inputs_that_this_board_has_not_are_refused():
    for clamps, pulses, name in (((1, 2), (4, 5), "clamp_ports"), ((1, 2, 3), (4,), "pulse_ports")):
        try:
            settings_from(SETTINGS.pack(*settings_values(4000, 0b111, 0b11000)), clamps, pulses)
        except RangeError as error:
            assert "settings." + name in str(error)
        else:
            raise AssertionError("not refused")


def test_the_heartbeat_follows_a_port_that_counts():
    assert _refusal(4000, 0b111, 0b11000, heartbeat_port=4) is None
    assert "settings.heartbeat_port: 2" in _refusal(4000, 0b111, 0b11000, heartbeat_port=2)
