"""From a damaged ledger to a fresh one: totals first, then the position, then the unsent readings.

The fresh file is written whole beside the damaged one before anything is moved; ``finish_swap`` ends a swap that was cut off.
"""

import contextlib
import os
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from . import tables
from .blocks import count_points, is_whole, unpack
from .tables import Contents

KEPT_MOST = 3  # damaged files that are kept for a person
IDS_SKIPPED = 1_000_000  # ids that may have been given away by commits that are lost: none of them comes again


def write_fresh(path: Path, source: sqlite3.Connection | None, kept: Contents | None) -> list[str]:
    """Writes ``<path>.fresh`` from what can be read, and answers what is lost, a sentence each.

    ``source``: an open connection, also to a file that was deleted; None: the file at ``path``. ``kept``: what memory has of it.
    """
    fresh = beside(path, ".fresh")
    for name in (fresh, beside(path, ".fresh-journal")):
        name.unlink(missing_ok=True)
    with contextlib.ExitStack() as stack:
        target = stack.enter_context(contextlib.closing(tables.connect(fresh)))
        tables.create(target)
        source = _source(stack, source, path, fresh)
        target.execute("BEGIN IMMEDIATE")
        losses: list[str] = (
            [] if source else ["outbox: the unsent readings are lost: there is no file to read them from"]
        )
        contents = _readable(source, losses)
        last_read = _carry_points(source, target, kept or contents, losses)
        if kept is not None:
            contents, losses = kept, [loss for loss in losses if loss.startswith("outbox")]
        else:
            contents.last_id = max(contents.last_id, last_read, *contents.cursors.values(), 0) + IDS_SKIPPED
        tables.write_contents(target, contents)
        target.execute("COMMIT")
    return losses


def swap(path: Path) -> str:
    """Puts the fresh file in the place of the damaged one; answers the name under which that is kept, "" if there was none."""
    aside = _set_aside(path)
    beside(path, ".fresh").rename(path)
    _sync_directory(path)
    return aside


def finish_swap(path: Path) -> bool:
    """At the start: a swap that was cut off is ended, a fresh file that was never whole is removed. Was there one to end?"""
    fresh = beside(path, ".fresh")
    if not fresh.exists():
        return False
    if path.exists():
        fresh.unlink()
        return False
    swap(path)
    return True


def _source(
    stack: contextlib.ExitStack, source: sqlite3.Connection | None, path: Path, fresh: Path
) -> sqlite3.Connection | None:
    """A connection that finds the tables: ``source``, or one to the file, or to a mended copy of it; None: there is none."""
    if source is not None and _has_tables(source):
        return source
    if not path.exists():
        return None
    with contextlib.suppress(sqlite3.Error):
        source = stack.enter_context(contextlib.closing(tables.connect(path)))
        if _has_tables(source):
            return source
    with contextlib.suppress(sqlite3.Error):
        copy = stack.enter_context(_with_first_page_of(fresh, path))
        return stack.enter_context(contextlib.closing(tables.connect(copy)))
    return None


def _has_tables(source: sqlite3.Connection) -> bool:
    try:
        source.execute("SELECT 1 FROM head, state, cursor, channel, outbox LIMIT 0")
    except sqlite3.Error:
        return False
    return True


@contextlib.contextmanager
def _with_first_page_of(fresh: Path, path: Path) -> Iterator[Path]:
    """A copy of the file whose first page, which says where tables begin, is a fresh one's: they begin at the same."""
    copy = beside(path, ".copy")
    try:
        shutil.copyfile(path, copy)
        if beside(path, "-wal").exists():
            shutil.copyfile(beside(path, "-wal"), beside(copy, "-wal"))
        pages = -(-copy.stat().st_size // tables.PAGE_BYTES)
        with fresh.open("rb") as whole, copy.open("r+b") as file:
            first = bytearray(whole.read(tables.PAGE_BYTES))
            first[18:20] = b"\2\2"  # with a write-ahead log
            first[28:32] = pages.to_bytes(4, "big")
            file.write(first)
        yield copy
    finally:
        for ending in ("", "-wal", "-shm"):
            beside(copy, ending).unlink(missing_ok=True)


def _readable(source: sqlite3.Connection | None, losses: list[str]) -> Contents:
    found = Contents()
    found.states = dict(_sound(source, "state", losses))
    for _, last_id, *position in _sound(source, "head", losses):
        found.last_id, found.position = last_id, tables.position_from(position)
    found.cursors = dict(_sound(source, "cursor", losses))
    found.channels = {number: tables.channel_from(fields) for number, *fields in _sound(source, "channel", losses)}
    return found


def _carry_points(
    source: sqlite3.Connection | None, target: sqlite3.Connection, contents: Contents, losses: list[str]
) -> int:
    """Copies what is whole of the outbox; answers the highest id of it."""
    highest = lost = 0
    some_channels_lost = any(loss.startswith("channel") for loss in losses)
    for last_id, block in _rows(source, "outbox", losses):
        if not isinstance(block, bytes) or not is_whole(last_id, block):
            lost += 1
            continue
        if some_channels_lost:
            try:
                unpack(last_id, block, contents.channels)
            except KeyError:
                lost += count_points(block)
                continue
        tables.write_block(target, last_id, block)
        highest = max(highest, last_id)
    if lost:
        losses.append(f"outbox: {lost} or more unsent readings are lost")
    return highest


def _sound(source: sqlite3.Connection | None, table: str, losses: list[str]) -> Iterator[Any]:
    """Rows whose CRC fits, without it."""
    there = False
    for *fields, crc in _rows(source, table, losses):
        there = True
        if tables.seal(*fields) == crc:
            yield fields
        else:
            losses.append(f"{table}: a damaged row is lost: {str(fields[0])[:40]!r}")
    if table == "head" and not there:
        losses.append("head: the position on the link is lost: the board sends again what it still has")


def _rows(source: sqlite3.Connection | None, table: str, losses: list[str]) -> Iterator[tuple[Any, ...]]:
    """All rows from the first on up to one that can't be read, then from the last one back."""
    if source is None:
        return
    last = None
    for order in ("ASC", "DESC"):
        try:
            for row in source.execute(f"SELECT * FROM {table} ORDER BY 1 {order}"):
                if order == "DESC" and last is not None and row[0] <= last:
                    return
                last = row[0] if order == "ASC" else last
                yield row
            return
        except (sqlite3.Error, TypeError) as error:
            if order == "ASC":
                losses.append(f"{table}: a part of it is lost: {error}")


def beside(path: Path, ending: str) -> Path:
    """A side file."""
    return path.with_name(path.name + ending)


def _set_aside(path: Path) -> str:
    """Moves the file and its log to ``<path>.damaged-N``, the oldest of too many away; answers the name, "" if there was none."""
    shm, wal = beside(path, "-shm"), beside(path, "-wal")
    shm.unlink(missing_ok=True)
    if not path.exists():
        wal.unlink(missing_ok=True)
        return ""
    numbers = sorted(int(one.name.rpartition("-")[2]) for one in path.parent.glob(f"{path.name}.damaged-*[0-9]"))
    for old in numbers[: len(numbers) - KEPT_MOST + 1]:
        for ending in ("", "-wal"):
            beside(path, f".damaged-{old}{ending}").unlink(missing_ok=True)
    aside = beside(path, f".damaged-{(numbers or [0])[-1] + 1}")
    if wal.exists():
        wal.rename(beside(aside, "-wal"))
    path.rename(aside)
    return aside.name


def _sync_directory(path: Path) -> None:
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
