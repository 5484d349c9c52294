"""Which linearity table a board gets: what ``board.linearity`` says (docs/configuration.md)."""

from pathlib import Path
from typing import Final

CHIPS: Final = {"rp2040": 1, "rp2350": 2}
"""Numbers of the chips in a hello."""


def tables_by_chip(linearity: str, config: Path) -> dict[int, tuple[int, ...]]:
    """Steps of each code by the chip's number: ``chip``: the default tables, ``none``: nothing, else the table in that file.

    A relative file begins where the configuration is. Raises FileFaults when it can't be used.
    """
    if linearity == "none":
        return {}
    from fluksometer.domain.linearity import default_table, lookup, read_table

    if linearity == "chip":
        return {number: tuple(lookup(default_table(chip)).tolist()) for chip, number in CHIPS.items()}
    table = read_table(config.absolute().parent / Path(linearity).expanduser())
    return {CHIPS[table.chip]: tuple(lookup(table).tolist())}
