"""Blocks of another history, as that of a Fluksometer, taken into this one: each value once, nothing of ours lost."""

from collections import Counter
from collections.abc import Iterator
from itertools import accumulate
from pathlib import Path
from typing import Final

from fluksometer.domain.tmpo import SLOT_S, BlockName, is_sensor_id, overlapping

from .codec import BadBlock, Block, checked, decode, encode, ends, fits, numbers, split, thousandths, unzip
from .faults import HistoryFault, fault_of
from .store import Series, Store
from .tree import Key, Scan, scan_blocks

_WRITTEN_AT_ONCE: Final = 64  # files, with one sync


def blocks_in(folder: Path) -> tuple[Path, Scan]:
    """The directory that holds sensors (``folder``, or ``sensor`` in it), and what lies there. Raises HistoryFault."""
    inner = folder / "sensor"
    base = inner if inner.is_dir() else folder
    try:
        if not any(is_sensor_id(one.name) for one in base.iterdir()):
            raise HistoryFault(f"{folder}: holds no TMPO blocks: they lie in sensor/<sensor id>/<rid>/<level>/")
        return base, scan_blocks(base)
    except OSError as error:
        raise fault_of(error, folder) from error


def take_in(store: Store, base: Path, scan: Scan) -> Iterator[tuple[str, str]]:
    """Takes in all blocks; answers of each ``(outcome, text)``: new, repaired, known, left out. Raises HistoryFault.

    Done once more it finds all of them known. What is damaged in a way that can't be undone with certainty, and what other
    values are known of, is left out."""
    for path in scan.foreign:
        yield "left out", f"{path}: no block"
    waiting: list[tuple[Key, bytes, Block]] = []
    for key in sorted(scan.sizes, key=lambda key: (key.sensor_id, key.name.rid, key.name.bid, -key.name.lvl)):
        path = base.parent / key.path if base.name == "sensor" else base / Path(*Path(key.path).parts[1:])
        try:
            data, block, outcome = _read(path, key.name)
        except (BadBlock, OSError) as error:
            yield "left out", f"{path}: {error}"
            continue
        if (waiting and _close(waiting[-1][0], key)) or len(waiting) >= _WRITTEN_AT_ONCE:
            store.put(waiting)
            waiting = []
        place = _place(store, key, block)
        if place == "new":
            waiting.append((key, data, block))
            yield outcome, str(path)
        else:
            yield place, f"{path}: other values are known of its time" if place == "left out" else str(path)
    store.put(waiting)


def _close(written: Key, key: Key) -> bool:
    # Of two that lie over each other the second is compared with the first, which then has to be there.
    same = written.sensor_id == key.sensor_id and written.name.rid == key.name.rid
    return same and written.name.tail_s >= key.name.bid


def _read(path: Path, name: BlockName) -> tuple[bytes, Block, str]:
    data = path.read_bytes()
    try:
        return data, decode(data, name), "new"
    except BadBlock as bad:
        block = repaired(data, name)
        if block is None:
            raise bad from bad
        return encode(block), block, "repaired"


def _place(store: Store, key: Key, block: Block) -> str:
    names = overlapping(store.names(Series(key.sensor_id, key.name.rid)), key.name.bid, key.name.tail_s)
    ours = [known for name in names if (known := store.load(key.sensor_id, name))]
    if not ours:
        return "new"
    joined = Block.joined(ours)
    if joined.contains(block):
        return "known"
    grows = all(key.name.covers(name) for name in names) and block.contains(joined)
    return "new" if grows else "left out"


def repaired(data: bytes, name: BlockName) -> Block | None:
    """The block that a Fluksometer meant which compacted it before 15 September 2014: it wrote each difference of value that
    leads from one block of 256 s to the next one twice, and sometimes two commas. None when it is not exactly that."""
    try:
        header, times_text, values_text = split(unzip(data).replace(b",,", b","))
        (head_s, _milli), _tail = ends(header)
        steps, deltas = numbers(times_text), thousandths(values_text)
        slots = [time_s // SLOT_S for time_s in accumulate(steps, initial=head_s)][1:]
        once: list[int] = []
        rest = iter(deltas)
        for at, delta in zip(range(len(steps)), rest, strict=False):
            if at and slots[at] != slots[at - 1] and next(rest, None) != delta:
                return None
            once.append(delta)
        if next(rest, None) is not None:
            return None
        block = checked(header, steps, once)
        fits(name, block.time_s[0], block.time_s[-1])
    except BadBlock:
        return None
    return block


def summed(outcomes: Counter[str]) -> str:
    """For people."""
    return ", ".join(f"{count} {outcome}" for outcome, count in sorted(outcomes.items())) or "no blocks"
