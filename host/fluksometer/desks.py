"""Which desks a configuration asks for: one for each further terminal in use."""

from fluksometer.adapters.identity import Identity
from fluksometer.config import Config
from fluksometer.domain.desk import Desk
from fluksometer.domain.told import ToldBook
from fluksometer.serial_desk import SerialDesk


def desks_of(config: Config, identity: Identity, told: ToldBook) -> list[Desk]:
    """The desks of one bridge; they put what they are told into ``told``."""
    desks: list[Desk] = []
    if config.rs485:
        meters = [table.meter for table in config.modbus]
        line = config.rs485
        desks.append(SerialDesk(meters, char_s=line.char_s, tcp_port=line.tcp_port, told=told, ids=identity.id_of))
    return desks
