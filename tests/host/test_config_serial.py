"""[rs485] and [[modbus]] in the configuration."""

import pytest

from fluksometer.config import Config
from fluksometer.faults import FileFaults, parse_toml

SENSOR = '[[sensor]]\nport = 1\nfunction = "kitchen"\n'
METER = '[[modbus]]\naddress = {}\nmodel = "sdm120"\n'


def config(text: str) -> Config:
    return parse_toml(text + SENSOR, Config, source="c")


def test_without_the_table_the_port_is_off() -> None:
    settings = config("").board_settings()
    assert (settings.serial_baud, settings.serial_format) == (0, 0)


def test_the_port_is_that_of_a_fluksometer_unless_told_otherwise() -> None:
    table = config("[rs485]\n").rs485
    assert table and (table.baud, table.format, table.tcp_port) == (115_200, "8N1", 8899)
    settings = config('[rs485]\nbaud = 9600\nformat = "8N2"\n').board_settings()
    assert (settings.serial_baud, settings.serial_format) == (9600, 3)


def test_a_meter_has_a_name_and_a_map() -> None:
    meter = config("[rs485]\n" + METER.format(12)).modbus[0].meter
    assert (meter.address, meter.function, meter.poll_s) == (12, "meter 12", 10.0)
    assert meter.model.name == "Eastron SDM120-Modbus"


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (METER.format(1), "modbus: needs a table [rs485]"),
        ("[rs485]\n" + METER.format(1) + METER.format(1), "modbus[1].address: 1 is already the address of modbus[0]"),
        ("[rs485]\n" + METER.format(248), "modbus[0].address: 248 is not allowed: 1 to 247"),
        ('[rs485]\n[[modbus]]\naddress = 1\nmodel = "sdm12"\n', "did you mean sdm120?"),
        ("[rs485]\nbaud = 200\n", "rs485.baud: 200 is not allowed: 300 to 1000000"),
        ('[rs485]\nformat = "7E1"\n', "one of 8N1, 8E1, 8O1, 8N2"),
    ],
)
def test_faults_name_their_limit(text: str, fault: str) -> None:
    with pytest.raises(FileFaults) as caught:
        config(text)
    assert fault in "\n".join(caught.value.faults)
