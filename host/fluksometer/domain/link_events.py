"""What the link session tells. Each event carries what its reader needs, nobody asks the session again."""

from dataclasses import dataclass

from .readings import BoardLog, ClampWindow, Health, Hello, PairWindow, PulseCount, RawCodes
from .terminal_readings import Terminal


@dataclass(frozen=True, slots=True)
class Position:
    """The last kept record taken of a boot; ``seq`` 0: none yet."""

    boot_id: int
    seq: int
    t_us: int  # of the board's clock, as that record tells it


@dataclass(frozen=True, slots=True)
class BoardSaidHello:
    """The board has introduced itself; ``new_boot``: its counters began at zero since the position that is known."""

    hello: Hello
    new_boot: bool


@dataclass(frozen=True, slots=True)
class WindowClosed:
    """A clamp window; ``hello`` is the one in force when it came."""

    hello: Hello
    window: ClampWindow


@dataclass(frozen=True, slots=True)
class PairClosed:
    """The products of two clamps over the window whose clamp records came just before."""

    hello: Hello
    pair: PairWindow


@dataclass(frozen=True, slots=True)
class RawCame:
    """A part of a capture that was asked for."""

    hello: Hello
    raw: RawCodes


@dataclass(frozen=True, slots=True)
class PulsesCounted:
    """A pulse record."""

    hello: Hello
    pulses: PulseCount


@dataclass(frozen=True, slots=True)
class HealthReported:
    """A health record."""

    hello: Hello
    health: Health


@dataclass(frozen=True, slots=True)
class BoardLogged:
    """A line the board's firmware wrote for a person."""

    hello: Hello
    log: BoardLog


@dataclass(frozen=True, slots=True)
class TerminalSpoke:
    """A record of P1, RS-485, radio or panel."""

    hello: Hello
    reading: Terminal


@dataclass(frozen=True, slots=True)
class EarlierCame:
    """What the boot ``boot_id``, before the present one, had measured; totals and times in it are that boot's."""

    hello: Hello
    boot_id: int
    reading: ClampWindow | PairWindow | PulseCount


@dataclass(frozen=True, slots=True)
class TextSeen:
    """A line the console printed between frames: a traceback, a banner."""

    text: str


@dataclass(frozen=True, slots=True)
class RecordsLacking:
    """Kept records behind number ``after`` have not come: the board is asked for them once more. Told once for each hole."""

    after: int


@dataclass(frozen=True, slots=True)
class FramesDropped:
    """So many runs of bytes were neither a record nor text."""

    count: int


@dataclass(frozen=True, slots=True)
class RecordRefused:
    """A whole record with a field outside its range, or of the wrong length."""

    reason: str


@dataclass(frozen=True, slots=True)
class UnknownKind:
    """A whole record of a kind that this bridge does not know."""

    kind: int


@dataclass(frozen=True, slots=True)
class SequenceBroke:
    """Numbers or times jumped back: the board has started anew, and its hello was lost. ``seq``: 0 of a passing record."""

    seq: int


@dataclass(frozen=True, slots=True)
class WireVersionDiffers:
    """The board speaks another wire version than this bridge."""

    board: int
    bridge: int


@dataclass(frozen=True, slots=True)
class SettingsRefused:
    """The board was asked several times and still has other settings, or another calibration."""

    differences: str


@dataclass(frozen=True, slots=True)
class BoardAtPrompt:
    """No frames, but a MicroPython prompt: the firmware does not run."""


@dataclass(frozen=True, slots=True)
class BoardSilent:
    """No frames and no prompt for ``seconds``."""

    seconds: float


Event = (
    BoardSaidHello
    | WindowClosed
    | PairClosed
    | RawCame
    | PulsesCounted
    | HealthReported
    | BoardLogged
    | TerminalSpoke
    | EarlierCame
    | TextSeen
    | RecordsLacking
    | FramesDropped
    | RecordRefused
    | UnknownKind
    | SequenceBroke
    | WireVersionDiffers
    | SettingsRefused
    | BoardAtPrompt
    | BoardSilent
)


@dataclass(slots=True)
class LinkCounts:
    """Totals since the bridge started."""

    records: int = 0  # that were taken, hellos among them
    resumed: int = 0  # times that the board was asked for kept records once more
    held_out: int = 0  # came before a hello, behind a hole or while nothing is taken; kept ones come again
    duplicates: int = 0  # kept ones that were taken already
    refused: int = 0  # a field outside its range
    unknown: int = 0  # of a kind that this bridge does not know
    dropped: int = 0  # runs of bytes that were neither record nor text
