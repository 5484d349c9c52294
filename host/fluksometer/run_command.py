"""``fluksometer run``: the bridge daemon."""

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Container
from pathlib import Path
from types import ModuleType
from typing import cast

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
    _spare_memory()
    import asyncio

    asyncio.run(_work(arguments.config, verbose=arguments.verbose))
    return 0


async def _work(source: Path, *, verbose: bool) -> None:
    from fluksometer.adapters import logs
    from fluksometer.adapters.calibration_file import CalibrationFile
    from fluksometer.adapters.identity import Identity
    from fluksometer.calibrator import Calibrator
    from fluksometer.config import read_config, read_login, read_tls, state_dir
    from fluksometer.desks import desks_of
    from fluksometer.domain.told import ToldBook
    from fluksometer.keeper import LEDGER_FILE, open_ledger
    from fluksometer.linearity_tables import tables_by_chip
    from fluksometer.service import Bridge
    from fluksometer.uplinks import uplinks_of

    config = read_config(source)
    login, tls = read_login(config, source), read_tls(config, source)
    tables = tables_by_chip(config.board.linearity, source)
    state = state_dir(config, source)
    identity = Identity(state)
    logs.configure(verbose=verbose)
    sensors = config.sensors(identity.sensor_id)
    _check_ids([one.sensor_id for one in sensors], [one.id for one in config.foreign], identity.made_ids, source)
    calibrator = Calibrator(CalibrationFile(state), sensors, tables, mains_hz=config.board.mains_hz)
    uplinks = uplinks_of(config, identity, told := ToldBook(), source)
    desks = [*desks_of(config, identity, told, source, uplinks.log, uplinks.light), *uplinks.desks]

    await Bridge(
        config,
        device_id=identity.device_id,
        sensors=sensors,
        calibrator=calibrator,
        told=told,
        ledger=await open_ledger(state / LEDGER_FILE, config.device.ledger_mb << 20),
        desks=desks,
        sinks=uplinks.sinks,
        login=login,
        tls=tls,
    ).run()


def _spare_memory() -> None:
    # structlog draws tracebacks with rich where it can: 4 MB, for something that a daemon's log has no use for.
    sys.modules["rich"] = cast(ModuleType, None)


def _check_ids(ids: list[str], foreign: list[str], made: Container[str], source: Path) -> None:
    from fluksometer.faults import FileFaults

    faults = [  # a given id may be that which was made for another sensor: both would publish under it
        f"sensor[{index}].id: {one} is that of sensor[{ids.index(one)}] too"
        for index, one in enumerate(ids)
        if ids.index(one) < index
    ]
    # What others publish must not count as a sensor of ours.
    faults += [f"foreign[{n}].id: {one} is that of a sensor of our own" for n, one in enumerate(foreign) if one in made]
    if faults:
        raise FileFaults(str(source), faults)


COMMAND = Command(
    help="read the board, publish by MQTT (the daemon)", description=DESCRIPTION, configure=configure, run=run
)
