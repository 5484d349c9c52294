"""The ``[tmpo]`` table of the configuration file (docs/configuration.md)."""

from typing import Annotated

from pydantic import AfterValidator

from fluksometer.config_values import that, within
from fluksometer.faults import Table

_Path = Annotated[
    str, AfterValidator(that(lambda name: 0 < len(name) <= 1024 and "\0" not in name, "1 to 1024 characters"))
]


class TmpoTable(Table):
    """``[tmpo]``: the history on the bridge's own disk."""

    enable: bool = True
    directory: _Path | None = None  # None: tmpo, in the state directory
    most_mb: Annotated[int, AfterValidator(within(10, 10_000_000))] = 4000  # then the oldest blocks give way
