"""``fluksometer run``: the bridge daemon."""

from argparse import ArgumentParser, Namespace
from pathlib import Path

from fluksometer.command import Command

DESCRIPTION = """\
Read the sensor board and publish its readings by MQTT, until Ctrl-C or SIGTERM.

example:
  fluksometer init && fluksometer run -c fluksometer.toml"""


def configure(parser: ArgumentParser) -> None:
    """Arguments of ``run``."""
    parser.add_argument("-c", "--config", type=Path, required=True, metavar="FILE", help="the configuration")
    parser.add_argument("-v", "--verbose", action="store_true", help="log more")


def run(arguments: Namespace) -> int:
    """Run the bridge."""
    import asyncio

    from fluksometer.adapters import logs
    from fluksometer.adapters.identity import Identity
    from fluksometer.config import read_config, read_login, state_dir
    from fluksometer.service import Bridge

    config = read_config(arguments.config)
    login = read_login(config, arguments.config)
    identity = Identity(state_dir(config, arguments.config))
    logs.configure(verbose=arguments.verbose)
    sensors = config.sensors(identity.sensor_id)
    asyncio.run(Bridge(config, device_id=identity.device_id, sensors=sensors, login=login).run())
    return 0


COMMAND = Command(
    help="read the board, publish by MQTT (the daemon)", description=DESCRIPTION, configure=configure, run=run
)
