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
    from fluksometer.domain.linearity import default_table, steps_of

    if linearity == "chip":
        return {number: steps_of(default_table(chip)) for chip, number in CHIPS.items()}
    return _table_of_file(linearity, config)


def _table_of_file(linearity: str, config: Path) -> dict[int, tuple[int, ...]]:
    from fluksometer.domain.board_calibration import BoardCalibration
    from fluksometer.domain.linearity import read_table, steps_of
    from fluksometer.faults import FileFaults

    try:
        path = config.absolute().parent / Path(linearity).expanduser()
    except RuntimeError as error:
        reason = f"board.linearity: {linearity}: there is no such home directory, name one"
        raise FileFaults(str(config), [reason]) from error
    table = read_table(path)
    steps = steps_of(table)
    try:
        BoardCalibration(table=steps)
    except ValueError as error:
        raise FileFaults(str(path), [f"no board can use it: {error}"]) from error
    return {CHIPS[table.chip]: steps}
