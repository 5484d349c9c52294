"""The tables of a ledger: how they are made, written and read. Functions take a connection; transactions are the caller's."""

import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from zlib import crc32

from fluksometer.domain.link_events import Position

from .blocks import Channel
from .conditions import DamagedRow

APPLICATION_ID = 0x466C756B  # "Fluk": tells our files from those of other programs
SCHEMA = 1
PAGE_BYTES = 1024  # docs/figures.md: a commit rewrites whole pages
_WAIT_MS = 2000  # for a person's sqlite3 that holds the file

# Never change a line of an existing schema: salvage counts on the order in which the tables were made.
_TABLES = (
    "CREATE TABLE head (one INTEGER PRIMARY KEY, last_id INTEGER, boot_id INTEGER, seq INTEGER, t_us INTEGER, crc INTEGER)",
    "CREATE TABLE state (name TEXT PRIMARY KEY, json TEXT, crc INTEGER) WITHOUT ROWID",
    "CREATE TABLE cursor (sink TEXT PRIMARY KEY, id INTEGER, crc INTEGER) WITHOUT ROWID",
    "CREATE TABLE channel (number INTEGER PRIMARY KEY, sensor TEXT, series INTEGER, kind TEXT, unit TEXT, retain INTEGER,"
    " crc INTEGER)",
    "CREATE TABLE outbox (id INTEGER PRIMARY KEY, block BLOB)",  # id: that of its last point
)


@dataclass(slots=True)
class Contents:
    """All of a ledger but the readings; ``states`` as JSON text."""

    position: Position | None = None
    last_id: int = 0
    states: dict[str, str] = field(default_factory=dict)
    cursors: dict[str, int] = field(default_factory=dict)
    channels: dict[int, Channel] = field(default_factory=dict)


def connect(path: Path, *, wal_bytes: int = 0, reader: bool = False) -> sqlite3.Connection:
    """A connection for any thread, one at a time. Raises sqlite3.Error."""
    mode = "ro" if reader else "rwc"
    uri = f"{path.absolute().as_uri()}?mode={mode}"
    db = sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False, timeout=_WAIT_MS / 1000)
    settings = (
        [] if reader else [f"page_size = {PAGE_BYTES}", "synchronous = FULL"]
    )  # the size is that of a new file only
    if wal_bytes:
        settings += [f"wal_autocheckpoint = {wal_bytes // (PAGE_BYTES + 24)}", f"journal_size_limit = {wal_bytes}"]
    try:
        for setting in settings:
            db.execute(f"PRAGMA {setting}")
    except sqlite3.Error:
        db.close()
        raise
    return db


def create(db: sqlite3.Connection) -> None:
    """Makes the tables of a new file, all at once."""
    db.execute("BEGIN IMMEDIATE")
    db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    db.execute(f"PRAGMA user_version = {SCHEMA}")
    for table in _TABLES:
        db.execute(table)
    write_head(db, 0, None)
    db.execute("COMMIT")


def seal(*fields: object) -> int:
    """The CRC of a row."""
    return crc32(repr(fields).encode())


def write_head(db: sqlite3.Connection, last_id: int, position: Position | None) -> None:
    """Where the link is, and the id of the last reading."""
    row = (1, last_id, *((position.boot_id, position.seq, position.t_us) if position else (None, None, None)))
    db.execute("INSERT OR REPLACE INTO head VALUES (?, ?, ?, ?, ?, ?)", (*row, seal(*row)))


def write_contents(db: sqlite3.Connection, contents: Contents) -> None:
    """All but the readings in place of what is there; readings behind the last id are of a commit that failed, and go."""
    for table in ("state", "cursor", "channel"):
        db.execute(f"DELETE FROM {table}")
    write_channels(db, contents.channels)
    write_states(db, contents.states)
    write_cursors(db, contents.cursors)
    db.execute("DELETE FROM outbox WHERE id > ?", (contents.last_id,))
    write_head(db, contents.last_id, contents.position)


