"""What serves one terminal of the board, or one sort of client, as the bridge sees it: records in, messages and asks out."""

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from typing import Any

from fluksometer.shared.layout import Layout

from .points import Point
from .readings import Hello
from .terminal_readings import Terminal
from .topics import Message

Ask = tuple[Layout, tuple[Any, ...]]
"""A record for the board: its layout and its values."""

Said = Message | Point
"""What is published: a reading, which every sink is given, or anything else, for MQTT alone."""

Fault = tuple[str, dict[str, object]]
"""Event and fields of a line in the log."""


class Desk:
    """One that has nothing to do: each real one overrides what it needs. All but ``serve`` is called in the loop, and
    does not wait."""

    topics: tuple[str, ...] = ()
    """Filters of MQTT topics that it wants to be told of."""

    def want(self, topic: str, payload: bytes) -> None:
        """A message came on some topic that the bridge listens to, perhaps not one of this desk's. Any bytes."""

    def broker(self, up: bool) -> None:
        """The connection to the MQTT broker is there, or gone."""

    def published(self, points: Sequence[Point]) -> None:
        """These readings were handed to the sinks."""

    def said(self, message: Message) -> None:
        """This was published by MQTT beside the readings: how everything fares, what a desk answered."""

    def configured(self, sections: Mapping[str, Mapping[str, object]]) -> None:
        """The sensor configuration, as published on MQTT: at the start, and whenever it has changed."""

    def take(self, hello: Hello, reading: Terminal, time_s: float | None, now_s: float) -> Sequence[Said]:
        """The board has said something of some terminal. ``time_s``: UTC of its ``t_us``, None when not known; ``now_s``:
        the host's monotonic clock."""
        return []

    def next_deadline_s(self) -> float | None:
        """When step() wants to be called (monotonic); None: not before something else happens."""
        return None

    def step(self, hello: Hello | None, now_s: float) -> tuple[Sequence[Said], list[Ask]]:
        """Called after everything that happened, and at the deadline: what to publish, and to send the board. ``hello`` is
        None while no board is there."""
        return [], []

    def summary(self) -> dict[str, object]:
        """Counts for the summary in the log: what was lost or refused, and whatever tells a person how it fares."""
        return {}

    def voltages(self, now_s: float) -> dict[int, Fraction]:
        """Voltage of the mains by line (1 to 3), where it is told of lately."""
        return {}

    def state(self) -> dict[str, Any]:
        """By name, what has to be known after a restart of the bridge, for JSON; the same for ever while nothing changes."""
        return {}

    def restore(self, states: Mapping[str, Any]) -> None:
        """Go on where state() was; ``states`` are those of all parts. Called before anything else."""

    def saved(self) -> None:
        """What state() told last is on the disk, with all readings that had been published by then."""

    def warnings(self) -> list[Fault]:
        """What went wrong since the last call, for the log. Asked for after each step; the log shows each event, apart for each
        ``reason`` in its fields, once a minute, so a desk may answer the same again and again. Totals belong into summary()."""
        return []

    async def serve(self, wake: Callable[[], None]) -> None:
        """Work of its own beside (a socket, a port), until cancelled. ``wake`` has step() called soon; it may be called in
        any thread."""
