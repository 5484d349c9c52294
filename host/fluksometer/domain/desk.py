"""What serves one terminal of the board, as the bridge sees it: records in, messages and asks out."""

from collections.abc import Callable
from typing import Any

from fluksometer.shared.layout import Layout

from .readings import Hello
from .terminal_readings import Terminal
from .topics import Message

Ask = tuple[Layout, tuple[Any, ...]]
"""A record for the board: its layout and its values."""

Fault = tuple[str, dict[str, object]]
"""Event and fields of a line in the log."""


class Desk:
    """A terminal that has nothing to do: each real one overrides what it needs. All but ``serve`` is called in the loop, and
    does not wait."""

    topics: tuple[str, ...] = ()
    """Filters of MQTT topics that it wants to be told of."""

    def want(self, topic: str, payload: bytes) -> None:
        """A message came on some topic that the bridge listens to, perhaps not one of this desk's. Any bytes."""

    def take(self, hello: Hello, reading: Terminal, time_s: float | None, now_s: float) -> list[Message]:
        """The board has said something of some terminal. ``time_s``: UTC of its ``t_us``, None when not known; ``now_s``:
        the host's monotonic clock."""
        return []

    def next_deadline_s(self) -> float | None:
        """When step() wants to be called (monotonic); None: not before something else happens."""
        return None

    def step(self, hello: Hello | None, now_s: float) -> tuple[list[Message], list[Ask]]:
        """Called after everything that happened, and at the deadline: what to publish, and to send the board. ``hello`` is
        None while no board is there."""
        return [], []

    def summary(self) -> dict[str, object]:
        """Counts for the summary in the log: what was lost or refused, and whatever tells a person how it fares."""
        return {}

    def warnings(self) -> list[Fault]:
        """What went wrong since the last call, for the log. Asked for after each step; the log shows each event, apart for each
        ``reason`` in its fields, once a minute, so a desk may answer the same again and again. Totals belong into summary()."""
        return []

    async def serve(self, wake: Callable[[], None]) -> None:
        """Work of its own beside (a socket, a port), until cancelled. ``wake`` has step() called soon; it may be called in
        any thread."""
