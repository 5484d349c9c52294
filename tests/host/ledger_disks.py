"""What a ledger meets on a disk of its own; run in a mount namespace by test_ledger_faults: SCENARIO FOLDER."""

import resource
import subprocess
import sys
from pathlib import Path

from host.ledgers import check_points, commit_second, number_of, open_ledger

from fluksometer.storage.ledger import Ledger, LedgerFault


def condition_of(ledger: Ledger, number: int) -> str:
    """How a commit fails; "" if it does not."""
    try:
        commit_second(ledger, number)
    except LedgerFault as fault:
        return fault.condition
    return ""


def mount(*words: str) -> None:
    """Mounts, or fails."""
    subprocess.run(["mount", *words], check=True)


def fill(folder: Path) -> None:
    """Not a byte more goes on this disk."""
    with (folder / "filler").open("wb", buffering=0) as filler:
        for size in (4096, 1):
            try:
                while filler.write(b"x" * size) == size:
                    pass
            except OSError:
                pass


def full(folder: Path) -> None:
    """The disk fills up while the bridge runs, twice; then a restart on a full disk."""
    mount("-t", "tmpfs", "-o", "size=400k", "none", str(folder))
    ledger = open_ledger(folder, 1 << 20)
    ledger.commit(cursors={"mqtt": 0})
    number = 0
    for _ in range(2):
        fill(folder)
        while not (fault := condition_of(ledger, number + 1)):
            number += 1
        assert fault == "full", fault
        for _ in range(3):
            assert condition_of(ledger, number + 1) == "full"
            assert number_of(ledger) == number
            check_points(ledger, 1, number)
        (folder / "filler").unlink()
        for _ in range(5):
            assert condition_of(ledger, number + 1) == ""
            number += 1
    ledger.close()
    fill(folder)
    for _ in range(2):
        try:
            open_ledger(folder, 1 << 20)
        except LedgerFault as fault:
            assert fault.condition == "full", fault
        else:
            raise AssertionError("opened on a full disk")
    (folder / "filler").unlink()
    ledger = open_ledger(folder, 1 << 20)
    assert number_of(ledger) == number
    check_points(ledger, 1, number)
    assert ledger.take_reports() == []


def read_only(folder: Path) -> None:
    """A file system that can only be read when the bridge starts."""
    mount("-t", "tmpfs", "none", str(folder))
    ledger = open_ledger(folder)
    commit_second(ledger, 1)
    ledger.close()
    mount("-o", "remount,ro", str(folder))
    for _ in range(2):
        try:
            open_ledger(folder)
        except LedgerFault as fault:
            assert fault.condition == "read-only" and "mount it writable" in str(fault), fault
        else:
            raise AssertionError("opened on a read-only disk")
    mount("-o", "remount,rw", str(folder))
    ledger = open_ledger(folder)
    commit_second(ledger, 2)
    assert number_of(ledger) == 2


def file_limit(folder: Path) -> None:
    """The system refuses to let files grow (RLIMIT_FSIZE), and later lets them."""
    ledger = open_ledger(folder)
    ledger.commit(cursors={"mqtt": 0})
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, resource.RLIM_INFINITY))
    number, faults = 0, set()
    for _ in range(300):
        fault = condition_of(ledger, number + 1)
        number += not fault
        faults.add(fault)
        assert number_of(ledger) == number
    assert faults == {"", "failing"}, faults  # each time the log is folded in there is room again
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    for _ in range(5):
        number += 1
        assert condition_of(ledger, number) == ""
    check_points(ledger, 1, number)
    ledger.close()
    assert number_of(open_ledger(folder)) == number


if __name__ == "__main__":
    {"full": full, "read_only": read_only, "file_limit": file_limit}[sys.argv[1]](Path(sys.argv[2]))
