"""Which desks a configuration asks for: one for each further terminal in use."""

from fluksometer.adapters.identity import Identity
from fluksometer.config import Config
from fluksometer.domain.desk import Desk
from fluksometer.domain.line_turns import LineTurns
from fluksometer.domain.told import ToldBook
from fluksometer.serial_desk import SerialDesk


def desks_of(config: Config, identity: Identity, told: ToldBook) -> list[Desk]:
    """The desks of one bridge; they put what they are told into ``told``."""
    desks: list[Desk] = []
    if config.rs485:
        meters, line = [table.meter for table in config.modbus], config.rs485
        turns = LineTurns(line.char_s, line.answer_s)
        desks.append(SerialDesk(meters, turns, tcp_port=line.tcp_port, told=told, ids=identity.id_of))
    return desks
