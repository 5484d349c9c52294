"""``fluksometer check``: is a configuration right?"""

from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from fluksometer.command import Command

if TYPE_CHECKING:
    from fluksometer.domain.sensors import Sensor

DESCRIPTION = """\
Check a configuration. Every fault is told at once on standard error, a line each, with its path and its limit.

example:
  fluksometer check -c fluksometer.toml"""


def configure(parser: ArgumentParser) -> None:
    """Arguments of ``check``."""
    parser.add_argument("-c", "--config", type=Path, required=True, metavar="FILE", help="the configuration")


def run(arguments: Namespace) -> int:
    """Check, and show the sensors."""
    from rich.console import Console
    from rich.table import Table

    from fluksometer.config import read_certificate, read_config, read_login, read_p1_keys, read_tls
    from fluksometer.domain.sensors import SensorClass
    from fluksometer.linearity_tables import tables_by_chip
    from fluksometer.uplinks import check_files

    config = read_config(arguments.config)
    read_login(config, arguments.config)
    read_tls(config, arguments.config)
    read_p1_keys(config, arguments.config)
    check_files(config, arguments.config)
    if config.web:
        read_certificate(config.web, arguments.config)
    tables_by_chip(config.board.linearity, arguments.config)
    sensors = config.sensors(lambda *_: "0" * 32)
    measured = any(one.enabled and one.sensor_class is SensorClass.VOLTAGE for one in sensors)
    table = Table("port", "class", "type", "function", "scale")
    for sensor in sensors:
        off = "" if sensor.enabled else " (off)"
        ports = ", ".join(map(str, sensor.ports))
        scale = _scale(sensor, measured)
        table.add_row(ports, sensor.sensor_class.value, sensor.medium.value, sensor.function + off, scale)
    print(f"{arguments.config}: ok")
    Console(highlight=False).print(table)
    return 0


def _scale(sensor: "Sensor", measured: bool) -> str:
    from fluksometer.domain.sensors import SensorClass
    from fluksometer.domain.topics import decimal
    from fluksometer.domain.units import plain

    if sensor.sensor_class is SensorClass.VOLTAGE:
        return f"{plain(sensor.adapter_v)} V of the mains give 1 V"
    if sensor.sensor_class is SensorClass.PULSE:
        return f"{decimal(sensor.constant_milli)} {sensor.medium.counter_unit} per pulse"
    clamp = f"{plain(sensor.clamp_a)} A clamp"
    if sensor.phases != "1p":
        rule = "" if sensor.rule == "closed-form" else f", rule {sensor.rule}"
        return f"{len(sensor.ports)} x {clamp} at {sensor.voltage_v} V, {sensor.phases}{rule}"
    line = f", or as told of L{sensor.p1_phase}" if sensor.p1_phase else ""
    return f"{clamp}, {sensor.direction}" if measured else f"{clamp} at {sensor.voltage_v} V{line}"


COMMAND = Command(
    help="check a configuration, all faults at once", description=DESCRIPTION, configure=configure, run=run
)