def write_states(db: sqlite3.Connection, states: Mapping[str, str | None]) -> None:
    """States by name as JSON; None takes one away."""
    kept = ((name, text, seal(name, text)) for name, text in states.items() if text is not None)
    db.executemany("INSERT OR REPLACE INTO state VALUES (?, ?, ?)", kept)
    db.executemany("DELETE FROM state WHERE name = ?", ((name,) for name, text in states.items() if text is None))


def write_cursors(db: sqlite3.Connection, cursors: Mapping[str, int]) -> None:
    """How far each sink is."""
    rows = ((sink, at, seal(sink, at)) for sink, at in cursors.items())
    db.executemany("INSERT OR REPLACE INTO cursor VALUES (?, ?, ?)", rows)


def write_channels(db: sqlite3.Connection, channels: Mapping[int, Channel]) -> None:
    """Channels by number."""
    plain = ((number, *channel[:-1], int(channel.retain)) for number, channel in channels.items())
    rows = ((*row, seal(*row)) for row in plain)
    db.executemany("INSERT INTO channel VALUES (?, ?, ?, ?, ?, ?, ?)", rows)


def write_block(db: sqlite3.Connection, last_id: int, block: bytes) -> None:
    """The readings of one commit."""
    db.execute("INSERT INTO outbox VALUES (?, ?)", (last_id, block))


def drop_blocks(db: sqlite3.Connection, passed_id: int, most: int) -> None:
    """Takes away up to ``most`` blocks whose points all have ids up to ``passed_id``, the oldest first."""
    chosen = "SELECT id FROM outbox WHERE id <= ? ORDER BY id LIMIT ?"
    db.execute(f"DELETE FROM outbox WHERE id IN ({chosen})", (passed_id, most))


def drop_cursor(db: sqlite3.Connection, sink: str) -> None:
    """A sink less."""
    db.execute("DELETE FROM cursor WHERE sink = ?", (sink,))


def read_blocks(db: sqlite3.Connection, after_id: int, most: int) -> list[tuple[int, bytes]]:
    """Blocks with points above this id, ascending, each with the id of its last point."""
    return db.execute("SELECT id, block FROM outbox WHERE id > ? ORDER BY id LIMIT ?", (after_id, most)).fetchall()


def read_head(db: sqlite3.Connection) -> tuple[int, Position | None]:
    """(id of the last reading, position). Raises sqlite3.Error, DamagedRow."""
    row = next(checked(db.execute("SELECT * FROM head")), None)
    if row is None:
        raise DamagedRow("head is empty")
    _, last_id, *position = row
    return last_id, position_from(position)


def read_channels(db: sqlite3.Connection) -> dict[int, Channel]:
    """All channels by number. Raises sqlite3.Error, DamagedRow."""
    return {number: channel_from(fields) for number, *fields in checked(db.execute("SELECT * FROM channel"))}


def read_contents(db: sqlite3.Connection) -> Contents:
    """All but the readings. Raises sqlite3.Error, DamagedRow."""
    last_id, position = read_head(db)
    return Contents(
        position=position,
        last_id=last_id,
        states=dict(checked(db.execute("SELECT name, json, crc FROM state"))),
        cursors=dict(checked(db.execute("SELECT sink, id, crc FROM cursor"))),
        channels=read_channels(db),
    )


def position_from(fields: list[int]) -> Position | None:
    """A position from its columns."""
    return None if fields[0] is None else Position(*fields)


def channel_from(fields: list[Any]) -> Channel:
    """A channel from its columns."""
    sensor_id, series, kind, unit, retain = fields
    return Channel(sensor_id, series, kind, unit, bool(retain))


def checked(rows: Iterable[tuple[Any, ...]]) -> Iterator[tuple[Any, ...]]:
    """Rows without their CRC, the last column. Raises DamagedRow."""
    for *fields, crc in rows:
        if seal(*fields) != crc:
            raise DamagedRow("a row fails its CRC")
        yield tuple(fields)


def used_bytes(db: sqlite3.Connection) -> int:
    """Bytes of the file that hold something; the rest is used again before it grows."""
    pages, free, size = (
        db.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "freelist_count", "page_size")
    )
    return int((pages - free) * size)
