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

    from fluksometer.config import read_config, read_login

    config = read_config(arguments.config)
    read_login(config, arguments.config)
    table = Table("port", "class", "type", "function", "scale")
    for sensor in config.sensors(lambda *_: "0" * 32):
        off = "" if sensor.enabled else " (off)"
        table.add_row(
            str(sensor.port), sensor.sensor_class.value, sensor.medium.value, sensor.function + off, _scale(sensor)
        )
    print(f"{arguments.config}: ok")
    Console(highlight=False).print(table)
    return 0


def _scale(sensor: "Sensor") -> str:
    from fluksometer.domain.sensors import SensorClass
    from fluksometer.domain.topics import decimal
    from fluksometer.domain.units import plain

    if sensor.sensor_class is SensorClass.ANALOG:
        return f"{plain(sensor.clamp_a)} A clamp at {sensor.voltage_v} V"
    return f"{decimal(sensor.constant_milli)} {sensor.medium.counter_unit} per pulse"


COMMAND = Command(
    help="check a configuration, all faults at once", description=DESCRIPTION, configure=configure, run=run
)
