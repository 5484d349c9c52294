"""The emulated meters tell the house's loads, and refuse what real ones refuse."""

import struct

import pytest
from pymodbus.framer import FramerRTU

from fluksometer.faults import FileFaults, parse_toml
from house.housefile import House
from house.modbus_meters import ModbusMeter, integral, meter_truth
from house.uart_line import Format

HOUSE = """
[[clamp]]
port = 1
current_a = [[0, 10.0], [1800, 0.0], [3600, 20.0]]
[[clamp]]
port = 2
current_a = 5.0
power_factor = -0.5
harmonics = {{ 3 = 0.75 }}
[[modbus]]
address = 5
model = "{model}"
ports = {ports}
"""


def make(model: str, ports: list[int]) -> ModbusMeter:
    house = parse_toml(HOUSE.format(model=model, ports=ports), House, source="house")
    return ModbusMeter(house, house.modbus[0])


def sealed(*numbers: int) -> bytes:
    frame = bytes(numbers)
    return frame + FramerRTU.compute_CRC(frame).to_bytes(2, "big")


def test_energy_is_the_integral_of_the_steps() -> None:
    assert integral(((0.0, 10.0), (1800.0, 0.0), (3600.0, 20.0)), 5400.0) == 10 * 1800 + 20 * 1800
    assert integral(((10.0, 4.0),), 5.0) == 0 and integral(((10.0, 4.0),), 11.0) == 4.0


def test_import_and_export_are_apart_and_harmonics_carry_no_power() -> None:
    meter = make("sdm630", [1, 2])
    truth = meter_truth(meter._house, meter.meter, 7200.0)
    assert truth["import"] == pytest.approx(230 * (10 * 0.5 + 20 * 1.0) / 1000)
    assert truth["export"] == pytest.approx(230 * 5 * 0.8 * 0.5 * 2 / 1000)
    assert truth["power"] == pytest.approx(230 * 20 - 230 * 5 * 0.8 * 0.5)
    assert truth["power_factor_2"] == pytest.approx(-0.4) and truth["reactive_2"] < 0


def test_an_answer_is_the_frame_of_the_standard() -> None:
    answer = make("sdm120", [1]).answer(sealed(5, 4, 0, 0, 0, 2), 0.0)
    assert answer == sealed(5, 4, 4, *struct.pack(">f", 230.0))


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        (sealed(5, 3, 0, 0, 0, 2), 1),  # an SDM120 has its values in input registers
        (sealed(5, 4, 0x20, 0, 0, 2), 2),
        (sealed(5, 6, 0, 0, 0, 2), 1),
    ],
)
def test_what_it_can_not_answer_is_an_exception(request_: bytes, code: int) -> None:
    answer = make("sdm120", [1]).answer(request_, 0.0)
    assert answer == sealed(5, request_[1] | 0x80, code)


def test_what_is_damaged_or_for_another_meter_has_no_answer() -> None:
    meter = make("abb-b23", [1, 2])
    good = sealed(5, 3, 0x5B, 0, 0, 2)
    assert meter.answer(good, 0.0)
    for wrong in (good[:-1], good[:-1] + b"\0", sealed(6, 3, 0x5B, 0, 0, 2), b"", b"\5"):
        assert meter.answer(wrong, 0.0) == b""


def test_a_meter_reads_its_own_speed_and_format_only() -> None:
    own = Format.of(9600, "8E1")
    assert own.byte_ns == pytest.approx(11e9 / 9600)
    assert own.understands(Format(9615, 8, "E", 1)) and own.understands(Format(9600, 8, "E", 2))
    assert not own.understands(Format(9600, 8, "N", 1)) and not own.understands(Format(19200, 8, "E", 1))


def test_a_meter_of_a_load_that_is_not_there_is_a_fault() -> None:
    with pytest.raises(FileFaults) as caught:
        make("sdm120", [3])
    assert "measures the load of port 3" in str(caught.value.faults)
