"""Which desks a configuration asks for: one for each further terminal in use."""

from fluksometer.adapters.identity import Identity
from fluksometer.config import Config
from fluksometer.domain.desk import Desk
from fluksometer.domain.told import ToldBook


def desks_of(config: Config, identity: Identity, told: ToldBook) -> list[Desk]:
    """The desks of one bridge; they put what they are told into ``told``."""
    return []
