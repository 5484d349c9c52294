"""Which desks a configuration asks for: one for each further terminal in use."""

from pathlib import Path

from fluksometer.adapters.clock import host_time
from fluksometer.adapters.identity import Identity
from fluksometer.adapters.p1_cable import P1Cable
from fluksometer.adapters.p1_cipher import LUXEMBOURG_AUTHENTICATION_KEY, decrypter
from fluksometer.config import Config, read_p1_keys
from fluksometer.config_p1 import P1Table
from fluksometer.domain.desk import Desk, Fault
from fluksometer.domain.told import ToldBook
from fluksometer.p1_desk import P1Desk


def desks_of(config: Config, identity: Identity, told: ToldBook, source: Path) -> list[Desk]:
    """The desks of one bridge; they put what they are told into ``told``. ``source``: the configuration's file, beside which
    relative paths begin."""
    desks: list[Desk] = []
    if config.p1 and config.p1.enable:
        desks.append(_p1_desk(config, config.p1, identity, told, source))
    return desks


def _p1_desk(config: Config, p1: P1Table, identity: Identity, told: ToldBook, source: Path) -> P1Desk:
    keys = read_p1_keys(config, source)
    faults: list[Fault] = []
    if keys and keys.open_to_others:
        reason = f"{keys.open_to_others} can be read by others on this machine: chmod 600"
        faults.append(("p1_key_file", {"reason": reason}))
    return P1Desk(
        told,
        identity.id_of,
        decrypt=decrypter(keys.key, keys.authentication_key or LUXEMBOURG_AUTHENTICATION_KEY) if keys else None,
        winter_h=p1.winter_utc,
        cable=None if p1.on_board else P1Cable(p1.port, clock=host_time),
        faults=tuple(faults),
    )
