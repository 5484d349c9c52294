"""What ``fluksometer tmpo`` does with a store (tmpo_command.py has its arguments)."""

import csv
import json
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

from fluksometer.domain.tmpo import block_name
from fluksometer.domain.topics import decimal
from fluksometer.errors import Failure
from fluksometer.storage.tmpo import BadBlock, Series, Store, StoredHistory, decode, unzip
from fluksometer.storage.tmpo.importing import blocks_in, summed, take_in

_EXPORTED_S = 1 << 20  # read at once


def show_blocks(store: Store, sensors: Sequence[str]) -> int:
    """A line for each block."""
    for series in chosen(store, sensors):
        for name in store.names(series):
            data = store.raw(series.sensor_id, name)
            if data is not None:  # else it became part of another one meanwhile
                path = f"{series.sensor_id}/{name.rid}/{name.lvl}/{name.bid}"
                print(f"{path:<64} {utc(name.bid)} {utc(name.tail_s + 1)} {len(data):>8} bytes")
    return 0


def cat_file(path: Path) -> int:
    """The text in a block's file, wherever it lies."""
    try:
        _print_text(path.read_bytes())
    except (OSError, BadBlock) as error:
        raise Failure(f"{path}: {error}") from error
    return 0


def cat_block(store: Store, address: str) -> int:
    """The text of a block of the store."""
    match address.removeprefix("sensor/").split("/"):
        case [sensor, rid, lvl, bid] if name := block_name(rid, lvl, bid):
            for series in chosen(store, [sensor]):
                data = store.raw(series.sensor_id, name) if series.rid == name.rid else None
                if data is not None:
                    try:
                        _print_text(data)
                    except BadBlock as error:
                        raise Failure(f"{address}: {error}") from error
                    return 0
    raise Failure(f"{address}: there is no such file or block; `fluksometer tmpo ls` shows the blocks")


def check(store: Store, out: TextIO) -> int:
    """Reads everything; tells what is wrong."""
    faults = [f"{path}: no block" for path in store.look()]
    count = Counter[str]()
    for series in store.series():
        for name in store.names(series):
            data = store.raw(series.sensor_id, name)
            if data is None:
                continue
            try:
                count["values"] += len(decode(data, name).time_s)
                count["blocks"] += 1
                count["bytes"] += len(data)
            except BadBlock as error:
                faults.append(f"{store.path(series, name)}: {error}")
    faults += [f"{path}: lies under a block of a higher level" for path in store.covered()]
    for fault in faults:
        print(fault, file=out)
    print(f"{count['blocks']} blocks, {count['values']} values, {count['bytes']} bytes; {len(faults)} faults")
    return 1 if faults else 0


def export(store: Store, sensors: Sequence[str], begin_s: int, end_s: int, form: str) -> int:
    """Each value on a line of its own."""
    table = csv.writer(sys.stdout, lineterminator="\n")
    if form == "csv":
        table.writerow(("sensor", "rid", "time", "value", "unit"))
    for series in chosen(store, sensors):
        unit = unit_of(store.cfg(series.sensor_id) or {})
        for time_s, milli in _values(store, series, begin_s, end_s):
            if form == "csv":
                table.writerow((series.sensor_id, series.rid, time_s, decimal(milli), unit))
            else:
                head = f'{{"sensor":"{series.sensor_id}","rid":{series.rid},"time":{time_s}'
                print(f'{head},"value":{decimal(milli)},"unit":{json.dumps(unit)}}}')
    return 0


def take_blocks(root: Path, directory: Path) -> int:
    """Import."""
    base, scan = blocks_in(directory)
    store = Store(root)
    store.begin()
    outcomes = Counter[str]()
    try:
        for outcome, text in take_in(store, base, scan):
            outcomes[outcome] += 1
            if outcome in ("left out", "repaired"):
                print(f"{outcome}: {text}", file=sys.stderr)
    finally:
        store.close()
        for report in store.take_reports():
            print(report, file=sys.stderr)
    print(summed(outcomes))
    return 1 if outcomes["left out"] else 0


def chosen(store: Store, sensors: Sequence[str]) -> list[Series]:
    """The series of sensors that somebody has named, all without a name. Raises Failure for a name of none or of several."""
    series = store.series()
    if not sensors:
        return series
    ids = sorted({one.sensor_id for one in series})
    wanted = {_chosen(store, ids, sensor) for sensor in sensors}
    return [one for one in series if one.sensor_id in wanted]


def second(text: str | None, default: int) -> int:
    """A time that a person has given. Raises Failure."""
    if text is None:
        return default
    try:
        if text.isdecimal():
            return int(text)
        time = datetime.fromisoformat(text)
    except ValueError as error:
        raise Failure(f"{text!r} is no time: seconds since 1970, or as 2026-11-22T05:30:00") from error
    return int((time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp())


def unit_of(cfg: Mapping[str, object]) -> str:
    """Of the values of a block; blocks of a Fluksometer before 2019 do not say it."""
    medium, flows = cfg.get("type"), cfg.get("data_type") == "gauge"
    known = {
        "electricity": "W" if flows else "Wh",
        "gas": "L/day" if flows else "L",
        "water": "L/day" if flows else "L",
    }
    return str(cfg.get("unit", known.get(str(medium), "")))


def utc(time_s: int) -> str:
    """For people."""
    return datetime.fromtimestamp(time_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _chosen(store: Store, ids: Sequence[str], wanted: str) -> str:
    found = [one for one in ids if one.startswith(wanted)]
    if len(found) != 1:
        functions = {one: (store.cfg(one) or {}).get("function") for one in ids}
        found = [one for one in ids if functions[one] == wanted] or found
        if len(found) != 1:
            known = ", ".join(f"{one[:8]} ({name})" for one, name in functions.items()) or "none"
            raise Failure(f"{len(found) or 'no'} sensors are called {wanted!r}; there are: {known}")
    return found[0]


def _values(store: Store, series: Series, begin_s: int, end_s: int) -> Iterator[tuple[int, int]]:
    # Piece by piece: years of seconds need not be in memory at once.
    names = store.names(series)
    if not names:
        return
    first_s, last_s = max(begin_s, names[0].bid), min(end_s, names[-1].tail_s)
    history = StoredHistory(store)
    for piece_s in range(first_s, last_s + 1, _EXPORTED_S):
        until_s = min(last_s, piece_s + _EXPORTED_S - 1)
        for rid, times, milli in history.read(series.sensor_id, piece_s, until_s):
            if rid == series.rid:
                both = zip(times.tolist(), milli.tolist(), strict=True)
                yield from ((time_s, value) for time_s, value in both if time_s >= piece_s)


def _print_text(data: bytes) -> None:
    print(unzip(data).decode("utf-8", "backslashreplace").rstrip("\n"))
